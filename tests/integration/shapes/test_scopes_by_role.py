"""Scopes and plans of a job with two collections, whose machines have different roles."""

from __future__ import annotations

import pytest

from milepost import ItemEvent, Scope, StateManager
from milepost.errors import RoleAbsent, ScopeInvalid
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from tests.integration.shapes.lifecycles import SHIPPING, compiled
from tests.integration.shapes.test_several import LINES, PARCELS, picked


def begun() -> StateManager:
    manager = StateManager(MemoryStore(), lifecycle=compiled(SHIPPING), clock=FakeClock())
    manager.create_job(collections={"parcels": PARCELS, "lines": LINES}, job_id="job")
    picked(manager)
    return manager


def chosen(manager: StateManager, scope: Scope) -> list[int]:
    plan = manager.recover_from_checkpoint("job", scope=scope)
    return [o for o in range(5) if o not in set(plan.outside.ordinals)]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope.failed(), [1]),
        (Scope.causes("torn"), [1]),
        (Scope.causes("gone"), []),
        (Scope.causes("gone", "torn"), [1]),
        (Scope.attempts_below(1), []),
        (Scope.attempts_below(2), [0, 1, 2]),
        (Scope.states("packed", "waiting"), [0, 3]),
        (Scope.span(2, 3), [2, 3]),
        (Scope.span(4, 4), [4]),
        (Scope.keys("parcels/large"), [4]),
        (Scope.globs("*l*rge"), [4]),
    ],
    ids=str,
)
def test_what_only_one_of_them_has_is_asked_of_that_one(scope: Scope, expected: list[int]) -> None:
    """Parcels fail nowhere and count no attempts."""
    assert chosen(begun(), scope) == expected


def test_a_part_of_a_failure_that_nobody_records() -> None:
    """The error names the machine that should, and who needs it."""
    with pytest.raises(RoleAbsent) as refused:
        begun().recover_from_checkpoint("job", scope=Scope.kinds("ValueError"))
    told = refused.value
    assert (told.lifecycle, told.machine, told.role) == ("shipping", "line", "failure.kind")
    assert told.needed_by == "Scope.kinds()"


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        (Scope.states("opne"), "items have no state 'opne', only open, packing, packed"),
        (Scope.causes("lost"), "there is no cause 'lost', only torn, gone: leave it out"),
    ],
)
def test_what_there_is_not(scope: Scope, says: str) -> None:
    with pytest.raises(ScopeInvalid, match=says):
        begun().recover_from_checkpoint("job", scope=scope)


def test_a_plan_tells_of_states_without_a_role() -> None:
    """One that is final needs no more work, and is in a part of its own."""
    manager = begun()
    burnt = manager.record("job", [ItemEvent("parcels/small", "burn")])
    plan = manager.recover_from_checkpoint("job")
    assert list(plan.ended.ordinals) == list(burnt.ended) == [3]
    assert plan.parts["ended"] == plan.ended
    assert list(plan.unassigned.ordinals) == []
    assert set(plan.skip_items.ordinals) == {0, 3}
    assert plan.reason_of("parcels/small") == "is in a final state that has no role"


def test_what_has_no_attempt_left_is_given_up_where_there_is_an_event_for_it() -> None:
    manager = begun()
    manager.record("job", [ItemEvent("lines/ink", "again"), ItemEvent("lines/ink", "pack")])
    manager.record("job", [ItemEvent("lines/ink", "miss", {"why": "gone"})])
    plan = manager.recover_from_checkpoint("job", scope=Scope.keys("lines/ink"))
    told = "its last attempt failed and it is not tried again: goes to the dead letter queue"
    assert plan.reason_of("lines/ink") == told
