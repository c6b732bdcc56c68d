"""One turn of a run: what the state lets items do next, as the events of one commit. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from pyroaring import BitMap

from milepost.executors.endings import Ended
from milepost.executors.retries import Decided
from milepost.executors.vocabulary import ItemWords, Left, PhaseWords, Vocabulary
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.job.suspects import death_message
from milepost.machine import PayloadInvalid, TransitionRefused
from milepost.state.transitions import ItemEvent
from milepost.worker.outcomes import Deferred, NotGiven
from milepost.worker.signals import NOTHING

__all__ = ["Turn", "by_words", "cannot_end", "in_commits", "next_turn"]


class Turn(NamedTuple):
    """The events of one commit: which outcomes they record, and which items they begin."""

    events: list[ItemEvent]
    recorded: list[Ended]
    begun: list[int]


def in_commits(ended: Sequence[Ended], most_bytes: int) -> Iterator[list[Ended]]:
    """`ended` in parts of `most_bytes` of results at most; one empty part where nothing has.

    One that is larger by itself is a part of its own.
    """
    part: list[Ended] = []
    size_bytes = 0
    for outcome in ended:
        size_bytes += outcome.size_bytes
        if part and size_bytes > most_bytes:
            yield part
            part, size_bytes = [], outcome.size_bytes
        part.append(outcome)
    yield part


def by_words(
    state: JobState, words: Vocabulary, ordinals: Sequence[int]
) -> Sequence[tuple[ItemWords, Sequence[int]]]:
    """The items by the words of their collections, those of one in their order."""
    if len(words.items) == 1:
        return [(words.items[0], ordinals)] if ordinals else []
    found: dict[str, list[int]] = {}
    for ordinal in ordinals:
        found.setdefault(words.of(state, ordinal).collection, []).append(ordinal)
    return [(each, found[each.collection]) for each in words.items if each.collection in found]


def next_turn(
    state: JobState,
    words: Vocabulary,
    ended: Sequence[Ended],
    *,
    room: int,
    after: int,
    busy: Collection[int],
    decided: Decided | None = None,
    deferred: BitMap | None = None,
    for_good: BitMap | None = None,
    now_us: int = 0,
) -> Turn:
    """What to commit next, of the calls that `ended` and of what the state asks for.

    Items that failed before are tried again, those that are due if it was `decided` who is, or
    given up; where there is no room beside those in `busy`, another attempt is no commit of its
    own. Up to `room` others begin, those after ordinal `after` first, so that one that keeps
    failing does not hold up the rest, and none in `busy`. While there are suspects (they were
    running when an executor died) they begin one at a time, alone, so that the one that is to
    blame takes no other with it. An outcome that the item would not take any more, because somebody
    else has decided about it, is dropped. None of those `deferred` begins yet; those that failed
    `for_good` are not tried again, and one that does so now is given up in the same commit, where
    the phase lets it.
    """
    events: list[ItemEvent] = []
    retry = room > 0 or bool(ended) or not busy
    for each in words.items:
        events.extend(_after_failure(state, each, decided, for_good, retry=retry))
    recorded: list[Ended] = []
    takers: dict[tuple[str, str], BitMap] = {}
    alone = words.items[0] if len(words.items) == 1 else None
    for one in ended:
        of_item = alone or words.of(state, one.ordinal)
        if of_item.typed:
            one = one._replace(outcome=of_item.fitting(one.outcome))  # noqa: PLW2901 the same end
        outcome = one.outcome
        if outcome is Left.LOST:
            event = _death_of(state, of_item, one, now_us)
        else:
            told = of_item.event_of(outcome, now_us, one.why)
            event = tuple.__new__(ItemEvent, (one.ordinal, *told))  # of every item, as below
        asked = of_item.collection, event.event
        if asked not in takers:
            takers[asked] = of_item.takers(state, event.event)
        if one.ordinal not in takers[asked]:
            continue
        if isinstance(outcome, Deferred) and outcome.note is not NOTHING:
            events.extend(_noted(state, of_item, one.ordinal, outcome.note))
        events.append(event)
        recorded.append(one)
        for_ever = isinstance(outcome, NotGiven) and outcome.permanent
        if for_ever and _is_given_up(state, of_item, one.ordinal, event):
            events.append(ItemEvent(one.ordinal, of_item.give_up))
    begun = _begun(state, words, room, after, busy, deferred)
    for of_items, ordinals in by_words(state, words, begun):
        begin = of_items.begin
        events += [tuple.__new__(ItemEvent, (ordinal, begin, None)) for ordinal in ordinals]
    return Turn(events, recorded, begun)


def cannot_end(state: JobState, phase: PhaseWords, words: Vocabulary, stranded: BitMap) -> str:
    """Why nothing is left to do in a phase whose ending event is refused.

    `stranded` are the items that somebody held who is gone, and that cannot be handed back.
    """
    waiting = {
        each.collection: len(each.movers(state, each.begin))
        for each in words.items
        if each.call is None
    }
    why = [
        f"{count} of {name} wait, and no function was given for them"
        for name, count in waiting.items()
        if count
    ]
    if stranded:
        why.append(f"{len(stranded)} items are in nobody's hands, and cannot be handed back")
    why.append(str(state.machine.refusal(phase.state, phase.ends_by, state.guarded, {})))
    return "; ".join(why)


def _noted(state: JobState, words: ItemWords, ordinal: int, note: object) -> Iterator[ItemEvent]:
    """The note that an attempt leaves as it is put off, where the lifecycle takes notes."""
    if words.note is not None and ordinal in words.takers(state, words.note.event):
        yield ItemEvent(ordinal, words.note.event, {words.note.note: note})


def _is_given_up(state: JobState, words: ItemWords, ordinal: int, failed: ItemEvent) -> bool:
    """True if the item could be given up in the phase as it is, once it has failed so."""
    give_up, machine = words.give_up, words.machine
    if not give_up or give_up not in words.accepts.get(state.phase, ()):
        return False
    place, context = state.ledgers[words.collection].member(ordinal)
    try:
        payload = machine.payload(failed.event, failed.payload)
        step = machine.follow(place, failed.event, context, payload)
        machine.select(step.state, give_up, step.context, {})
    except (TransitionRefused, PayloadInvalid):
        return False
    return True


def _after_failure(
    state: JobState,
    words: ItemWords,
    decided: Decided | None,
    for_good: BitMap | None,
    *,
    retry: bool,
) -> list[ItemEvent]:
    """What follows for the items that failed before; the next attempt only where `retry` is so."""
    retriable = words.movers(state, words.retry)
    if for_good and words.give_up:
        retriable -= for_good
    retried, waiting = retriable, bitmap()
    if decided is not None:
        retried = decided.due & retriable
        waiting = retriable - decided.due - decided.hopeless
    events = [ItemEvent(ordinal, words.retry) for ordinal in retried] if retry else []
    given_up = words.movers(state, words.give_up) - retried - waiting
    return events + [ItemEvent(ordinal, words.give_up) for ordinal in given_up]


def _death_of(state: JobState, words: ItemWords, ended: Ended, now_us: int) -> ItemEvent:
    """The event that tells of an executor's death, with what that says of the item."""
    if words.crash is not None:
        message = death_message(state, ended.ordinal, ended.why)
        event, field = words.crash
        if message and ended.ordinal in words.takers(state, event):
            return ItemEvent(ended.ordinal, event, {field: message} if field else None)
    return ItemEvent(ended.ordinal, *words.event_of(ended.outcome, now_us, ended.why))


