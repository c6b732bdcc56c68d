"""Items that are left out of a job by hand, by the manager's own method."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost import ItemEvent, Scope, StateManager
from milepost.errors import ItemAbsent, TransitionRefused

JOB = "job"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[StateManager]:
    """A job with an item that is done, one that runs and two that wait."""
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job(["done", "runs", "waits", "last"], job_id=JOB)
        manager.fire(JOB, "start_map")
        manager.record(JOB, [ItemEvent("done", "start"), ItemEvent("runs", "start")])
        manager.record(JOB, [ItemEvent("done", "succeed", {"result": 1})])
        yield manager


def test_of_a_scope_those_are_left_out_that_can_be(manager: StateManager) -> None:
    """What is done stays, and a second time changes nothing."""
    state = manager.skip(JOB, Scope.all())
    assert (state.progress.skipped, state.progress.done) == (3, 1)
    assert manager.skip(JOB, Scope.all()).seq == state.seq


def test_what_is_named_has_to_take_it(manager: StateManager) -> None:
    """All of it or nothing; what is left out already is passed over."""
    seq = manager.get_state(JOB).seq
    with pytest.raises(TransitionRefused, match="item 'done'"):
        manager.skip(JOB, ["waits", "done"])
    with pytest.raises(ItemAbsent):
        manager.skip(JOB, ["waits", "nobody"])
    assert manager.get_state(JOB).seq == seq
    manager.skip(JOB, ["waits"])
    assert manager.skip(JOB, ["waits", "last"]).progress.skipped == 2


@pytest.mark.parametrize("items", [Scope.all(), ["last"]], ids=["a scope", "named"])
def test_a_phase_that_leaves_nothing_out_says_so(
    manager: StateManager, items: Scope | list[str]
) -> None:
    """It is refused, not passed over: whoever asked would take it for done."""
    manager.record(JOB, [ItemEvent("runs", "succeed", {"result": 2})])
    manager.record(JOB, [ItemEvent(key, "start") for key in ("waits", "last")])
    manager.record(JOB, [ItemEvent(key, "succeed", {"result": 3}) for key in ("waits", "last")])
    manager.fire(JOB, "finish_map")
    with pytest.raises(TransitionRefused):
        manager.skip(JOB, items)
