"""The fold: facts → JobState. Pure; the same `apply` decides a live write and replays the log.

Invariants are looked at by whoever decides (`job.invariants`): a log is replayed whatever it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pyroaring import BitMap

from milepost.items.blocks import grown_fingerprint
from milepost.items.ledger import Ledger, MemberRefusedError, Move, bitmap
from milepost.items.ledgers import Items, Ledgers, after, grown, ledger_named
from milepost.job.restoring import restore
from milepost.job.state import JobState, changed, own_context
from milepost.log.facts import (
    CheckpointTaken,
    Commit,
    Fact,
    FolderNamed,
    Forked,
    Imported,
    ItemsAdded,
    ItemsFired,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    MembersAdded,
    Migrated,
    Repaired,
    Rewound,
    WriteRejected,
)
from milepost.machine import Machine, Step, TransitionRefused, frozen

__all__ = ["Moves", "Trace", "advance", "apply", "takes", "trace"]


class Moves(NamedTuple):
    """The moves of members of one collection on one event."""

    collection: str
    event: str
    moves: list[Move]


class Trace(NamedTuple):
    """The effect of one fired fact: the job's own step, if it took one, and its items' moves."""

    step: Step | None
    moves: tuple[Moves, ...]


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

    Raises TransitionRefused where the fact is not legal, KeyError for an item that the job does not
    have, ValueError where the fact does not fit the log. When items may be added is for whoever
    adds them to look at: a definition that says it otherwise since is still the same lifecycle, and
    what is recorded stays legal.
    """
    match fact:
        case ItemsFired():
            return _items_fired(state, fact)
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
        case ItemsAdded() | MembersAdded():
            return _grown(state, fact)
        case Migrated():
            return _migrated(state, fact)
        case Forked():
            return _forked(state, fact)
        case WriteRejected():
            return changed(state, rejected_count=state.rejected_count + 1)
        case Repaired():
            return _repaired(state, fact)
        case JobCreated() | Imported() | FolderNamed():
            return _as_it_is(state, fact)


def _as_it_is(state: JobState, fact: JobCreated | Imported | FolderNamed) -> JobState:
    if state.seq > 1 and not isinstance(fact, FolderNamed):
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
    """The effect of a fired fact on the job and its items. Raises as `apply` does."""
    if isinstance(fact, ItemsFired):
        return Trace(step=None, moves=(_item_moves(state, fact),))
    step, moves = _job_step(state, fact)
    return Trace(step=step, moves=moves)


def _items_fired(state: JobState, fact: ItemsFired) -> JobState:
    items = state.items
    if isinstance(items, Ledger):  # as nearly always, and as fast as it can be
        collection = next(iter(state.lifecycle.collections.values()))
        return changed(state, items=items.after(_moves_in(state, items, collection.accepts, fact)))
    name, _, moves = _item_moves(state, fact)
    return changed(state, items=after(items, name, moves))


def _item_moves(state: JobState, fact: ItemsFired) -> Moves:
    items = state.items
    if isinstance(items, Ledger):
        (name,) = state.lifecycle.collections
    else:
        name = _collection(items, fact)
    accepts = state.lifecycle.collections[name].accepts
    return Moves(name, fact.event, _moves_in(state, ledger_named(items, name), accepts, fact))


def _moves_in(
    state: JobState, ledger: Ledger, accepts: Mapping[str, tuple[str, ...]], fact: ItemsFired
) -> list[Move]:
    """What the items of a fact do, which are all of one collection."""
    accepted = accepts.get(state.phase, ())
    if fact.event not in accepted:
        raise _not_accepted(state, ledger.machine, accepted, fact)
    try:
        return ledger.moves(fact.event, fact.ordinals, fact.payloads)
    except MemberRefusedError as refused:
        raise _refusal(state, refused) from None


def _not_accepted(
    state: JobState, machine: Machine, accepted: tuple[str, ...], fact: ItemsFired
) -> TransitionRefused:
    """The error for an event that the job does not take of these items in its phase."""
    subject = f"items of job {state.id}"
    first = fact.ordinals[0] if fact.ordinals else -1
    if 0 <= first < state.items.count:
        subject = f"job {state.id}, item {state.inputs.key(first)!r}"
        if len(fact.ordinals) > 1:
            subject += f" and {len(fact.ordinals) - 1} more"
    if fact.event in machine.event_specs:
        reason = f"the job's phase accepts no such event of its items of machine '{machine.name}'"
    else:
        reason = f"machine '{machine.name}' of its items has no such event"
    return TransitionRefused(
        machine=machine.name,
        state=state.phase,
        event=fact.event,
        allowed=accepted,
        reason=reason,
        subject=subject,
    )


