"""Which arrows of a crowded picture become lines in the boxes that they leave."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Ends", "folded"]

Ends: TypeAlias = tuple[str, str]

_CROWDED: Final = 20  # a picture with fewer arrows is drawn in full
_BUSY: Final = 3  # arrows that a state may get before it counts as a hub
_ARROWS_PER_STATE: Final = 1.5  # what is left over of a crowded picture


def folded(
    arrows: Mapping[Ends, int], initial: str, groups: Mapping[str, Sequence[str]]
) -> set[Ends]:
    """The arrows that a picture is easier to read without.

    `arrows` are given by their ends, each with its length. Every state keeps the arrow by which
    it is reached first from `initial`, and those from and to `groups` stay. Of the rest, what
    leads to hubs goes first, then what leads furthest, forward or back, and the last in the
    definition first, until few enough are left. O(arrows x log arrows).
    """
    if len(arrows) < _CROWDED:
        return set()
    distance, first = _search(arrows, initial, groups)
    plain = [ends for ends in arrows if not groups.keys() & {*ends}]
    into = Counter(target for _, target in plain)
    loose = [ends for ends in plain if ends not in first]
    gone = {ends for ends in loose if into[ends[1]] > _BUSY}
    states = len({end for ends in plain for end in ends})
    excess = len(arrows) - len(gone) - int(_ARROWS_PER_STATE * states)
    rest = [ends for ends in reversed(loose) if ends not in gone]
    rest.sort(key=lambda ends: -abs(distance.get(ends[1], 0) - distance.get(ends[0], 0)))
    return gone | set(rest[: max(0, excess)])


def _search(
    arrows: Mapping[Ends, int], initial: str, groups: Mapping[str, Sequence[str]]
) -> tuple[dict[str, int], set[Ends]]:
    """The states' distances from `initial`, and the arrows by which they are reached first.

    Of ways that are equally long, the one that comes first in the definition counts.
    """
    leaving: dict[str, list[tuple[int, Ends]]] = {}
    for order, ends in enumerate(arrows):
        for state in groups.get(ends[0], (ends[0],)):
            leaving.setdefault(state, []).append((order, ends))
    distance, first = dict[str, int](), set[Ends]()
    pending: list[tuple[int, int, str, Ends]] = [(0, -1, initial, (initial, initial))]
    while pending:
        so_far, _, state, by = heapq.heappop(pending)
        if state in distance:
            continue
        distance[state] = so_far
        first.add(by)
        for order, ends in leaving.get(state, ()):
            for target in groups.get(ends[1], (ends[1],)):
                if target not in distance:
                    heapq.heappush(pending, (so_far + arrows[ends], order, target, ends))
    return distance, first
