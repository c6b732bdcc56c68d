"""Items that were done again: which of them, and how often, by the counters of their states."""

from __future__ import annotations

from pyroaring import BitMap

from milepost.items.ledger import Ledger, bitmap
from milepost.items.ledgers import united
from milepost.job.state import JobState

__all__ = ["done_otherwise", "redone"]


def redone(state: JobState) -> BitMap:
    """The ordinals of the items that may have had another result before. O(cells).

    Of a collection whose lifecycle does not count how often, all may.
    """
    found: list[BitMap] = []
    for ledger in state.ledgers.values():
        redo = ledger.machine.roles.redo
        if redo is not None:
            found.append(ledger.marked(redo.counts) if redo.counts else ledger.universe)
    return united(found)


def done_otherwise(state: JobState, later: JobState) -> BitMap:
    """The ordinals of the items that are done in both states, and were done again between them.

    Without a counter in their lifecycle that cannot be told, and none are. O(cells).
    """
    found: list[BitMap] = []
    before = state.ledgers
    for name, ledger in later.ledgers.items():
        if name not in before:
            continue
        then = _by_count(before[name])
        for count, members in _by_count(ledger).items():
            found += [members & others for other, others in then.items() if other != count]
    return united(found)


def _by_count(ledger: Ledger) -> dict[int, BitMap]:
    """The members that are done, by how often they were done again."""
    roles = ledger.machine.roles
    if roles.redo is None or not roles.redo.counts:
        return {}
    place = ledger.machine.owned.index(roles.redo.counts)
    found: dict[int, BitMap] = {}
    for (name, values), members in ledger.cells.items():
        if name in roles.done:
            found[values[place]] = found.get(values[place], bitmap()) | members
    return found
