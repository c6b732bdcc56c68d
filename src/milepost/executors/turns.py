"""One turn of a run: what the state lets the items do next, as the events of one commit. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from pyroaring import BitMap

from milepost.executors.calls import Ended
from milepost.executors.retries import Decided
from milepost.items import bitmap
from milepost.job import JobState
from milepost.lifecycles.mapreduce import Cause, ItemEventName, ItemFail
from milepost.state.transitions import ItemEvent

__all__ = ["Turn", "in_commits", "next_turn"]

_NOT_MADE: Final = "not tried again: given up at once for its cause"
_COMMIT_BYTES: Final = 32 * 1024 * 1024  # half of what one commit may hold


class Turn(NamedTuple):
    """The events of one commit: which outcomes they record, and which items they begin."""

    events: list[ItemEvent]
    recorded: list[Ended]
    begun: list[int]


def in_commits(ended: Sequence[Ended]) -> Iterator[tuple[list[Ended], bool]]:
    """`ended` in parts that fit into a commit each, and whether a part is the last."""
    part: list[Ended] = []
    size_bytes = 0
    for outcome in ended:
        size_bytes += outcome.size_bytes
        if part and size_bytes > _COMMIT_BYTES:
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
    decided: Decided | None = None,
) -> Turn:
    """What to commit next, of the calls that `ended` and of what the state asks for.

    Items that failed before are tried again, those that are due if it was `decided` who is, or
    given up; up to `room` others begin, those after
    ordinal `after` first, so that one that keeps failing does not hold up the rest, and none in
    `busy`. While there are `suspects` (they were running when an executor broke) they begin one
    at a time, so that the one that is to blame takes no other with it. An outcome that the item
    would not take any more, because somebody else has decided about it, is dropped.
    """
    events = _after_failure(state, decided)
    takers = {event: state.takers(event) for event in {outcome.event for outcome in ended}}
    recorded = [outcome for outcome in ended if outcome.ordinal in takers[outcome.event]]
    events.extend(ItemEvent(one.ordinal, one.event, one.payload) for one in recorded)
    begun = _begun(state, room, after, busy, suspects)
    events.extend(ItemEvent(ordinal, ItemEventName.START) for ordinal in begun)
    return Turn(events, recorded, begun)


def _after_failure(state: JobState, decided: Decided | None) -> list[ItemEvent]:
    """What follows for the items that failed before."""
    retriable = state.takers(ItemEventName.RETRY)
    named = {} if decided is None else decided.hopeless
    hopeless = {ordinal: cause for ordinal, cause in named.items() if ordinal in retriable}
    retried = retriable if decided is None else decided.due
    events = [ItemEvent(ordinal, ItemEventName.RETRY) for ordinal in retried]
    events += _used_up(state, hopeless)
    given_up = (state.takers(ItemEventName.GIVE_UP) - retriable) | bitmap(hopeless)
    return events + [ItemEvent(ordinal, ItemEventName.GIVE_UP) for ordinal in given_up]


def _used_up(state: JobState, hopeless: Mapping[int, str]) -> list[ItemEvent]:
    """The events that use up the attempts of items that are not to be tried again.

    The lifecycle gives up what has no attempt left. So those that are left are recorded as not
    made, each with the cause of the failure before: the item then counts among the dead.
    """
    events: list[ItemEvent] = []
    left = {o: _attempts_left(state, o) for o in hopeless}
    for made in range(max(left.values(), default=0)):
        members = [ordinal for ordinal in hopeless if left[ordinal] > made]
        for event in (ItemEventName.RETRY, ItemEventName.START):
            events += [ItemEvent(ordinal, event) for ordinal in members]
        for ordinal in members:
            fail = ItemFail(cause=Cause(hopeless[ordinal]), message=_NOT_MADE)
            events.append(ItemEvent(ordinal, fail.event, fail))
    return events


def _attempts_left(state: JobState, ordinal: int) -> int:
    context = state.items.member(ordinal)[1]
    return int(context["max_attempts"] - context["attempts"])


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
