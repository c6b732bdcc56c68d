"""The dead letter queue: what is in it, why, and the way out of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from milepost import Item, ItemEvent, LeaseHeld, Scope, StateManager, TransitionRefused
from milepost.errors import ItemAbsent, ScopeInvalid
from milepost.testing import FakeClock

CAUSES = {"img/1": "error", "img/2": "timeout", "txt/1": "error"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def manager(clock: FakeClock) -> Iterator[StateManager]:
    """img/1, img/2 and txt/1 are dead after two attempts each, txt/2 is pending."""
    with StateManager.open("memory:", clock=clock) as manager:
        items = [Item(key=key, value={"of": key}) for key in (*CAUSES, "txt/2")]
        manager.create_job(items, job_id="j", config={"max_attempts": 2})
        manager.fire("j", "start_map")
        for key, cause in CAUSES.items():
            kill(manager, key, cause, clock)
        yield manager


def kill(manager: StateManager, key: str, cause: str, clock: FakeClock) -> None:
    for attempt in (1, 2):
        clock.advance(1)
        fail = {"cause": cause, "message": f"{key}, attempt {attempt}"}
        then = "retry" if attempt == 1 else "give_up"
        manager.record(
            "j", [ItemEvent(key, "start"), ItemEvent(key, "fail", fail), ItemEvent(key, then)]
        )


def test_a_letter_has_the_item_and_all_that_went_wrong(
    manager: StateManager, clock: FakeClock
) -> None:
    """Key, value, attempts, and each failed attempt with its time, oldest first."""
    letters = list(manager.dead_letters("j"))
    assert [letter.key for letter in letters] == list(CAUSES)
    first = letters[0]
    assert (first.ordinal, first.value, first.attempts) == (0, {"of": "img/1"}, 2)
    assert [f.message for f in first.failures] == ["img/1, attempt 1", "img/1, attempt 2"]
    assert first.failures[1].at - first.failures[0].at == timedelta(seconds=1)
    timeouts = manager.dead_letters("j", Scope.causes("timeout"))
    assert [letter.key for letter in timeouts] == ["img/2"]


def test_requeued_items_have_all_their_attempts_and_their_history(
    manager: StateManager, clock: FakeClock
) -> None:
    """Only those in scope go back; what went wrong before stays told."""
    before = manager.get_state("j")
    after = manager.requeue("j", Scope.globs("img/*"))
    assert after.seq == before.seq + 1
    assert set(after.keys_in("pending")) == {"img/1", "img/2", "txt/2"}
    assert after.item("img/1")[1]["attempts"] == 0
    kill(manager, "img/1", "timeout", clock)
    (letter,) = manager.dead_letters("j", Scope.keys("img/1"))
    assert (letter.attempts, len(letter.failures)) == (2, 4)
    assert [letter.key for letter in manager.dead_letters("j", Scope.causes("timeout"))] == [
        "img/1"
    ]
    assert manager.verify("j")[0].sound


def test_requeue_of_nothing_writes_nothing(manager: StateManager) -> None:
    """An item in scope that is not dead is left as it is; a key that is not there is an error."""
    before = manager.get_state("j")
    assert manager.requeue("j", Scope.keys("txt/2")) == before
    with pytest.raises(ItemAbsent):
        manager.requeue("j", Scope.keys("txt/9"))
    for scope in (Scope.again("map"), Scope.checkpoint(1)):
        with pytest.raises(ScopeInvalid):
            manager.requeue("j", scope)
        with pytest.raises(ScopeInvalid):
            list(manager.dead_letters("j", scope))


def test_a_job_that_failed_for_its_dead_is_taken_up_again(manager: StateManager) -> None:
    """Requeue, then recover: the job is in map again, with the items to do."""
    manager.record("j", [ItemEvent("txt/2", "skip")])
    assert manager.fire("j", "finish_map").phase == "failed"
    manager.requeue("j")
    after = manager.apply(manager.recover_from_checkpoint("j"))
    assert (after.phase, after.progress.pending, after.progress.dead) == ("map", 3, 0)


def test_a_phase_that_takes_none_back_says_so(manager: StateManager) -> None:
    """Paused: the letters stay where they are."""
    manager.fire("j", "pause")
    with pytest.raises(TransitionRefused, match="accepts no such event"):
        manager.requeue("j")
    assert manager.get_state("j").progress.dead == 3


def test_an_operator_requeues_under_the_feet_of_an_executor(clock: FakeClock) -> None:
    """Others ask first, as for every write."""
    with StateManager.open("memory:", clock=clock) as manager:
        manager.create_job(["a"], job_id="j", config={"max_attempts": 1})
        manager.fire("j", "start_map")
        fail = {"cause": "error", "message": ""}
        manager.record(
            "j", [ItemEvent("a", "start"), ItemEvent("a", "fail", fail), ItemEvent("a", "give_up")]
        )
        other = StateManager(manager._store, clock=clock)
        with manager.lease("j", "worker", renewed=False):
            with pytest.raises(LeaseHeld):
                other.requeue("j")
            assert other.requeue("j", operator=True).progress.pending == 1
