"""One turn of a run: what the state lets the items do next, as the events of one commit. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from pyroaring import BitMap

from milepost.executors.calls import Ended
from milepost.items import bitmap
from milepost.job import JobState
from milepost.lifecycles.mapreduce import ItemEventName
from milepost.state.transitions import ItemEvent

__all__ = ["Turn", "in_commits", "next_turn"]

_AFTER_FAILURE: Final = (ItemEventName.RETRY, ItemEventName.GIVE_UP)  # in order of preference


class Turn(NamedTuple):
    """The events of one commit, and the items that they begin."""

    events: list[ItemEvent]
    begun: list[int]


def in_commits(ended: Sequence[Ended], most_bytes: int) -> Iterator[tuple[list[Ended], bool]]:
    """`ended` in parts of `most_bytes` of results at most, and whether a part is the last.

    One that is larger by itself is a part of its own.
    """
    part: list[Ended] = []
    size_bytes = 0
    for outcome in ended:
        size_bytes += outcome.size_bytes
        if part and size_bytes > most_bytes:
            yield part, False
            part, size_bytes = [], outcome.size_bytes
        part.append(outcome)
    yield part, True


def next_turn(
    state: JobState,
    ended: Sequence[Ended],
    *,
    room: int,
    after: int,
    busy: Collection[int],
    suspects: BitMap,
) -> Turn:
    """What to commit next, of the calls that `ended` and of what the state asks for.

    Items that failed before are tried again, or given up; up to `room` others begin, those after
    ordinal `after` first, so that one that keeps failing does not hold up the rest, and none in
    `busy`. While there are `suspects` (they were running when an executor broke) they begin one
    at a time, so that the one that is to blame takes no other with it. An outcome that the item
    would not take any more, because somebody else has decided about it, is dropped.
    """
    events: list[ItemEvent] = []
    decided = bitmap()
    for event in _AFTER_FAILURE:
        chosen = state.takers(event) - decided
        events.extend(ItemEvent(ordinal, event) for ordinal in chosen)
        decided = decided | chosen
    takers = {event: state.takers(event) for event in {outcome.event for outcome in ended}}
    events.extend(
        ItemEvent(outcome.ordinal, outcome.event, outcome.payload)
        for outcome in ended
        if outcome.ordinal in takers[outcome.event]
    )
    begun = _begun(state, room, after, busy, suspects)
    events.extend(ItemEvent(ordinal, ItemEventName.START) for ordinal in begun)
    return Turn(events, begun)


def _begun(
    state: JobState, room: int, after: int, busy: Collection[int], suspects: BitMap
) -> list[int]:
    if room <= 0:
        return []
    ready = state.takers(ItemEventName.START)
    alone = ready & suspects
    if alone:
        return [] if busy else [alone[0]]
    later = ready.iter_equal_or_larger(after + 1)
    earlier = (ordinal for ordinal in ready if ordinal <= after)
    free = (ordinal for ordinal in chain(later, earlier) if ordinal not in busy)
    return list(islice(free, room))