def _collection(items: Ledgers, fact: ItemsFired) -> str:
    """The one collection that the items of a fact are of. Raises KeyError if there is none."""
    if not fact.ordinals:
        raise ValueError(f"it names no item to take '{fact.event}'")
    name = items.collection_of(fact.ordinals[0])
    for ordinal in bitmap(fact.ordinals) - items.by_name[name].universe:
        problem = f"{items.collection_of(ordinal)!r} and {name!r} are two collections"
        raise ValueError(f"{problem}: a fact is of items of one")
    return name


def _job_step(state: JobState, fact: JobFired) -> tuple[Step, tuple[Moves, ...]]:
    try:
        step = state.machine.follow(state.phase, fact.event, state.guarded, fact.payload)
    except TransitionRefused as refusal:
        refusal.subject = f"job {state.id}"
        raise
    if not step.members:
        return step, ()
    items = state.items
    hit = [(m, ledger_named(items, m.collection)) for m in step.members]
    return step, tuple(
        Moves(m.collection, m.event, _moves(state, ledger, m.event, members))
        for m, ledger in hit
        if (members := ledger.members(m.state))
    )


def _fired(state: JobState, fact: JobFired) -> JobState:
    step, taken = _job_step(state, fact)
    roles = state.roles
    variables = state.variables
    for event, name in roles.variables:
        if event == fact.event and fact.payload.get(name):
            variables = frozen({**variables, **fact.payload[name]})
    recovered = roles.recover is not None and roles.recover.event == fact.event
    return changed(
        state,
        phase=step.state,
        context=own_context(state.machine, step.context),
        items=_moved(state.items, taken),
        variables=variables,
        orphaned=state.orphaned and not recovered,
        unharmed=state.unharmed and not recovered,
    )


def _moved(items: Items, taken: Iterable[Moves]) -> Items:
    """The items after what they did: all of it worked out from one state of them."""
    by_collection: dict[str, list[Move]] = {}
    for collection, _, moves in taken:
        by_collection.setdefault(collection, []).extend(moves)
    for collection, every in by_collection.items():
        items = after(items, collection, every)
    return items


def _moves(state: JobState, ledger: Ledger, event: str, members: BitMap) -> list[Move]:
    """What those members do that a step of the job sends `event`."""
    try:
        return ledger.moves(event, members, None)
    except MemberRefusedError as refused:
        raise _refusal(state, refused) from None


def _refusal(state: JobState, refused: MemberRefusedError) -> TransitionRefused:
    """Why a member does not take its event, named by its key."""
    refusal = refused.refusal
    refusal.subject = f"job {state.id}, item {state.inputs.key(refused.ordinal)!r}"
    return refusal


def _forked(state: JobState, fact: Forked) -> JobState:
    """The start of a fork's own log: holder and checkpoints stay with the source."""
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


def takes(state: JobState, fact: ItemsAdded | MembersAdded) -> bool:
    """True if the job as it stands takes more items of that collection.

    Raises ValueError for a collection that its lifecycle does not have.
    """
    return state.phase in state.growing_phases_of(_grows(state, fact))


def _grows(state: JobState, fact: ItemsAdded | MembersAdded) -> str:
    """The collection that a fact adds to: the one that there is, or that which it names."""
    names = tuple(state.machine.collections)
    if isinstance(fact, MembersAdded) != (len(names) != 1):
        raise ValueError(f"a job with {len(names)} collections has no fact of this kind")
    name = fact.collection if isinstance(fact, MembersAdded) else names[0]
    if name not in names:
        raise ValueError(f"the lifecycle has no collection {name!r}")
    return name


def _grown(state: JobState, fact: ItemsAdded | MembersAdded) -> JobState:
    """With more items behind the last, in the one collection or in that which the fact names."""
    name = _grows(state, fact)
    items, first = state.items, fact.first
    listed = sum(count for _, count in fact.runs)
    if first != items.count or not 0 < fact.count == listed:
        raise ValueError(f"{fact.count} items from {first} on follow {items.count}")
    inputs = state.inputs.grown(fact.runs)
    return changed(
        state,
        items=grown(items, name, bitmap(range(first, first + fact.count))),
        inputs=inputs,
        spans=inputs.spans,
        fingerprint=grown_fingerprint(state.fingerprint, fact.fingerprint),
    )
