"""The fold: facts → JobState. Pure; the same `apply` decides a live write and replays the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyroaring import BitMap

from milepost.errors import ItemsRefused
from milepost.items.blocks import grown_fingerprint
from milepost.items.ledger import MemberRefusedError, Move
from milepost.job.state import JobState, changed, own_context, restore
from milepost.log.facts import (
    CheckpointTaken,
    Commit,
    Fact,
    Forked,
    Imported,
    ItemsAdded,
    ItemsFired,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    Migrated,
    Repaired,
    Rewound,
    WriteRejected,
)
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

    Raises TransitionRefused or ItemsRefused where the fact is not legal, KeyError for an item that
    the job does not have, ValueError where the fact does not fit the log.
    """
    match fact:
        case ItemsFired():
            return changed(state, items=state.items.after(_item_moves(state, fact)))
        case JobFired():
            return _fired(state, fact)
        case LeaseTaken():
            return _taken(state, fact)
        case LeaseReleased():
            return changed(state, owner=None)
        case CheckpointTaken():
            return changed(state, checkpoint_fact=fact, checkpoint_at_us=state.updated_at_us)
        case Rewound():
            return _rewound(state, fact)
        case ItemsAdded():
            return _grown(state, fact)
        case Migrated():
            return _migrated(state, fact)
        case Forked():
            return _forked(state, fact)
        case WriteRejected():
            return changed(state, rejected_count=state.rejected_count + 1)
        case Repaired():
            return _repaired(state, fact)
        case JobCreated() | Imported():
            return _created(state)


def _created(state: JobState) -> JobState:
    if state.seq > 1:
        raise ValueError("it belongs to the first commit, and the job exists already")
    return state


def _taken(state: JobState, fact: LeaseTaken) -> JobState:
    if fact.fence != state.fence + 1:
        raise ValueError(f"fence {fact.fence} follows {state.fence}")  # INV-FENCE
    orphaned = state.orphaned or state.owner is not None
    unharmed = fact.unharmed and (state.unharmed or not state.orphaned)
    return changed(state, owner=fact.owner, fence=fact.fence, orphaned=orphaned, unharmed=unharmed)


def _repaired(state: JobState, fact: Repaired) -> JobState:
    if fact.fence < state.fence:
        raise ValueError(f"fence {fact.fence} follows {state.fence}")  # INV-FENCE
    if fact.fence == state.fence:
        return state
    orphaned = state.orphaned or state.owner is not None
    unharmed = state.unharmed or not state.orphaned
    return changed(state, owner=None, fence=fact.fence, orphaned=orphaned, unharmed=unharmed)


def trace(state: JobState, fact: JobFired | ItemsFired) -> Trace:
    """What a fired fact does to the job and its items. Raises as `apply` does."""
    if isinstance(fact, ItemsFired):
        return Trace(step=None, moves=((fact.event, _item_moves(state, fact)),))
    step, moves = _job_step(state, fact)
    return Trace(step=step, moves=moves)


def _item_moves(state: JobState, fact: ItemsFired) -> list[Move]:
    if fact.event not in state.accepted:
        raise TransitionRefused(
            machine=state.items.machine.name,
            state=state.phase,
            event=fact.event,
            allowed=state.accepted,
            reason="the job's phase accepts no such event of its items",
            subject=f"items of job {state.id}",
        )
    return _moves(state, fact.event, fact.ordinals, fact.payloads)


def _job_step(state: JobState, fact: JobFired) -> tuple[Step, tuple[tuple[str, list[Move]], ...]]:
    try:
        step = state.machine.step(state.phase, fact.event, state.guarded, fact.payload)
    except TransitionRefused as refusal:
        refusal.subject = f"job {state.id}"
        raise
    members = [(m.event, state.items.members(m.state)) for m in step.members]
    return step, tuple((event, _moves(state, event, hit, None)) for event, hit in members if hit)


def _fired(state: JobState, fact: JobFired) -> JobState:
    step, taken = _job_step(state, fact)
    items = state.items.after(move for _, moves in taken for move in moves)
    variables = state.variables
    if fact.payload.get("variables"):
        variables = frozen({**variables, **fact.payload["variables"]})
    return changed(
        state,
        phase=step.state,
        context=own_context(step.context),
        items=items,
        variables=variables,
        orphaned=state.orphaned and fact.event != "recover",
        unharmed=state.unharmed and fact.event != "recover",
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
        unharmed=state.unharmed or not state.orphaned,
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
        inputs=then.inputs,
        spans=then.spans,
        fingerprint=then.fingerprint,
        rewinds=(*state.rewinds, (state.seq, fact.to_seq)),
    )


def _migrated(state: JobState, fact: Migrated) -> JobState:
    noted = fact.lifecycle, fact.version
    then = restore(fact.snapshot, state.tables, state.inputs, noted)
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


def _grown(state: JobState, fact: ItemsAdded) -> JobState:
    if not state.takes_items:
        raise ItemsRefused(job_id=state.id, phase=state.phase, phases=state.growing_phases)
    listed = sum(count for _, count in fact.runs)
    if fact.first != state.items.count or not 0 < fact.count == listed:
        raise ValueError(f"{fact.count} items from {fact.first} on follow {state.items.count}")
    inputs = state.inputs.grown(fact.runs)
    return changed(
        state,
        items=state.items.grown(fact.count),
        inputs=inputs,
        spans=inputs.spans,
        fingerprint=grown_fingerprint(state.fingerprint, fact.fingerprint),
    )
