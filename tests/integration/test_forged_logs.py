"""Facts that do not fit the log, under digests that are right: the fold refuses each, and says why.

Whoever can write the store can seal what he likes. What he wrote is never folded over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from milepost import ItemEvent, StateManager
from milepost.errors import LogCorrupt
from milepost.job.state import JobState
from milepost.log.codec import Tally, decode_snapshot, encode_row, encode_snapshot
from milepost.log.facts import (
    Draft,
    Fact,
    FolderNamed,
    Forked,
    Imported,
    ItemsAdded,
    ItemsFired,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    MembersAdded,
    Migrated,
    Repaired,
    Rewound,
)
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from tests.integration.shapes.lifecycles import SHIPPING, compiled


@pytest.fixture
def manager() -> StateManager:
    """A job of three items, at commit 4 of map, whose lease was given out once: fence 1."""
    manager = StateManager(MemoryStore(), clock=FakeClock())
    manager.create_job(["a", "b", "c"], job_id="j")
    manager.create_job(["a", "b", "c"], job_id="other")
    manager.fire("j", "start_map")
    with manager.lease("j", "me", renewed=False):
        pass
    assert (manager.get_state("j").seq, manager.get_state("j").fence) == (4, 1)
    return manager


def forge(
    manager: StateManager, *facts: Fact, fence: int = 1, phase: str | None = None
) -> StateManager:
    """Another manager of the store, in whose log of `j` there is one more commit."""
    store = manager._store
    state = manager.get_state("j")
    with store.writing("j") as writer:
        job = writer.job("j")
        assert job is not None
        row = encode_row(
            state.digest,
            seq=state.seq + 1,
            fence=fence,
            at_us=state.updated_at_us,
            drafts=[Draft(fact) for fact in facts],
            tally=Tally(phase or state.phase, state.tally.items),
            count=1,
        )
        writer.add_row(job.number, row)
    return StateManager(store, clock=FakeClock())


def changed(state: JobState, **columns: object) -> bytes:
    """The snapshot of a state, with something else in it."""
    return encode_snapshot(msgspec.structs.replace(decode_snapshot(state.snapshot()), **columns))


def of(state: JobState, **columns: object) -> bytes:
    return changed(state, **columns) if columns else state.snapshot()


CREATED = JobCreated("mapreduce", 1, "", {}, {}, {}, 3, "")
IMPORTED = Imported("t", "s", "r", "o", "f", 1)

FORGED: dict[str, tuple[Callable[[JobState], Fact], str]] = {
    "a job that is created again": (lambda s: CREATED, "the job exists already"),
    "a job that is imported again": (lambda s: IMPORTED, "the job exists already"),
    "a lease with the fence there is": (
        lambda s: LeaseTaken("x", s.fence),
        "fence 1 follows 1",
    ),
    "a lease with a fence too high": (lambda s: LeaseTaken("x", s.fence + 2), "fence 3 follows 1"),
    "a lower fence by a repair": (lambda s: Repaired(0, 0, 0, 0, ""), "fence 0 follows 1"),
    "an event that the phase does not take": (
        lambda s: JobFired("finish_reduce", {}),
        "'finish_reduce'",
    ),
    "items that are not there": (lambda s: ItemsFired("start", [3]), "3"),
    "an item twice": (lambda s: ItemsFired("start", [1, 1]), "listed twice"),
    "items added too far": (
        lambda s: ItemsAdded(4, 1, "f", [(4, 1)]),
        "1 items from 4 on follow 3",
    ),
    "items added again": (lambda s: ItemsAdded(2, 1, "f", [(2, 1)]), "1 items from 2 on follow 3"),
    "no items added": (lambda s: ItemsAdded(3, 0, "f", []), "0 items from 3 on follow 3"),
    "more items than places": (
        lambda s: ItemsAdded(3, 2, "f", [(3, 1)]),
        "2 items from 3 on follow 3",
    ),
    "members of a collection": (
        lambda s: MembersAdded("items", 3, 1, "f", [(3, 1)]),
        "a job with 1 collections has no fact of this kind",
    ),
    "a fork of somewhere else": (lambda s: Forked("j", s.seq - 1, ""), "was forked at seq 3"),
    "a rewind to no commit": (
        lambda s: Rewound(0, of(s, seq=0), ""),
        "the snapshot in it is not of seq 0 of this job",
    ),
    "a rewind to itself": (
        lambda s: Rewound(s.seq + 1, of(s, seq=s.seq + 1), ""),
        "the snapshot in it is not of seq 5 of this job",
    ),
    "a rewind to another commit than its snapshot's": (
        lambda s: Rewound(2, of(s), ""),
        "the snapshot in it is not of seq 2 of this job",
    ),
    "a rewind to another job": (
        lambda s: Rewound(2, of(s, seq=2, job_id="other"), ""),
        "the snapshot in it is not of seq 2 of this job",
    ),
    "a migration of another commit": (
        lambda s: Migrated("mapreduce", 1, s.lifecycle.digest, of(s, seq=2)),
        "the snapshot in it is not of seq 4 of this job",
    ),
    "a migration of another job": (
        lambda s: Migrated("mapreduce", 1, s.lifecycle.digest, of(s, job_id="other")),
        "the snapshot in it is not of seq 4 of this job",
    ),
    "a migration to another version than it says": (
        lambda s: Migrated("mapreduce", 1, "0" * 32, of(s)),
        "of another version than it says",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_does_not_fit_is_refused(manager: StateManager, name: str) -> None:
    """By whoever reads the log, and by `verify`, at that commit."""
    make, says = FORGED[name]
    state = manager.get_state("j")
    fact = make(state)
    fence = fact.fence if isinstance(fact, LeaseTaken | Repaired) else state.fence
    other = forge(manager, fact, fence=max(fence, state.fence))
    with pytest.raises(LogCorrupt, match=says) as refused:
        other.get_state("j")
    assert refused.value.seq == 5
    (found,) = other.verify("j")
    assert [one.seq for one in found.problems] == [5]


def test_a_fence_that_no_fact_gave_is_refused(manager: StateManager) -> None:
    """The column of a row says no more than its facts."""
    other = forge(manager, FolderNamed("file:///x"), fence=2)
    with pytest.raises(LogCorrupt, match="its fence is 2 and 1 was due"):
        other.get_state("j")


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (FolderNamed("file:///x"), {}),
        (Repaired(0, 0, 1, 0, "why"), {"owner": None, "fence": 1, "orphaned": False}),
        (Repaired(3, 4, 3, 0, "why"), {"owner": None, "fence": 3, "unharmed": True}),
        (
            LeaseTaken("x", 2),
            {"owner": "x", "fence": 2, "orphaned": False, "unharmed": False},
        ),
        (
            LeaseTaken("x", 2, unharmed=True),
            {"owner": "x", "fence": 2, "orphaned": False, "unharmed": True},
        ),
        (Forked("j", 4, ""), {"owner": None, "checkpoint_at_us": 0}),
    ],
)
def test_what_fits_is_taken(manager: StateManager, fact: Any, expected: dict[str, Any]) -> None:
    """The control: the same commit is sound with a fact that follows."""
    state = forge(manager, fact, fence=getattr(fact, "fence", 1)).get_state("j")
    assert state.seq == 5
    assert {name: getattr(state, name) for name in expected} == expected


def test_who_takes_a_held_job_over_finds_it_orphaned(manager: StateManager) -> None:
    """Once somebody else held it, what is in flight was left by a death, unless it is said."""
    manager.record("j", [ItemEvent("a", "start")])
    taken = forge(manager, LeaseTaken("x", 2), LeaseTaken("y", 3), fence=3).get_state("j")
    assert (taken.owner, taken.orphaned, taken.unharmed) == ("y", True, False)
    assert taken.executor_lost


TAKEN, TAKEN_OVER = (LeaseTaken("x", 2),), (LeaseTaken("x", 2), LeaseTaken("y", 3))


@pytest.mark.parametrize(
    ("before", "orphaned", "unharmed"),
    [
        ((), False, True),
        (TAKEN, True, True),
        (TAKEN_OVER, True, False),
        ((*TAKEN_OVER, LeaseReleased("y")), True, False),
        ((*TAKEN, LeaseTaken("y", 3, unharmed=True)), True, True),
    ],
    ids=["nobody holds it", "somebody does", "somebody died", "and let go", "nobody died"],
)
def test_a_repair_with_a_new_fence_sends_the_holder_away(
    manager: StateManager, before: tuple[Fact, ...], orphaned: bool, unharmed: bool
) -> None:
    """What was in flight is nobody's then; whether by a death, what was before says."""
    state = forge(manager, *before, Repaired(3, 4, 9, 0, "why"), fence=9).get_state("j")
    assert (state.owner, state.fence) == (None, 9)
    assert (state.orphaned, state.unharmed) == (orphaned, unharmed)


