"""A job by its definition beside what is stored or folded of it: the first thing that differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap

from milepost.conformance.departures import Departs, Kind, ValueSaid
from milepost.conformance.members import Cell, Members, ordinal_set
from milepost.conformance.standing import Standing, cells_of
from milepost.job.state import JobState
from milepost.log.codec import Tally
from milepost.log.facts import Snapshot
from milepost.text.wording import shown

__all__ = ["Found", "check_found", "check_tally", "of_snapshot", "of_state"]

_STATE = "state"


@dataclass(frozen=True, slots=True)
class Found:
    """A job as something else than the definition has it: phase, context, members by cell."""

    phase: str
    context: Mapping[str, Any]  # Any: int, bool, name of a member or state
    cells: Mapping[str, Mapping[Cell, BitMap]]


def of_snapshot(snapshot: Snapshot, standing: Standing) -> Found:
    """The job as a snapshot has it."""
    return Found(snapshot.phase, snapshot.context, cells_of(snapshot, standing.machine))


def of_state(state: JobState) -> Found:
    """The job as the generated tables fold it."""
    cells = {name: ledger.cells for name, ledger in state.ledgers.items()}
    return Found(state.phase, state.context, cells)


def check_tally(standing: Standing, tally: Tally, folded: Callable[[], Found | None]) -> None:
    """Raise Departs where a row states another phase, or other numbers, than are due.

    `folded` gives the job as the tables have it, which says of which members it is; it is called
    then alone.
    """
    counts = standing.counts()
    if (tally.phase, tuple(tally.items)) == (standing.phase, counts):
        return
    values = []
    if tally.phase != standing.phase:
        values.append(ValueSaid(name="phase", defined=standing.phase, found=tally.phase))
    named = [f"{name}.{one}" for name, of in standing.members.items() for one in of.counts()]
    if len(named) == len(tally.items):
        values += [
            ValueSaid(name=name, defined=due, found=found)
            for name, due, found in zip(named, counts, tally.items, strict=True)
            if due != found
        ]
    else:
        values.append(ValueSaid(name="numbers", defined=len(named), found=len(tally.items)))
    told = len(named) == len(tally.items) and tally.phase == standing.phase
    ordinals, state = _whose(standing, tally, folded()) if told else ((), "")
    raise Departs(
        "tally",
        f"the log states {_others(values)}",
        state=state or standing.phase,
        ordinals=ordinals,
        values=tuple(values),
    )


def _whose(standing: Standing, tally: Tally, folded: Found | None) -> tuple[tuple[int, ...], str]:
    """The members that the row has in another state, and the state of the first; as far as known.

    They are in a state of which the row counts fewer: those whom the tables have elsewhere, all
    that are there, or those that took the last step, whichever are as many as the row lacks.
    """
    counted = iter(tally.items)
    found: dict[int, str] = {}
    for name, members in standing.members.items():
        took = ordinal_set()
        for step in standing.steps:
            if step.collection == name and step.ordinals is not None:
                took |= step.ordinals
        for state, due in members.counts().items():
            lacking = due - next(counted)
            there = _in_state(members.cells, state)
            by_tables = there - _in_state(folded.cells.get(name, {}), state) if folded else there
            exact = [few for few in (by_tables, there, there & took) if len(few) == lacking]
            found.update(dict.fromkeys(exact[0] if exact else (), state))
    ordinals = tuple(sorted(found))
    return ordinals, found[ordinals[0]] if ordinals else ""


def _in_state(cells: Mapping[Cell, BitMap], state: str) -> BitMap:
    found = ordinal_set()
    for cell, members in cells.items():
        if cell[0] == state:
            found |= members
    return found


def check_found(standing: Standing, found: Found, kind: Kind, whose: str) -> None:
    """Raise Departs, of that kind, for the first thing in which `found` differs.

    `whose` says what was found, as the beginning of a sentence.
    """
    if found.phase != standing.phase:
        said = ValueSaid(name="phase", defined=standing.phase, found=found.phase)
        raise _other(kind, whose, (said,), standing.phase)
    if found.context != standing.context:
        values = _differing(standing.context, found.context)
        if values:
            raise _other(kind, whose, values, standing.phase)
    for name, members in standing.members.items():
        cells = found.cells.get(name, {})
        if cells != members.cells:
            _check_members(members, cells, kind, whose)


def _check_members(members: Members, cells: Mapping[Cell, BitMap], kind: Kind, whose: str) -> None:
    """Raise Departs for the first member that is in another cell, if there is one."""
    wrong: list[tuple[int, Cell]] = []
    for cell, due in members.cells.items():
        there = cells.get(cell)
        left = due if there is None else due - there
        if left:
            wrong.append((left.min(), cell))
    if wrong:
        first, cell = min(wrong)
        where = next((other for other, there in cells.items() if first in there), None)
        if where is None:
            problem = f"{whose} does not have it"
            raise Departs(kind, problem, state=cell[0], ordinals=(first,))
        values = []
        if where[0] != cell[0]:
            values.append(ValueSaid(name=_STATE, defined=cell[0], found=where[0]))
        owned = members.machine.owned
        values += _differing(dict(zip(owned, cell[1], strict=False)), _named(owned, where[1]))
        raise _other(kind, whose, tuple(values), cell[0], (first,))
    extra = ordinal_set()
    for there in cells.values():
        extra |= there
    for due in members.cells.values():
        extra -= due
    if extra:
        raise Departs(kind, f"{whose} has an item more", ordinals=(extra.min(),))


def _named(owned: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(owned, values, strict=False))


def _differing(defined: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[ValueSaid, ...]:
    return tuple(
        ValueSaid(name=name, defined=defined.get(name), found=found.get(name))
        for name in dict.fromkeys((*defined, *found))
        if name not in defined or name not in found or not _same(defined[name], found[name])
    )


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _other(
    kind: Kind,
    whose: str,
    values: tuple[ValueSaid, ...],
    state: str,
    ordinals: tuple[int, ...] = (),
) -> Departs:
    problem = f"{whose} has {_others(values)}"
    return Departs(kind, problem, state=state, ordinals=ordinals, values=values)


def _others(values: tuple[ValueSaid, ...] | list[ValueSaid]) -> str:
    return ", ".join(
        f"{one.name}={shown(one.found)} and the definition gives {shown(one.defined)}"
        for one in values
    )
