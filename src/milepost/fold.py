"""The fold: facts → JobState. Pure; the same `apply` decides a live write and replays the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyroaring import BitMap

from milepost.facts import (
    CheckpointTaken,
    Commit,
    Fact,
    Forked,
    Imported,
    ItemsFired,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    Migrated,
    Rewound,
    WriteRejected,
)
from milepost.items import MemberRefusedError, Move
from milepost.job import JobState, changed, own_context, restore
from milepost.machine import Step, TransitionRefused, Values, frozen

__all__ = ["Trace", "advance", "apply", "trace"]


class Trace(NamedTuple):
    """What one fired fact did: the job's own step, if it took one, and what its items did."""

    step: Step | None
    moves: tuple[tuple[str, list[Move]], ...]


def advance(state: JobState, commit: Commit) -> JobState:
    """The state after `commit`. Raises as `apply` does, and ValueError if it does not follow."""
    if commit.seq != state.seq + 1:
        raise ValueError(f"it follows {state.seq} in the log")  # INV-GAPLESS
    at_us = commit.at_us
    after = changed(state, seq=commit.seq, updated_at_us=at_us, digest=commit.digest)
    if state.seq == 0:
        after = changed(after, created_at_us=at_us)
    for fact in commit.facts:
        after = apply(after, fact)
    if after.fence != commit.fence:
        raise ValueError(f"its fence is {commit.fence} and {after.fence} was due")  # INV-FENCE
    return after


def apply(state: JobState, fact: Fact) -> JobState:
    """The state after one fact of the commit `state.seq`.

    Raises TransitionRefused where the fact is not legal, KeyError for an item that the job does
    not have, ValueError where the fact does not fit the log.
    """
    match fact:
        case ItemsFired() | JobFired():
            return _fired(state, fact)
        case LeaseTaken():
            if fact.fence != state.fence + 1:
                raise ValueError(f"fence {fact.fence} follows {state.fence}")  # INV-FENCE
            orphaned = state.orphaned or state.owner is not None
            return changed(state, owner=fact.owner, fence=fact.fence, orphaned=orphaned)
        case LeaseReleased():
            return changed(state, owner=None)
        case CheckpointTaken():
            return changed(state, checkpoint_fact=fact, checkpoint_at_us=state.updated_at_us)
        case Rewound():
            return _rewound(state, fact)
        case Migrated():
            return _migrated(state, fact)
        case Forked():
            return _forked(state, fact)
        case WriteRejected():
            return changed(state, rejected_count=state.rejected_count + 1)
        case JobCreated():
            if state.seq > 1:
                raise ValueError("the job exists already")
            return state
        case Imported():
            return state


def trace(state: JobState, fact: JobFired | ItemsFired) -> Trace:
    """What a fired fact does to the job and its items. Raises as `apply` does."""
    if isinstance(fact, ItemsFired):
        if fact.event not in state.accepted:
            raise TransitionRefused(
                machine=state.items.machine.name,
                state=state.phase,
                event=fact.event,
                allowed=state.accepted,
                reason="the job's phase accepts no such event of its items",
                subject=f"items of job {state.id}",
            )
        moves = _moves(state, fact.event, fact.ordinals, fact.payloads)
        return Trace(step=None, moves=((fact.event, moves),))
    try:
        step = state.machine.step(state.phase, fact.event, state.guarded, fact.payload)
    except TransitionRefused as refusal:
        refusal.subject = f"job {state.id}"
        raise
    members = [(m.event, state.items.members(m.state)) for m in step.members]
    return Trace(
        step=step,
        moves=tuple((event, _moves(state, event, hit, None)) for event, hit in members if hit),
    )


def _fired(state: JobState, fact: JobFired | ItemsFired) -> JobState:
    taken = trace(state, fact)
    items = state.items.after(move for _, moves in taken.moves for move in moves)
    if taken.step is None or isinstance(fact, ItemsFired):
        return changed(state, items=items)
    variables = state.variables
    if fact.payload.get("variables"):
        variables = frozen({**variables, **fact.payload["variables"]})
    return changed(
        state,
        phase=taken.step.state,
        context=own_context(taken.step.context),
        items=items,
        variables=variables,
        orphaned=state.orphaned and fact.event != "recover",
    )


def _moves(
    state: JobState,
    event: str,
    ordinals: Sequence[int] | BitMap,
    payloads: Sequence[Values] | None,
) -> list[Move]:
    try:
        return state.items.moves(event, ordinals, payloads)
    except MemberRefusedError as refused:
        refusal = refused.refusal
        refusal.subject = f"job {state.id}, item {state.inputs.key(refused.ordinal)!r}"
        raise refusal from None


def _forked(state: JobState, fact: Forked) -> JobState:
    """What the log says was another job's; its holder and its checkpoints stay with that one."""
    if fact.from_seq != state.seq - 1:
        raise ValueError(f"what is before it was forked at seq {fact.from_seq}")
    return changed(
        state,
        owner=None,
        orphaned=state.orphaned or state.owner is not None,
        checkpoint_fact=None,
        checkpoint_at_us=0,
        created_at_us=state.updated_at_us,
    )


def _rewound(state: JobState, fact: Rewound) -> JobState:
    then = restore(fact.snapshot, state.tables, state.inputs)
    if then.id != state.id or then.seq != fact.to_seq or not 0 < fact.to_seq < state.seq:
        raise ValueError(f"the snapshot in it is not of seq {fact.to_seq} of this job")
    if then.lifecycle is not state.lifecycle:
        raise ValueError("the snapshot in it is of another version of the lifecycle")
    return changed(
        state,
        phase=then.phase,
        context=then.context,
        variables=then.variables,
        items=then.items,
        rewinds=(*state.rewinds, (state.seq, fact.to_seq)),
    )


def _migrated(state: JobState, fact: Migrated) -> JobState:
    then = restore(fact.snapshot, state.tables, state.inputs)
    if then.id != state.id or then.seq != state.seq - 1:
        raise ValueError(f"the snapshot in it is not of seq {state.seq - 1} of this job")
    if then.lifecycle.digest != fact.digest:
        raise ValueError("the snapshot in it is of another version than it says")
    return changed(
        state,
        lifecycle=then.lifecycle,
        phase=then.phase,
        context=then.context,
        items=then.items,
        as_logged=None,
    )