def test_a_repair_that_lost_nothing_leaves_the_holder_alone(manager: StateManager) -> None:
    state = forge(manager, *TAKEN, Repaired(0, 0, 2, 1, "why"), fence=2).get_state("j")
    assert (state.owner, state.fence, state.orphaned, state.unharmed) == ("x", 2, False, False)


@pytest.mark.parametrize(
    ("event", "payload", "phase", "orphaned"),
    [("pause", {}, "paused", True), ("recover", {"lost": True}, "map", False)],
)
def test_only_a_recovery_ends_that_a_job_is_orphaned(
    manager: StateManager, event: str, payload: dict[str, Any], phase: str, orphaned: bool
) -> None:
    facts = (*TAKEN_OVER, JobFired(event, payload))
    state = forge(manager, *facts, fence=3, phase=phase).get_state("j")
    assert (state.phase, state.orphaned) == (phase, orphaned)


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (ItemsFired("pack", []), "it names no item to take 'pack'"),
        (ItemsFired("pack", [0, 3]), "'parcels' and 'lines' are two collections"),
        (MembersAdded("boxes", 5, 1, "f", [(5, 1)]), "has no collection 'boxes'"),
        (ItemsAdded(5, 1, "f", [(5, 1)]), "a job with 2 collections has no fact of this kind"),
    ],
)
def test_facts_of_a_job_with_two_collections_are_of_one_of_them(fact: Fact, says: str) -> None:
    manager = StateManager(MemoryStore(), lifecycle=compiled(SHIPPING), clock=FakeClock())
    manager.create_job(collections={"parcels": ["p", "q"], "lines": ["a", "b", "c"]}, job_id="j")
    manager.fire("j", "pick", {})
    forge(manager, fact, fence=0)
    other = StateManager(manager._store, lifecycle=compiled(SHIPPING), clock=FakeClock())
    with pytest.raises(LogCorrupt, match=says):
        other.get_state("j")