def _begun(
    state: JobState,
    words: Vocabulary,
    room: int,
    after: int,
    busy: Collection[int],
    deferred: BitMap | None,
) -> list[int]:
    if room <= 0 or any(_holds_suspect(state, each) for each in words.items):
        return []
    ready = words.ready(state)
    if deferred:
        ready = ready - deferred
    alone = state.suspects & ready
    if alone:
        return [] if busy else [min(alone, key=partial(_crashes, state, words))]
    later = ready.iter_equal_or_larger(after + 1)
    earlier = (ordinal for ordinal in ready if ordinal <= after)
    free = (ordinal for ordinal in chain(later, earlier) if ordinal not in busy)
    return list(islice(free, room))


def _holds_suspect(state: JobState, words: ItemWords) -> bool:
    """True if an item that an executor may have died of is in somebody's hands."""
    if not words.suspect:
        return False
    ledger = state.ledgers[words.collection]
    return bool(ledger.members(*words.held) & ledger.marked(words.suspect))


def _crashes(state: JobState, words: Vocabulary, ordinal: int) -> int:
    """How many executors died of the item: those that killed none yet are cleared first."""
    of_item = words.of(state, ordinal)
    crashes: int = state.ledgers[of_item.collection].member(ordinal)[1].get(of_item.crashes, 0)
    return crashes
