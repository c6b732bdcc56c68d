"""The fold: facts → JobState. Pure; the same `apply` decides a live write and replays the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pyroaring import BitMap

from milepost.clock import instant
from milepost.codec import Tally, decode_snapshot, encode_snapshot
from milepost.facts import (
    FORMAT,
    CheckpointTaken,
    Commit,
    Fact,
    ItemsFired,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    Rewound,
    Snapshot,
    WriteRejected,
)
from milepost.inputs import Inputs, KeySet
from milepost.items import Ledger, MemberRefusedError, Move, bitmap
from milepost.machine import Lifecycle, Machine, Step, TransitionRefused, Values, frozen

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "ITEMS",
    "JOB",
    "CheckpointRef",
    "JobState",
    "Progress",
    "Trace",
    "advance",
    "apply",
    "begin",
    "changed",
    "restore",
    "trace",
]

JOB: Final = "job"
"""The name of the machine that a job runs by."""

ITEMS: Final = "items"
"""The name of the job's collection of items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many items of a job are where."""

    total: int
    pending: int
    running: int
    done: int
    failed: int
    dead: int
    skipped: int

    @property
    def settled(self) -> int:
        """Items that need no more work: done, dead or skipped."""
        return self.done + self.dead + self.skipped

    @property
    def left(self) -> int:
        """Items that still need work: pending, running or failed."""
        return self.total - self.settled


