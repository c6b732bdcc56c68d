"""The audit history: what happened to a job, event by event, read back from its log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from milepost.clock import instant
from milepost.errors import LifecycleChanged
from milepost.items.inputs import KeySet
from milepost.items.ledger import bitmap
from milepost.items.ledgers import ledger_named
from milepost.job.fold import apply, trace
from milepost.job.state import JobState
from milepost.log.facts import Fact, Imported, ItemsFired, JobFired, Migrated
from milepost.log.rows import Row
from milepost.state.reading.events import Kind, StateEvent, told, told_bodies, touched
from milepost.state.reading.loading import JobLog
from milepost.state.reading.meaning import fails_by, why_of
from milepost.state.reading.outline import outline
from milepost.state.reading.outlined import outlined
from milepost.state.reading.values import payloads_of

__all__ = ["Kind", "StateEvent", "history", "since_newest"]


def since_newest(log: JobLog, after: int, upto: int | None, newest: int) -> int:
    """The commit after which the last commits up to `upto` begin that hold `newest` events.

    It is `after` where there are no more. Cost: the rows of as many commits at most, and the heads
    of those after it.
    """
    tip = log.reader.newest(log.number)
    last = tip[0] if tip else 0
    if upto is not None:
        last = min(upto, last)
    for row in reversed(list(log.rows(max(after, last - newest), last))):
        newest -= len(log.facts(row))
        if newest <= 0:
            return max(row.seq - 1, after)
    return after


def history(log: JobLog, after: int, upto: int | None) -> Iterator[StateEvent]:
    """The events of the commits with `after < seq <= upto`, oldest first, streamed.

    Where the tables of a version are not at hand, its commits are told of by the log alone: which
    events there were, without the transitions that they took. Cost: the log is folded from the
    nearest state before them that is stored. Raises LogCorrupt, after everything before it was
    given.
    """
    reached, version = after, 0
    try:
        state = log.logged_at(after) if after else log.origin()
        if state.seq > after:  # the tables of the first version have gone
            last = state.seq if upto is None else min(state.seq, upto)
            yield from outlined(log, after, last)
            reached = state.seq
            version = outline(log, state.seq).lifecycle.version
        for event in _folded(log, state, version or state.lifecycle.version, upto):
            yield event
            reached = event.seq
    except LifecycleChanged:
        yield from outlined(log, reached, upto)


def _folded(
    log: JobLog,
    state: JobState,
    version: int,
    upto: int | None,
) -> Iterator[StateEvent]:
    """The events after `state`, by the tables of each version; `version` is that before them."""
    for row, folded in log.replay(state, upto):
        bodies = told_bodies(log, row, partial(_fails, state))
        commit = log.commit(row, state.digest)
        state = replace(state, seq=row.seq, updated_at_us=row.at_us)
        for index, fact in enumerate(commit.facts):
            body = bodies[index] if index < len(bodies) else None
            yield _event(state, fact, row, body, version)
            if isinstance(fact, Migrated):
                version = fact.version
            state = apply(state, fact)
        state = folded
    log.check_end(state, upto)


def _fails(state: JobState, fact: Fact) -> bool:
    """True if items failed by that fact; of several collections, in the words of any."""
    return isinstance(fact, ItemsFired) and any(
        fails_by(ledger.machine.roles, fact.event) for ledger in state.ledgers.values()
    )


def _messages(state: JobState, fact: ItemsFired, body: Any) -> dict[str, str]:
    """What was said of the items that failed by that fact, by key."""
    roles = state.ledger_of(fact.ordinals[0]).machine.roles
    if not fails_by(roles, fact.event):
        return {}
    told_of = {
        state.inputs.key(ordinal): why_of(roles, fact.event, {**readable, **opaque}).message
        for ordinal, readable, opaque in payloads_of(fact, body)
    }
    return {key: message for key, message in told_of.items() if message}


def _event(state: JobState, fact: Fact, row: Row, body: Any, version: int) -> StateEvent:
    kind: Kind
    transitions: dict[str, int] = {}
    messages: dict[str, str] = {}
    hit = bitmap()
    if isinstance(fact, JobFired | ItemsFired):
        event = fact.event
        taken = trace(state, fact)
        kind = "job" if taken.step else "items"
        payload: dict[str, Any] = {}
        if isinstance(fact, JobFired):
            payload = {**fact.payload, **(body or {})}
            if state.roles.result is not None:
                payload.pop(state.roles.result.field, None)
        elif isinstance(body, dict):  # nobody here can decode it
            payload = body
        else:
            messages = _messages(state, fact, body)
        if taken.step:
            transitions[f"{state.machine.name}:{taken.step.transition}"] = 1
        for collection, _, moves in taken.moves:
            machine = ledger_named(state.items, collection).machine
            for move in moves:
                name = f"{machine.name}:{move.transition}"
                transitions[name] = transitions.get(name, 0) + len(move.members)
                hit = hit | move.members
    else:
        kind, payload = told(fact, version)
        event = kind
        if isinstance(fact, Imported) and body:
            payload["report"] = body
        hit = touched(fact)
    after = apply(state, fact)
    return StateEvent(
        seq=row.seq,
        at=instant(row.at_us),
        fence=after.fence,
        kind=kind,
        event=event,
        source=state.phase,
        target=after.phase,
        owner=after.owner,
        count=len(hit),
        items=KeySet(hit, after.inputs if kind == "added" else state.inputs),
        transitions=transitions,
        payload=payload,
        messages=messages,
    )
