"""A job that owns nothing: one machine, and what happens to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from milepost import ArgumentInvalid, ItemEvent, JobEvent, Progress, Scope, StateManager
from milepost.errors import ItemAbsent, LifecycleUnfit, RoleAbsent
from milepost.testing import FakeClock
from tests.integration.shapes.lifecycles import APPROVAL, SHIPPING, compiled, edited


@pytest.fixture
def manager(tmp_path: Path) -> StateManager:
    return StateManager.open(tmp_path / "jobs.db", lifecycle=compiled(APPROVAL), clock=FakeClock())


def test_it_is_created_moved_and_read_back(manager: StateManager, tmp_path: Path) -> None:
    """Without items; its variables are set by the event whose role that is."""
    state = manager.create_job(job_id="job", config={"most_rounds": 2}, variables={"who": "me"})
    assert state.progress == Progress(
        total=0, pending=0, running=0, done=0, failed=0, dead=0, skipped=0
    )
    manager.fire("job", "submit", {"form": {"sum": 12}})
    manager.create_checkpoint("job")
    manager.fire("job", "send_back")
    state = manager.update_state(
        "job", lambda _: [JobEvent("submit"), JobEvent("grant", {"by": "x"})]
    )
    assert (state.phase, state.variables) == ("granted", {"who": "me", "sum": 12})
    assert state.context == {"rounds": 2, "most_rounds": 2}
    with StateManager.open(tmp_path / "jobs.db", lifecycle=compiled(APPROVAL)) as again:
        assert again.get_state("job") == state
        assert again.get_checkpoint("job").state.phase == "submitted"
        assert all(v.sound for v in again.verify())
        assert [e.transitions for e in again.get_state_history("job") if e.kind == "job"] == [
            {"request:drafted.submit": 1},
            {"request:submitted.send_back": 1},
            {"request:drafted.submit": 1},
            {"request:submitted.grant": 1},
        ]
        assert again.fork("job", 2).phase == "submitted"
        assert again.list_jobs(prefix="job")[-1].progress == state.progress


def test_it_takes_no_items(manager: StateManager) -> None:
    """Neither at first nor later; what is asked of them has no role."""
    with pytest.raises(ArgumentInvalid, match="have no items"):
        manager.create_job(["a"])
    manager.create_job(job_id="job")
    with pytest.raises(ArgumentInvalid, match="have no items"):
        manager.add_items("job", ["a"])
    with pytest.raises(ItemAbsent):
        manager.record("job", [ItemEvent(0, "submit")])
    state = manager.get_state("job")
    assert not state.takes_items
    asks: tuple[Callable[[], object], ...] = (
        lambda: state.processed_items,
        lambda: list(manager.results("job")),
        lambda: manager.failures("job"),
        lambda: list(manager.dead_letters("job")),
        lambda: manager.requeue("job"),
        lambda: manager.recover_from_checkpoint("job", scope=Scope.failed()),
        lambda: manager.recover_from_checkpoint("job", scope=Scope.causes("error")),
        lambda: manager.recover_from_checkpoint("job", scope=Scope.attempts_below(2)),
    )
    for ask in asks:
        with pytest.raises(RoleAbsent, match="its jobs have no items") as caught:
            ask()
        assert caught.value.machine == ""
    with pytest.raises(AttributeError, match="no collection"):
        _ = state.items.machine
    assert state.seq == 1


TWO = """
  other:
    initial: on
    states: {on: {}, off: {final: true}}
    events: {stop: {}}
    transitions: [{from: on, on: stop, to: off}]
"""

NESTED = edited(
    SHIPPING,
    (
        "    guards:\n      tries_left",
        (
            "    collections:\n      parcels: {machine: parcel, accepts: {open: [pack]}}\n"
            "    guards:\n      tries_left"
        ),
    ),
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (APPROVAL.rstrip() + TWO, "request, other is of no collection"),
        (NESTED, r"order\.lines own members themselves.*to order"),
    ],
    ids=["two", "nested"],
)
def test_lifecycles_that_no_job_can_run_by_are_refused_at_open(
    text: str, told: str, tmp_path: Path
) -> None:
    """Nothing is made, and the message says what to change; as an earlier version, too."""
    with pytest.raises(LifecycleUnfit, match=told):
        StateManager.open(tmp_path / "jobs.db", lifecycle=compiled(text))
    with pytest.raises(LifecycleUnfit, match=told):
        StateManager.open(tmp_path / "jobs.db", earlier=[compiled(text)])
    assert not list(tmp_path.iterdir())
