"""JobState: the state of one job as a value, what it begins as, and its bytes in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from pyroaring import BitMap

from milepost.clock import instant
from milepost.items.inputs import Inputs, KeySet, Spans
from milepost.items.ledger import Ledger, bitmap
from milepost.job.versions import Catalogue, version_of
from milepost.log.codec import Tally, decode_snapshot, encode_snapshot
from milepost.log.facts import FORMAT, CheckpointTaken, JobCreated, Snapshot
from milepost.machine import Lifecycle, Machine, Values, frozen

__all__ = [
    "ITEMS",
    "JOB",
    "CheckpointRef",
    "JobState",
    "Progress",
    "begin",
    "changed",
    "own_context",
    "restore",
]

JOB: Final = "job"
"""The name of the machine that a job runs by."""

ITEMS: Final = "items"
"""The name of the job's collection of items."""


_ITEM_STATES: Final = ("pending", "running", "done", "failed", "dead", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many items of a job are where; `other` are in states that a lifecycle added."""

    total: int
    pending: int
    running: int
    done: int
    failed: int
    dead: int
    skipped: int
    other: int = 0

    @staticmethod
    def of(counts: Mapping[str, int]) -> Progress:
        """The progress that `counts`, items by state, amount to."""
        known = {name: counts.get(name, 0) for name in _ITEM_STATES}
        total = sum(counts.values())
        return Progress(total=total, other=total - sum(known.values()), **known)

    @property
    def settled(self) -> int:
        """Items that need no more work: done, dead or skipped."""
        return self.done + self.dead + self.skipped

    @property
    def left(self) -> int:
        """Items that still need work: all that are not settled."""
        return self.total - self.settled


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
    `orphaned` says that a holder was taken over and the job has not been recovered since;
    `unharmed` that no holder since then died, as far as is known.
    `variables` are the job's own JSON values. `number` is the job's in its store: no job has had
    it before, even under the same id. `fingerprint` is of the items that it has, with those that
    were added; `spans` says where they stand among all that were ever stored for the job.
    Two states are equal if they fold to the same.
    Of a job that was left under an earlier version of its lifecycle, `as_logged` is the state by
    that version; the next commit records the change.
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
    unharmed: bool = field(default=False, compare=False)  # of no log from before it was told
    checkpoint_fact: CheckpointTaken | None = None
    checkpoint_at_us: int = 0
    rewinds: tuple[tuple[int, int], ...] = ()
    rejected_count: int = 0
    digest: bytes = b""
    fingerprint: str = ""
    spans: Spans = ((0, 0),)
    number: int = field(default=0, compare=False, repr=False)
    lifecycle: Lifecycle = field(compare=False, repr=False)
    tables: Catalogue = field(compare=False, repr=False)
    inputs: Inputs = field(compare=False, repr=False)
    as_logged: JobState | None = field(default=None, compare=False, repr=False)

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
        return Progress.of(dict(zip(self.items.machine.states, self.items.counts(), strict=True)))

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

    @property
    def takes_items(self) -> bool:
        """True if items may be added now: what they begin with is still to be taken or is taken.

        So in the phase that the job begins in, and in those that accept every event that an item
        in its initial state could take. Not while paused: it may be reduce that was left.
        """
        return self.phase in self.growing_phases

    @property
    def growing_phases(self) -> tuple[str, ...]:
        """The phases in which items may be added, in definition order."""
        item = self.items.machine
        begun_by = {row.event for row in item.transitions if row.source == item.initial}
        accepts = self.machine.collections[ITEMS].accepts
        return tuple(
            phase
            for phase in self.machine.states
            if phase not in self.machine.final
            and (phase == self.machine.initial or begun_by.issubset(accepts.get(phase, ())))
        )

    @property
    def executor_lost(self) -> bool:
        """True if whoever had the items that are in flight died, for all that the log tells.

        False if it gave the job back, or was alive when the job was taken from it.
        """
        if self.owner is None and not self.orphaned:
            return self.fence == 0
        return not self.unharmed

    @property
    def suspects(self) -> BitMap:
        """The ordinals of the items that wait and were in flight when an executor died.

        They are to begin one at a time, alone, so that the next death names the one. O(cells).
        """
        marked = self.items.marked("suspect")
        return marked & self.takers("start") if marked else marked

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
                lifecycle=self.lifecycle.digest,
                item_params=dict(self.items.params),
                item_count=self.items.count,
                fingerprint=self.fingerprint,
                spans=list(self.spans),
                unharmed=self.unharmed,
            )
        )


def changed(state: JobState, **values: Any) -> JobState:
    """`state` with other `values` of its fields: `dataclasses.replace` at a third of its cost.

    One is made for every fact that is decided or replayed.
    """
    after = object.__new__(JobState)
    of_after = after.__dict__
    of_after.update(state.__dict__)
    of_after.pop("progress", None)  # worked out from the items that it had
    known = len(of_after)
    of_after.update(values)
    assert len(of_after) == known, "a state has no other fields"
    return after


def restore(
    stored: bytes, tables: Catalogue, inputs: Inputs, noted: tuple[str, int] | None = None
) -> JobState:
    """The state whose `snapshot` gave `stored`.

    `inputs` are those of any state of the job; `noted` is the version that the log says it is of,
    by name and number, where it does. Raises StoreUnreadable where the bytes are damaged,
    ValueError where they are no partition, LifecycleChanged where they are of a version that is
    not among the `tables`.
    """
    snapshot = decode_snapshot(stored)
    created = snapshot.created
    digest = snapshot.lifecycle or created.digest
    lifecycle = version_of(snapshot.job_id, digest, created, tables, noted)
    params = created.item_params if snapshot.item_params is None else snapshot.item_params
    count = created.item_count if snapshot.item_count is None else snapshot.item_count
    spans = tuple((first, place) for first, place in snapshot.spans) or ((0, 0),)
    fresh = _ledger(lifecycle, params, 0)
    items = Ledger.restore(fresh.machine, fresh.params, count, snapshot.cells)
    return JobState(
        id=snapshot.job_id,
        seq=snapshot.seq,
        fence=snapshot.fence,
        phase=snapshot.phase,
        context=frozen(snapshot.context),
        variables=frozen(snapshot.variables),
        items=items,
        created=created,
        created_at_us=snapshot.created_at_us,
        updated_at_us=snapshot.updated_at_us,
        owner=snapshot.owner,
        orphaned=snapshot.orphaned,
        unharmed=snapshot.unharmed,
        checkpoint_fact=snapshot.checkpoint,
        checkpoint_at_us=snapshot.checkpoint_at_us,
        rewinds=tuple((at, to) for at, to in snapshot.rewinds),
        rejected_count=snapshot.rejected_count,
        digest=snapshot.digest,
        fingerprint=snapshot.fingerprint or snapshot.created.fingerprint,
        spans=spans,
        lifecycle=lifecycle,
        tables=tables,
        inputs=inputs.seen_as(count, spans),
    )


def begin(job_id: str, created: JobCreated, tables: Catalogue, inputs: Inputs) -> JobState:
    """The state before the first commit has been folded: seq 0, nothing has happened yet.

    Raises LifecycleChanged where the job was created under a version that is not in `tables`.
    """
    lifecycle = version_of(job_id, created.digest, created, tables)
    machine = lifecycle.machines[JOB]
    return JobState(
        id=job_id,
        seq=0,
        fence=0,
        phase=machine.initial,
        context=own_context(machine.context(**created.job_params)),
        variables=frozen(created.variables),
        items=_ledger(lifecycle, created.item_params, created.item_count),
        created=created,
        created_at_us=0,
        updated_at_us=0,
        fingerprint=created.fingerprint,
        lifecycle=lifecycle,
        tables=tables,
        inputs=inputs,
    )


def own_context(context: Values) -> Values:
    """`context` without the counts, which are the items' to tell."""
    prefix = f"{ITEMS}."
    return frozen({name: value for name, value in context.items() if not name.startswith(prefix)})


def _ledger(lifecycle: Lifecycle, params: Values, count: int) -> Ledger:
    machine = lifecycle.machines[lifecycle.machines[JOB].collections[ITEMS].machine]
    return Ledger.create(machine, params, count)
