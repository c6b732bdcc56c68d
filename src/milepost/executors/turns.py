"""One turn of a run: what the state lets the items do next, as the events of one commit. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from milepost.executors.calls import Ended
from milepost.executors.retries import Decided
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.job.suspects import death_message
from milepost.lifecycles.mapreduce import ItemCrash, ItemEventName
from milepost.state.transitions import ItemEvent

__all__ = ["Turn", "in_commits", "next_turn"]


class Turn(NamedTuple):
    """The events of one commit: which outcomes they record, and which items they begin."""

    events: list[ItemEvent]
    recorded: list[Ended]
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
    decided: Decided | None = None,
) -> Turn:
    """What to commit next, of the calls that `ended` and of what the state asks for.

    Items that failed before are tried again, those that are due if it was `decided` who is, or
    given up; up to `room` others begin, those after ordinal `after` first, so that one that keeps
    failing does not hold up the rest, and none in `busy`. While there are suspects (they were
    running when an executor died) they begin one at a time, alone, so that the one that is to
    blame takes no other with it. An outcome that the item would not take any more, because somebody
    else has decided about it, is dropped.
    """
    events = _after_failure(state, decided)
    takers = {event: state.takers(event) for event in {outcome.event for outcome in ended}}
    recorded = [outcome for outcome in ended if outcome.ordinal in takers[outcome.event]]
    events.extend(_event_of(state, one) for one in recorded)
    begun = _begun(state, room, after, busy)
    events.extend(ItemEvent(ordinal, ItemEventName.START) for ordinal in begun)
    return Turn(events, recorded, begun)


def _after_failure(state: JobState, decided: Decided | None) -> list[ItemEvent]:
    """What follows for the items that failed before."""
    retriable = state.takers(ItemEventName.RETRY)
    retried, waiting = retriable, bitmap()
    if decided is not None:
        retried = decided.due
        waiting = retriable - decided.due - decided.hopeless
    events = [ItemEvent(ordinal, ItemEventName.RETRY) for ordinal in retried]
    given_up = state.takers(ItemEventName.GIVE_UP) - retried - waiting
    return events + [ItemEvent(ordinal, ItemEventName.GIVE_UP) for ordinal in given_up]


def _event_of(state: JobState, ended: Ended) -> ItemEvent:
    """The event that tells of the end: where an executor died, with what that says of the item."""
    if ended.event == ItemEventName.INTERRUPT:
        message = death_message(state, ended.ordinal)
        if message:
            crash = ItemCrash(message=message)
            return ItemEvent(ended.ordinal, crash.event, crash)
    return ItemEvent(ended.ordinal, ended.event, ended.payload)


def _begun(state: JobState, room: int, after: int, busy: Collection[int]) -> list[int]:
    if room <= 0 or state.items.members("running") & state.items.marked("suspect"):
        return []
    ready = state.takers(ItemEventName.START)
    alone = state.suspects
    if alone:
        return [] if busy else [min(alone, key=partial(_crashes, state))]
    later = ready.iter_equal_or_larger(after + 1)
    earlier = (ordinal for ordinal in ready if ordinal <= after)
    free = (ordinal for ordinal in chain(later, earlier) if ordinal not in busy)
    return list(islice(free, room))


def _crashes(state: JobState, ordinal: int) -> int:
    """How many executors died of the item: those that killed none yet are cleared first."""
    crashes: int = state.items.member(ordinal)[1]["crashes"]
    return crashes
