"""Items that are done again: no result until they have another, and the history keeps the old."""

from __future__ import annotations

import pytest

from milepost import ItemEvent, ResultAbsent, StateManager
from milepost.errors import TransitionRefused
from milepost.testing import FakeClock

KEYS = ["a", "b", "c"]


@pytest.fixture
def manager() -> StateManager:
    manager = StateManager.open("memory:", clock=FakeClock())
    manager.create_job(KEYS, job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(key, "start") for key in KEYS])
    manager.record("j", [ItemEvent(key, "succeed", {"result": f"{key}1"}) for key in KEYS])
    return manager


def once_more(manager: StateManager, key: str, result: str) -> None:
    events = [ItemEvent(key, "start"), ItemEvent(key, "succeed", {"result": result})]
    manager.record("j", events)


def test_what_is_done_again_has_no_result_until_it_has_another(manager: StateManager) -> None:
    before = manager.get_state("j").seq
    assert manager.result_of("j", "b") == "b1"
    state = manager.record("j", [ItemEvent("b", "redo", {"reason": "its input was wrong"})])
    assert (state.progress.done, state.progress.pending) == (2, 1)
    assert state.item("b")[1]["redone"] == 1
    with pytest.raises(ResultAbsent):
        manager.result_of("j", "b")
    for order in ("items", "recorded"):
        assert dict(manager.results("j", order=order)) == {"a": "a1", "c": "c1"}
    once_more(manager, "b", "b2")
    assert manager.result_of("j", "b") == "b2"
    assert list(manager.results("j")) == [("a", "a1"), ("b", "b2"), ("c", "c1")]
    assert list(manager.results("j", order="recorded"))[-1] == ("b", "b2")
    assert len(list(manager.results("j", order="recorded"))) == 3
    copy = manager.fork("j", before, "fork")
    assert manager.result_of(copy.id, "b") == "b1", "the history keeps the old one"
    plan = manager.plan_rewind("j", before)
    assert list(plan.undone) == ["b"]
    manager.apply(plan)
    assert manager.result_of("j", "b") == "b1"
    assert all(one.sound for one in manager.verify())


def test_all_of_it_in_one_commit_is_no_conflict(manager: StateManager) -> None:
    again = [ItemEvent("a", "redo"), ItemEvent("a", "start")]
    manager.record("j", [*again, ItemEvent("a", "succeed", {"result": "a2"})])
    assert manager.result_of("j", "a") == "a2"
    assert dict(manager.results("j", order="recorded")) == {"a": "a2", "b": "b1", "c": "c1"}


def test_a_failure_for_good_is_given_up_and_never_retried(manager: StateManager) -> None:
    why = {"cause": "error", "message": "400", "permanent": True}
    manager.record("j", [ItemEvent("a", "redo"), ItemEvent("a", "start")])
    manager.record("j", [ItemEvent("a", "fail", why)])
    with pytest.raises(TransitionRefused, match="not permanent"):
        manager.record("j", [ItemEvent("a", "retry")])
    plan = manager.recover_from_checkpoint("j")
    assert list(plan.exhausted) == ["a"]
    assert manager.apply(plan).item("a")[0] == "dead"
    state = manager.requeue("j")
    assert state.item("a")[1]["permanent"] is False


def test_what_waits_uses_no_attempt(manager: StateManager) -> None:
    manager.record("j", [ItemEvent("a", "redo"), ItemEvent("a", "start")])
    state = manager.record("j", [ItemEvent("a", "note", {"note": {"batch": 7}})])
    state = manager.record("j", [ItemEvent("a", "defer", {"until": 5})])
    name, context = state.item("a")
    told = (context["attempts"], context["deferred"], context["noted"])
    assert (name, *told) == ("pending", 0, True, True)
    assert manager.record("j", [ItemEvent("a", "start")]).item("a")[1]["deferred"] is False


def test_more_dead_items_are_a_recorded_fact(manager: StateManager) -> None:
    manager.record("j", [ItemEvent("a", "redo"), ItemEvent("a", "start")])
    manager.record("j", [ItemEvent("a", "fail", {"cause": "error", "message": ""})])
    manager.record("j", [ItemEvent("a", "give_up")])
    assert manager.fire("j", "finish_map").phase == "failed"
    with pytest.raises(TransitionRefused):
        manager.fire("j", "allow_dead", {"more": 0})
    manager.fire("j", "allow_dead", {"more": 1})
    manager.fire("j", "retry")
    assert manager.fire("j", "finish_map").phase == "reduce"
    assert manager.fire("j", "reopen").phase == "map"
