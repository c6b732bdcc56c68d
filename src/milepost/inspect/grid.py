"""All items of a job at one look: cells of neighbours, in each of which the worst state wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from msgspec import Struct
from pyroaring import BitMap

from milepost.drawings.looks import Meaning
from milepost.inspect.states import StateName
from milepost.job.state import JobState
from milepost.state.manager import StateManager

__all__ = ["MOST_CELLS", "GridCell", "GridState", "GridView", "grid"]

MOST_CELLS: Final = 2_500
"""The most cells that a grid has, however many items the job has."""

_WORST_FIRST: Final = (
    Meaning.DEAD,
    Meaning.FAILED,
    Meaning.CANCELLED,
    Meaning.NONE,
    Meaning.WORKING,
    Meaning.CLOSING,
    Meaning.WAITING,
    Meaning.RESTING,
    Meaning.SKIPPED,
    Meaning.DONE,
)


class GridState(Struct, frozen=True, kw_only=True):
    """A state of items, and how many of them are in it."""

    state: StateName
    count: int


class GridCell(Struct, frozen=True, kw_only=True):
    """The items of the ordinals `first` to `last`: the worst state among them, and all counts."""

    first: int
    last: int
    worst: StateName
    counts: Mapping[str, int]


class GridView(Struct, frozen=True, kw_only=True):
    """The items of a job as of commit `seq`, in cells of `size` items; the last may have fewer.

    `states` are those that any item is in, the worst first.
    """

    SCHEMA: ClassVar[str] = "milepost.grid/1"

    job: str
    seq: int
    total: int
    size: int
    states: tuple[GridState, ...]
    cells: tuple[GridCell, ...]


def grid(manager: StateManager, job_id: str, *, cells: int = MOST_CELLS) -> GridView:
    """The items of a job in at most so many `cells`, in the order of their ordinals.

    Cost: the newest state, and one count for each cell and state. Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    members = _members(state)
    total = state.items.count
    size = max(1, -(-total // cells))
    return GridView(
        job=state.id,
        seq=state.seq,
        total=total,
        size=size,
        states=tuple(GridState(state=name, count=len(hit)) for name, hit in members.items()),
        cells=tuple(_cells(members, total, size)),
    )


def _members(state: JobState) -> dict[StateName, BitMap]:
    """The items by state, of all collections, the worst state first; none that nobody is in."""
    found: dict[StateName, BitMap] = {}
    for ledger in state.ledgers.values():
        for each in ledger.machine.states:
            hit = ledger.members(each)
            if hit:
                name = StateName.of(ledger.machine, each)
                found[name] = found[name] | hit if name in found else hit
    return dict(sorted(found.items(), key=lambda pair: _WORST_FIRST.index(pair[0].meaning)))


def _cells(members: Mapping[StateName, BitMap], total: int, size: int) -> Iterator[GridCell]:
    for first in range(0, total, size):
        end = min(first + size, total)
        counts = {name: hit.range_cardinality(first, end) for name, hit in members.items()}
        there = {name: count for name, count in counts.items() if count}
        if there:
            yield GridCell(
                first=first,
                last=end - 1,
                worst=next(iter(there)),
                counts={str(name): count for name, count in there.items()},
            )
