"""A greedy tour: every legal arc is taken and every illegal pair is tried, on the real manager.

Random rules leave arcs untried, so the tour comes first: from where a job stands it goes, by the
shortest run that the reference knows, to the nearest arc or pair that is still owed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from milepost import ItemEvent, RecordConflict, StateManager, TransitionRefused
from milepost.lifecycles import mapreduce
from milepost.testing import FakeClock

from .observing import folded_from_nothing, observed
from .reference import ACCEPTS, ITEM, JOB, ReferenceJob, Refused

PAYLOADS: dict[str, dict[str, Any]] = {
    "start_map": {"variables": {"ready": True}},
    "finish_reduce": {"result": 7},
    "set_variables": {"variables": {"n": 1}},
    "succeed": {"result": "r"},
    "crash": {"message": "it died"},
    "defer": {"until": 5},
    "note": {"note": {"batch": 1}},
    "allow_dead": {"more": 1},
}
FAILURE = {"cause": "error", "message": "it broke"}
CONFIGS: list[dict[str, Any]] = [
    {"max_attempts": most, "max_crashes": most, "max_dead": dead, "has_reduce": reduce}
    for most in (2, 1)
    for dead in (1, 0)
    for reduce in (True, False)
]
ITEMS = 2
READ_OF_ITEMS = ("attempts", "suspect", "crashes", "permanent")


@dataclass(frozen=True)
class Move:
    """An event of the job (`ordinal` None) or of one item."""

    ordinal: int | None
    event: str

    @property
    def payload(self) -> dict[str, Any]:
        if self.event == "fail":
            return FAILURE
        return PAYLOADS.get(self.event, {})

    def tell(self, reference: ReferenceJob) -> None:
        if self.ordinal is None:
            reference.fire(self.event, self.payload)
        else:
            reference.record([(self.ordinal, self.event, self.payload)])

    def do(self, manager: StateManager, job_id: str) -> None:
        if self.ordinal is None:
            manager.fire(job_id, self.event, self.payload)
        else:
            manager.record(job_id, [ItemEvent(self.ordinal, self.event, self.payload)])


MOVES = [Move(None, event) for event in JOB.events] + [
    Move(ordinal, event) for ordinal in range(ITEMS) for event in ITEM.events
]


@dataclass
class Owed:
    """What the tour still has to show."""

    arcs: set[tuple[str, tuple[str, str, str]]] = field(default_factory=set)
    pairs: set[tuple[str, str, str]] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.arcs) + len(self.pairs)


def everything() -> Owed:
    """Every (state, event, target) of both machines, every pair that they refuse.

    The pairs of an item are tried while its job is in map, which accepts all its events; the
    phases that accept less owe a refusal for each event that they leave out.
    """
    arcs = {("job", arc) for arc in JOB.triples()} | {("item", arc) for arc in ITEM.triples()}
    pairs = {("job", *pair) for pair in JOB.illegal_pairs()}
    pairs |= {("item", *pair) for pair in ITEM.illegal_pairs()}
    pairs |= {
        ("accepts", phase, event)
        for phase in JOB.states
        for event in ITEM.events
        if event not in ACCEPTS.get(phase, [])
    }
    return Owed(arcs, pairs)


def owed_here(owed: Owed, at: ReferenceJob) -> Iterator[tuple[Move, tuple[str, str, str]]]:
    """The illegal pairs that can be tried where the job stands."""
    for move in MOVES:
        if move.ordinal is None:
            pair = ("job", at.state, move.event)
        elif at.state != "map" and at.items[move.ordinal].state == "done":
            continue  # its result again is no new event: INV-ONCE, tried in map
        elif move.event not in ACCEPTS.get(at.state, []):
            pair = ("accepts", at.state, move.event)
        else:
            pair = ("item", at.items[move.ordinal].state, move.event)
        if pair in owed.pairs:
            yield move, pair


def key_of(at: ReferenceJob) -> tuple[Any, ...]:
    """Where the job stands, by what guards read: a run that only counts on leads nowhere new.

    Nor does one that differs in which of two items is where: what is owed tells them not apart.
    """
    items = tuple(
        sorted((item.state, *(item.context[name] for name in READ_OF_ITEMS)) for item in at.items)
    )
    context = {**at.context, "more_dead": min(at.context["more_dead"], 1)}
    return at.state, tuple(context.items()), tuple(at.history.items()), items


def shortest_run(start: ReferenceJob, owed: Owed) -> list[Move] | None:
    """The moves that lead to the nearest thing owed; None if nothing owed can be reached."""
    seen = {key_of(start)}
    queue: deque[tuple[ReferenceJob, list[Move]]] = deque([(start, [])])
    while queue:
        at, run = queue.popleft()
        if run and next(owed_here(owed, at), None) is not None:
            return run
        for move in MOVES:
            after = at.copy()
            after.arcs = []
            try:
                move.tell(after)
            except Refused:
                continue
            if owed.arcs & set(after.arcs):
                return [*run, move]
            if key_of(after) not in seen:
                seen.add(key_of(after))
                queue.append((after, [*run, move]))
    return None


def test_every_arc_is_taken_and_every_illegal_pair_is_refused(tmp_path: Path) -> None:
    """The tour covers all that the file allows and all that it does not."""
    owed = everything()
    total = len(owed)
    database = tmp_path / "jobs.db"
    with StateManager.open(database, durability="process", clock=FakeClock()) as manager:
        for number, config in enumerate(CONFIGS * 12):
            job_id = f"tour-{number}"
            reference = ReferenceJob(ITEMS, config)
            run = shortest_run(reference, owed)
            if run is None and next(owed_here(owed, reference), None) is None:
                continue
            manager.create_job(["a", "b"], job_id=job_id, config=config)
            while run is not None or next(owed_here(owed, reference), None):
                try_illegal(manager, job_id, reference, owed)
                for move in run or []:
                    move.do(manager, job_id)
                    reference.arcs = []
                    move.tell(reference)
                    owed.arcs -= set(reference.arcs)
                    results = dict(manager.results(job_id))
                    state = manager.get_state(job_id)
                    assert observed(state, results) == reference.observed()
                    try_illegal(manager, job_id, reference, owed)
                run = shortest_run(reference, owed)
            assert folded_from_nothing(str(database), job_id) == manager.get_state(job_id)
            if not owed:
                break
        assert not owed.arcs, f"never taken: {sorted(owed.arcs)}"
        assert not owed.pairs, f"never tried: {sorted(owed.pairs)}"
        assert total > 150
        assert all(verification.sound for verification in manager.verify())


def try_illegal(manager: StateManager, job_id: str, at: ReferenceJob, owed: Owed) -> None:
    """Every illegal pair that is owed here is refused, names what is allowed, changes nothing."""
    for move, pair in list(owed_here(owed, at)):
        if pair not in owed.pairs:
            continue
        before = manager.get_state(job_id)
        if pair == ("item", "done", "succeed"):
            try_again(manager, job_id, at, move)
            owed.pairs.discard(pair)
            continue
        with pytest.raises(TransitionRefused) as refused:
            move.do(manager, job_id)
        allowed = refused.value.allowed
        machine, state, _ = pair
        if machine == "accepts":
            assert list(allowed) == ACCEPTS.get(state, [])
        else:
            table = {"job": JOB, "item": ITEM}[machine]
            assert list(allowed) == [e for e in table.events if (state, e) in table.legal_pairs()]
        assert f"allowed: {', '.join(allowed) or 'nothing'}" in str(refused.value)
        assert manager.get_state(job_id) == before
        owed.pairs.discard(pair)


def try_again(manager: StateManager, job_id: str, at: ReferenceJob, move: Move) -> None:
    """INV-ONCE: the same result changes nothing; another is a conflict that the history keeps."""
    assert move.ordinal is not None
    before = manager.get_state(job_id)
    move.do(manager, job_id)
    assert manager.get_state(job_id) == before
    with pytest.raises(RecordConflict):
        manager.record(job_id, [ItemEvent(move.ordinal, "succeed", {"result": "another"})])
    at.rejected += 1
    last = manager.get_state_history(job_id)[-1]
    assert (last.kind, last.payload["code"]) == ("rejected", "record-conflict")


def test_the_generated_tables_hold_the_arcs_of_the_file() -> None:
    """The triples of the generated module are those that the reference reads from the file."""
    for table in (JOB, ITEM):
        machine = mapreduce.LIFECYCLE.machines[table.name]
        triples = {(row.source, row.event, row.target) for row in machine.transitions}
        assert triples == table.triples()
        assert machine.states == tuple(table.states)
        assert machine.events == tuple(table.events)


def test_the_tour_notices_what_it_is_not_shown() -> None:
    """Negative control: with one arc out of reach the tour does not end content."""
    owed = everything()
    owed.arcs = {("item", ("done", "start", "running"))}
    owed.pairs = set()
    assert shortest_run(ReferenceJob(ITEMS, CONFIGS[-1]), owed) is None
    assert owed.arcs