class Trace(NamedTuple):
    """What one fired fact did: the job's own step, if it took one, and what its items did."""

    step: Step | None
    moves: tuple[tuple[str, list[Move]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRef:
    """What the log says of the newest checkpoint: of which seq, why, when, and its digest."""

    seq: int
    reason: str
    checksum: str
    taken_at: datetime


@dataclass(frozen=True, kw_only=True)
class JobState:
    """The state of one job after commit `seq`, for ever: the fold of its log up to there.

    `phase` is the state of the job's machine, `context` its variables and parameters. `owner` is
    who holds the lease, None where nobody does; `fence` counts acquisitions and never falls.
    `orphaned` says that a holder was taken over and the job has not been recovered since.
    `variables` are the job's own JSON values. Two states are equal if they fold to the same.
    """

    id: str
    seq: int
    fence: int
    phase: str
    context: Values
    variables: Mapping[str, Any]  # Any: JSON
    items: Ledger
    created: JobCreated
    created_at_us: int
    updated_at_us: int
    owner: str | None = None
    orphaned: bool = False
    checkpoint_fact: CheckpointTaken | None = None
    checkpoint_at_us: int = 0
    rewinds: tuple[tuple[int, int], ...] = ()
    rejected_count: int = 0
    digest: bytes = b""
    lifecycle: Lifecycle = field(compare=False, repr=False)
    inputs: Inputs = field(compare=False, repr=False)

    @property
    def machine(self) -> Machine:
        """The machine that the job runs by."""
        return self.lifecycle.machines[JOB]

    @property
    def created_at(self) -> datetime:
        """When the job was created, aware UTC."""
        return instant(self.created_at_us)

    @property
    def updated_at(self) -> datetime:
        """When its newest commit was written, aware UTC."""
        return instant(self.updated_at_us)

    @property
    def finished(self) -> bool:
        """True in a final phase: nothing more will happen to the job."""
        return self.phase in self.machine.final

    @property
    def checkpoint(self) -> CheckpointRef | None:
        """The newest checkpoint that the log knows of."""
        if self.checkpoint_fact is None:
            return None
        return CheckpointRef(
            seq=self.checkpoint_fact.seq,
            reason=self.checkpoint_fact.reason,
            checksum=self.checkpoint_fact.digest,
            taken_at=instant(self.checkpoint_at_us),
        )

    @cached_property
    def progress(self) -> Progress:
        """The items by state. O(cells)."""
        counts = dict(zip(self.items.machine.states, self.items.counts(), strict=True))
        return Progress(total=self.items.count, **counts)

    @property
    def processed_items(self) -> KeySet:
        """The keys of the items whose results are recorded."""
        return self.keys_in("done")

    @property
    def failed_items(self) -> tuple[str, ...]:
        """The keys of the items that failed or are in the dead letter queue, in item order."""
        return tuple(self.keys_in("failed", "dead"))

    @property
    def tally(self) -> Tally:
        """Where the job stands, as every row of its log says."""
        return Tally(phase=self.phase, items=self.items.counts())

    @property
    def guarded(self) -> Values:
        """What the job's guards read: its context, and how many items are in which state."""
        counts = zip(self.items.machine.states, self.items.counts(), strict=True)
        entries = {f"{ITEMS}.{name}": count for name, count in counts}
        return {**self.context, **entries, f"{ITEMS}.total": self.items.count}

    def keys_in(self, *states: str) -> KeySet:
        """The keys of the items in any of `states`."""
        return KeySet(self.items.members(*states), self.inputs)

    def item(self, key: str) -> tuple[str, Values]:
        """The state and context of one item. Raises KeyError if the job has no item of that key."""
        return self.items.member(self.inputs.ordinal(key))

    def allowed(self) -> tuple[str, ...]:
        """The events that the job would take now, guards included."""
        return self.machine.enabled(self.phase, self.guarded)

    @property
    def accepted(self) -> tuple[str, ...]:
        """The events of its items that the job takes in its phase."""
        return self.machine.collections[ITEMS].accepts.get(self.phase, ())

    def takers(self, event: str) -> BitMap:
        """The ordinals of the items that would take `event` now, guards included.

        What is left to do is asked for like this: of `start`, of `retry`, of `give_up`. O(cells).
        """
        return self.items.enabled(event) if event in self.accepted else bitmap()

    def snapshot(self) -> bytes:
        """The state as bytes, without inputs and results."""
        return encode_snapshot(
            Snapshot(
                format=FORMAT,
                job_id=self.id,
                seq=self.seq,
                fence=self.fence,
                digest=self.digest,
                created=self.created,
                created_at_us=self.created_at_us,
                updated_at_us=self.updated_at_us,
                phase=self.phase,
                context=dict(self.context),
                variables=dict(self.variables),
                cells=self.items.dump(),
                owner=self.owner,
                orphaned=self.orphaned,
                rewinds=list(self.rewinds),
                checkpoint=self.checkpoint_fact,
                checkpoint_at_us=self.checkpoint_at_us,
                rejected_count=self.rejected_count,
            )
        )


def changed(state: JobState, **values: Any) -> JobState:
    """`state` with other `values` of its fields: `dataclasses.replace` at a third of its cost.

    One is made for every fact that is decided or replayed.
    """
    after = object.__new__(JobState)
    after.__dict__.update(state.__dict__)
    after.__dict__.pop("progress", None)  # worked out from the items that it had
    assert values.keys() <= after.__dict__.keys(), "a state has no other fields"
    after.__dict__.update(values)
    return after


def restore(stored: bytes, lifecycle: Lifecycle, inputs: Inputs) -> JobState:
    """The state whose `snapshot` gave `stored`.

    Raises StoreUnreadable where the bytes are damaged, ValueError where they are no partition.
    """
    snapshot = decode_snapshot(stored)
    return JobState(
        id=snapshot.job_id,
        seq=snapshot.seq,
        fence=snapshot.fence,
        phase=snapshot.phase,
        context=frozen(snapshot.context),
        variables=frozen(snapshot.variables),
        items=_ledger(lifecycle, snapshot.created, snapshot.cells),
        created=snapshot.created,
        created_at_us=snapshot.created_at_us,
        updated_at_us=snapshot.updated_at_us,
        owner=snapshot.owner,
        orphaned=snapshot.orphaned,
        checkpoint_fact=snapshot.checkpoint,
        checkpoint_at_us=snapshot.checkpoint_at_us,
        rewinds=tuple((at, to) for at, to in snapshot.rewinds),
        rejected_count=snapshot.rejected_count,
        digest=snapshot.digest,
        lifecycle=lifecycle,
        inputs=inputs,
    )


def begin(job_id: str, created: JobCreated, lifecycle: Lifecycle, inputs: Inputs) -> JobState:
    """The state before the first commit has been folded: seq 0, nothing has happened yet."""
    machine = lifecycle.machines[JOB]
    return JobState(
        id=job_id,
        seq=0,
        fence=0,
        phase=machine.initial,
        context=_own(machine.context(**created.job_params)),
        variables=frozen(created.variables),
        items=_ledger(lifecycle, created, None),
        created=created,
        created_at_us=0,
        updated_at_us=0,
        lifecycle=lifecycle,
        inputs=inputs,
    )


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
        case WriteRejected():
            return changed(state, rejected_count=state.rejected_count + 1)
        case JobCreated():
            if state.seq > 1:
                raise ValueError("the job exists already")
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
        context=_own(taken.step.context),
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


def _rewound(state: JobState, fact: Rewound) -> JobState:
    then = restore(fact.snapshot, state.lifecycle, state.inputs)
    if then.id != state.id or then.seq != fact.to_seq or not 0 < fact.to_seq < state.seq:
        raise ValueError(f"the snapshot in it is not of seq {fact.to_seq} of this job")
    return changed(
        state,
        phase=then.phase,
        context=then.context,
        variables=then.variables,
        items=then.items,
        rewinds=(*state.rewinds, (state.seq, fact.to_seq)),
    )


def _own(context: Values) -> Values:
    """`context` without the counts, which are the items' to tell."""
    prefix = f"{ITEMS}."
    return frozen({name: value for name, value in context.items() if not name.startswith(prefix)})


def _ledger(lifecycle: Lifecycle, created: JobCreated, cells: Any) -> Ledger:
    machine = lifecycle.machines[lifecycle.machines[JOB].collections[ITEMS].machine]
    fresh = Ledger.create(machine, created.item_params, created.item_count)
    if cells is None:
        return fresh
    return Ledger.restore(machine, fresh.params, created.item_count, cells)
