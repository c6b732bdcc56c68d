"""Items that are done again: no result until they have another, and the history keeps the old."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from milepost import ItemEvent, ResultAbsent, Scope, StateManager
from milepost.cli import main
from milepost.errors import (
    ArgumentInvalid,
    ContextInvalid,
    ItemAbsent,
    RedoRefused,
    TransitionRefused,
)
from milepost.executors import WorkItem, run
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


def test_items_are_redone_by_name_in_one_commit(manager: StateManager) -> None:
    before = manager.get_state("j")
    state = manager.redo("j", ["b", 2], reason="the model was wrong")
    assert state.seq == before.seq + 1
    assert list(state.keys_in("pending")) == ["b", "c"]
    with pytest.raises(RedoRefused, match="'b' is pending, 'c' is pending; leave"):
        manager.redo("j", ["a", "b", "c"])
    assert manager.get_state("j") == state, "all of them or none"
    with pytest.raises(ItemAbsent):
        manager.redo("j", ["nobody"])
    with pytest.raises(ArgumentInvalid):
        manager.redo("j", "b")
    assert manager.redo("j", []) == state
    assert list(manager.redo("j", Scope.all()).keys_in("pending")) == KEYS
    assert all(one.sound for one in manager.verify())


def test_from_reduce_the_job_goes_back_in_the_same_commit(manager: StateManager) -> None:
    seq = manager.fire("j", "finish_map").seq
    state = manager.redo("j", Scope.keys("b"))
    assert (state.phase, state.seq) == ("map", seq + 1)
    events = [one.event for one in manager.get_state_history("j", after=seq)]
    assert events == ["reopen", "redo"]
    once_more(manager, "b", "b2")
    assert manager.fire("j", "finish_map").phase == "reduce"
    assert dict(manager.results("j")) == {"a": "a1", "b": "b2", "c": "c1"}


def test_from_failed_it_waits_until_the_job_is_taken_up(manager: StateManager) -> None:
    manager.fire("j", "finish_map")
    manager.fire("j", "fail", {"cause": "error", "message": "no"})
    state = manager.redo("j", ["a"])
    assert state.phase == "failed"
    assert manager.apply(manager.recover_from_checkpoint("j")).phase == "map"


@pytest.mark.parametrize("end", ["completed", "cancelled"])
def test_a_job_that_has_ended_names_commands_that_lead_back(tmp_path: Path, end: str) -> None:
    url = str(tmp_path / "jobs.db")
    with StateManager.open(url) as manager:
        manager.create_job(KEYS, job_id="j")
        manager.fire("j", "start_map")
        once_more(manager, "a", "a1")
        if end == "completed":
            for key in ("b", "c"):
                once_more(manager, key, f"{key}1")
            manager.fire("j", "finish_map")
            manager.fire("j", "finish_reduce", {"result": 1})
        else:
            manager.fire("j", "cancel")
        with pytest.raises(RedoRefused) as refused:
            manager.redo("j", ["a"])
    commands = re.findall(r"`milepost ([^`]+)`", str(refused.value))
    assert [command.split()[0] for command in commands] == ["rewind", "fork"]
    jobs = ["j", "copy"]
    for command, job in zip(reversed(commands), reversed(jobs), strict=True):
        words = command.replace("NEW_ID", "copy").split()
        for call in (words, ["redo", job, "--item", "a", "--apply"]):
            done = CliRunner().invoke(main, [*call, "--db", url])
            assert done.exit_code == 0, done.output
    with StateManager.open(url) as manager:
        for job in jobs:
            assert (manager.get_state(job).phase, manager.get_state(job).item("a")[0]) == (
                "map",
                "pending",
            )


def test_a_share_of_the_items_may_be_dead() -> None:
    manager = StateManager.open("memory:")
    state = manager.create_job((str(n) for n in range(100)), config={"max_dead": 0.29})
    assert state.context["max_dead"] == 29, "0.29 * 100 is less, as binary floats"
    assert manager.create_job(KEYS, config={"max_dead": 0.3}).context["max_dead"] == 0
    for wrong in (1.5, 1.0, 0.0, -0.1, float("nan")):
        with pytest.raises(ContextInvalid, match="above 0 and below 1"):
            manager.create_job(KEYS, config={"max_dead": wrong})
    with pytest.raises(ContextInvalid, match="not of type int"):
        manager.create_job(KEYS, config={"max_attempts": 0.5})


def test_more_dead_are_allowed_by_name(manager: StateManager) -> None:
    manager.redo("j", ["a"])
    manager.record("j", [ItemEvent("a", "start")])
    manager.record("j", [ItemEvent("a", "fail", {"cause": "error", "message": ""})])
    manager.record("j", [ItemEvent("a", "give_up")])
    manager.fire("j", "finish_map")
    with pytest.raises(ArgumentInvalid):
        manager.allow_dead("j", 0)
    state = manager.allow_dead("j", 1, reason="its page is gone")
    assert (state.phase, state.context["more_dead"]) == ("failed", 1)
    manager.fire("j", "retry")
    assert manager.fire("j", "finish_map").phase == "reduce"
    manager.fire("j", "finish_reduce", {"result": 1})
    with pytest.raises(TransitionRefused):
        manager.allow_dead("j", 1)


def test_scopes_go_by_the_kind_of_the_last_failure(manager: StateManager) -> None:
    manager.redo("j", Scope.all())
    for key, kinds in {
        "a": ["HTTPStatusError 503"],
        "b": ["HTTPStatusError 503", "HTTPStatusError 429"],
        "c": [""],
    }.items():
        for kind in kinds:
            if manager.get_state("j").item(key)[0] == "failed":
                manager.record("j", [ItemEvent(key, "retry")])
            why = {"cause": "error", "message": "no", "kind": kind}
            manager.record("j", [ItemEvent(key, "start"), ItemEvent(key, "fail", why)])

    def of(*kinds: str) -> list[str]:
        plan = manager.recover_from_checkpoint("j", scope=Scope.kinds(*kinds))
        return [key for key in KEYS if key not in plan.outside]

    assert of("HTTPStatusError 503") == ["a"]
    assert of("HTTPStatusError") == ["a", "b"]
    assert of("503", "HTTPStatus") == []
    assert of() == []
    manager.record("j", [ItemEvent(key, "give_up") for key in KEYS])
    scope = Scope.kinds("HTTPStatusError 429")
    assert [one.key for one in manager.dead_letters("j", scope)] == ["b"]
    assert list(manager.failures("j", scope=scope)) == ["b"]
    assert list(manager.requeue("j", scope).keys_in("pending")) == ["b"]


def test_a_reduce_that_asks_for_an_item_again_has_the_job_go_on(tmp_path: Path) -> None:
    calls: list[str] = []
    with StateManager.open(tmp_path / "jobs.db") as manager:

        def work(item: WorkItem) -> str:
            calls.append(item.key)
            return f"{item.key}{calls.count(item.key)}"

        def reduce(results: Iterable[tuple[str, str]]) -> str:
            found = dict(results)
            if found["b"] == "b1":
                manager.redo("r", ["b"])
            return found["b"]

        manager.create_job(KEYS, job_id="r")
        with ThreadPoolExecutor(2) as pool:
            outcome = run(manager, "r", work, reduce, executor=pool)
        assert (outcome.phase, manager.result("r")) == ("completed", "b2")
    assert sorted(calls) == ["a", "b", "b", "c"]
