"""StateManager: the one door to the state of jobs; it joins the parts and decides nothing."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from milepost.blocks import entries_of
from milepost.clock import Clock, SystemClock, instant
from milepost.errors import StoreLocked, UpdateConflict
from milepost.facts import check_job_id
from milepost.items import bitmap
from milepost.job import CheckpointRef, JobState
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle, Payload, Values
from milepost.state import checkpoint as checkpoints
from milepost.state import lease as leases
from milepost.state.additions import Existing, add_items
from milepost.state.append import Appender, Decision
from milepost.state.checkpoint import Checkpoint
from milepost.state.history import StateEvent, history
from milepost.state.intake import Intake, sweep
from milepost.state.jobs import JobSummary, NewJob, check_absent, phase_entered, summaries
from milepost.state.lease import Lease
from milepost.state.loading import Loader, Loading
from milepost.state.locating import Locator
from milepost.state.persistence import Durability, Reader, StateStore, open_store
from milepost.state.recovery import RecoveryPlan, carry_out, plan
from milepost.state.results import Failure, Order, ResultReader
from milepost.state.transitions import (
    ItemEvent,
    JobEvent,
    Request,
    Updater,
    decide,
    item_ordinal,
    prepare,
)
from milepost.state.verification import Verification, verify_job

__all__ = ["StateManager"]

_log: Final = logging.getLogger("milepost.state")


def _new_job_id() -> str:
    return f"job-{secrets.token_hex(6)}"


class StateManager:
    """The state of the jobs in one store. Safe for any number of threads; use it as a context.

    Every method that changes a job returns the state of which the change is a durable part; when
    a method raises, nothing was changed unless its error says so.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        lifecycle: Lifecycle = mapreduce.LIFECYCLE,
        clock: Clock | None = None,
        new_job_id: Callable[[], str] = _new_job_id,
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._clock: Clock = clock or SystemClock()
        self._new_job_id = new_job_id
        self._loader = Loader(store, lifecycle)
        self._appender = Appender(self._loader, self._clock)
        self._locator = Locator(store.url)
        self._leases: dict[str, Lease] = {}

    @classmethod
    def open(
        cls,
        url: str | Path,
        *,
        create: bool = True,
        read_only: bool = False,
        durability: Durability = "full",
        busy_timeout_s: float = 30.0,
        clock: Clock | None = None,
    ) -> StateManager:
        """A manager on the store at `url`: a path, `sqlite:///jobs.db` or `memory:`.

        `create` makes a file that does not exist. With durability `full` what was acknowledged
        survives power loss, with `process` it survives kill -9 (INV-ACK). A writer waits up to
        `busy_timeout_s` for its turn. Raises StoreAbsent, StoreForeign, StoreNewer,
        StoreUnreadable, StoreLocked.
        """
        store = open_store(
            url,
            create=create,
            read_only=read_only,
            durability=durability,
            busy_timeout_s=busy_timeout_s,
        )
        return cls(store, clock=clock)

    @property
    def url(self) -> str:
        """Where the state is kept."""
        return self._store.url

    def close(self) -> None:
        """Close the store; the manager cannot be used afterwards."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Jobs

    def create_job(
        self,
        items: Iterable[object] | Mapping[str, object],
        *,
        job_id: str | None = None,
        config: Values | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> JobState:
        """A new job over `items`, in its initial phase; all of it is stored, or nothing.

        A mapping gives keys and values; of other iterables a text or a milepost.Item has a key,
        and every other JSON value is known by the digest of its content. `config` gives the
        lifecycle's parameters (`max_attempts`, `max_dead`, `has_reduce`), `variables` the job's
        first ones.

        `items` are read once, in order, and may be of any number: beyond the first 65,536 they
        are written as they come in, and the job is there when the last has come. No lock is held
        while an item is waited for. Memory: 65,536 items or 8 MB as stored, and 20 bytes for each
        item. Raises JobExists, JobIdInvalid, ValueInvalid, ItemKeyDuplicate, ContextInvalid,
        StagingExpired.
        """
        job_id = check_job_id(self._new_job_id() if job_id is None else job_id)
        new = NewJob.prepare(self._lifecycle, config or {}, variables or {})
        with self._store.reading() as reader:
            check_absent(self._loader, reader, job_id)
        self._sweep()
        intake = Intake(self._loader, self._clock, job_id, None)
        try:
            intake.read(entries_of(items))
            with self._store.writing() as writer:
                new.store(self._loader, writer, job_id, intake, self._clock.now_us())
        except BaseException:
            intake.abandon()
            raise
        _log.info("job %s created with %d items", job_id, intake.count)
        return self.get_state(job_id)

    def add_items(
        self,
        job_id: str,
        items: Iterable[object] | Mapping[str, object],
        *,
        existing: Existing = "refuse",
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """The job with `items` behind those that it has, in their initial state; all, or none.

        They are given and read as in `create_job`, at the same cost. Items can be added in the
        phase that a job begins in, and in those that accept all that a new item could take: setup
        and map. `existing` says what becomes of an item whose key the job has: `refuse` raises
        ItemExists, `skip` leaves it out. A rewind to a commit before undoes it. Leases are as in
        `fire`. Raises ItemsRefused, ItemExists, ItemKeyDuplicate, ValueInvalid, LeaseHeld,
        LeaseLost, StagingExpired, and UpdateConflict if others rewound the job meanwhile.
        """
        self._sweep()
        state = add_items(
            self._loader,
            self._clock,
            check_job_id(job_id),
            items,
            existing=existing,
            lease=self._lease_for(job_id, lease),
            operator=operator,
            newest=lambda: self.get_state(job_id),
            append=lambda decision: self._append(job_id, decision),
        )
        _log.info("job %s has %d items now", job_id, state.items.count)
        return state

    def get_state(self, job_id: str) -> JobState:
        """The newest state of the job. Raises JobAbsent, LogCorrupt, LifecycleChanged.

        Cost: one query for what was written since this manager last looked; at the first look,
        the newest checkpoint and the heads after it. Never waits for a writer.
        """
        return self._load(job_id).state

    def list_jobs(
        self, *, phase: str | None = None, prefix: str = "", limit: int | None = None
    ) -> list[JobSummary]:
        """The jobs, newest first: those in `phase` whose id begins with `prefix`, at most `limit`.

        Cost: one row a job.
        """
        with self._store.reading() as reader:
            found = list(summaries(self._loader, reader, prefix))
        found = [summary for summary in reversed(found) if phase in (None, summary.phase)]
        return found[:limit]

    def job_ids(self, prefix: str = "") -> list[str]:
        """The ids of the jobs that begin with `prefix`, in order."""
        with self._store.reading() as reader:
            return reader.job_ids(prefix)

    # Events

    def fire(
        self,
        job_id: str,
        event: str,
        payload: Values | Payload | None = None,
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """The job takes `event`. One durable commit, shared with others that wait.

        Written under `lease`, or the one that this manager holds on the job. Without a lease it
        is refused while another executor holds the job, unless an `operator` asks (to pause, to
        cancel). Raises TransitionRefused, PayloadInvalid, LeaseHeld, LeaseLost.
        """
        return self._request(job_id, [JobEvent(event, payload)], lease, operator=operator)

    def record(
        self,
        job_id: str,
        item_events: Iterable[ItemEvent],
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """The items take their events, in order, all of them or none. One durable commit.

        The same result again is passed over; another raises RecordConflict and is kept in the
        history (INV-ONCE). Leases are as in `fire`. Raises TransitionRefused, ItemAbsent,
        PayloadInvalid, ValueInvalid, LeaseHeld, LeaseLost.
        """
        return self._request(job_id, item_events, lease, operator=operator)

    def update_state(
        self,
        job_id: str,
        updater: Updater,
        *,
        lease: Lease | None = None,
        operator: bool = False,
        tries: int = 20,
    ) -> JobState:
        """What `updater` makes of the newest state, appended to just that state.

        The updater gets an immutable state and returns the JobEvents and ItemEvents that should
        happen; it is run again on a newer state if others changed the job meanwhile, up to
        `tries` times, so it must have no effects of its own. Raises UpdateConflict, and as
        `record`.
        """
        for _ in range(tries):
            state = self.get_state(job_id)
            wanted = updater(state)
            if wanted is None:
                return state
            if isinstance(wanted, JobEvent | ItemEvent):
                wanted = [wanted]
            prepared = prepare(state, wanted)
            decision = decide(
                prepared,
                lease=self._lease_for(job_id, lease),
                operator=operator,
                seq=state.seq,
                locator=self._locator,
            )
            try:
                return self._append(job_id, decision)
            except UpdateConflict:
                continue
        raise UpdateConflict(job_id=job_id, tries=tries)

    # Leases

    @contextmanager
    def lease(
        self,
        job_id: str,
        owner: str | None = None,
        ttl_s: float = 30.0,
        *,
        takeover: str = "",
        renewed: bool = True,
    ) -> Iterator[Lease]:
        """Hold the job as `owner` while the block runs; this manager's writes then carry its fence.

        Renewed from a thread while the block runs, unless `renewed` is False; given back at its
        end. `takeover` is a reason for taking the job from a holder that still seems alive.
        Raises LeaseHeld, which says who holds it and until when.
        """
        who = owner or leases.default_owner()
        state = self._append(job_id, leases.take(who, ttl_s, takeover))
        lease = Lease(job_id, who, state.fence, ttl_s)
        self._leases[job_id] = lease
        renewer = leases.Renewer(self._loader, lease, self._clock) if renewed else None
        try:
            yield lease
        finally:
            if renewer is not None:
                renewer.stop()
            if self._leases.get(job_id) is lease:
                del self._leases[job_id]
            self._append(job_id, leases.release(lease))

    # Checkpoints and recovery

    def create_checkpoint(
        self, job_id: str, *, reason: str = "by hand", lease: Lease | None = None
    ) -> Checkpoint:
        """A checkpoint of the job's newest state, durable, with its place in the log.

        Anybody may take one while others hold the job; raises LeaseLost if `lease`, or the one
        that this manager holds, is no longer the job's.
        """
        state = self._append(job_id, checkpoints.take(reason, self._lease_for(job_id, lease)))
        taken = state.checkpoint_fact
        assert taken is not None, "the decision appended a CheckpointTaken"
        return self.get_checkpoint(job_id, taken.seq)

    def get_checkpoint(self, job_id: str, seq: int | None = None) -> Checkpoint:
        """The newest checkpoint that verifies, or the one at `seq`. Raises CheckpointAbsent."""
        with self._store.reading() as reader:
            return checkpoints.find(self._loader, reader, self._loader.job(reader, job_id), seq)

    def list_checkpoints(self, job_id: str) -> list[CheckpointRef]:
        """The job's checkpoints, newest first, unverified."""
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            return [
                CheckpointRef(
                    seq=stored.seq,
                    reason=stored.reason,
                    checksum=stored.digest.hex(),
                    taken_at=instant(stored.at_us),
                )
                for stored in reader.checkpoints(job.number)
            ]

    def recover_from_checkpoint(
        self,
        checkpoint: Checkpoint | str,
        *,
        rewind: bool = False,
        reason: str = "",
    ) -> RecoveryPlan:
        """What is left to do of a job, and what taking it up again will do; nothing is changed.

        Of a job id, the newest checkpoint that verifies is used, with the log after it; of a
        checkpoint, that one with the log after it, so that nothing recorded is lost. With
        `rewind` the plan goes back to exactly the checkpoint, and what was recorded after it is
        undone (and stays in the history). Raises JobAbsent, CheckpointAbsent (only to rewind),
        LogCorrupt.
        """
        job_id = checkpoint if isinstance(checkpoint, str) else checkpoint.job_id
        base: JobState | None = None
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            known = None
            if isinstance(checkpoint, Checkpoint):
                known = checkpoints.find(self._loader, reader, job, checkpoint.seq).state
                base = known if rewind else None
            elif rewind:
                base = checkpoints.find(self._loader, reader, job, None).state
            loading = self._loader.load(reader, job, known)
        return plan(loading.state, base=base, reason=reason, fallbacks=loading.fallbacks)

    def apply(
        self, recovery: RecoveryPlan, *, lease: Lease | None = None, operator: bool = False
    ) -> JobState:
        """Do what the plan says, in one commit. Raises PlanStale, LeaseHeld, LeaseLost."""
        lease = self._lease_for(recovery.job_id, lease)
        decision = carry_out(recovery, lease=lease, operator=operator)
        state = self._append(recovery.job_id, decision)
        _log.info("job %s recovered: %s", state.id, recovery.events or "nothing to do")
        return state

    # Looking back

    def get_state_history(
        self, job_id: str, *, after: int = 0, upto: int | None = None
    ) -> list[StateEvent]:
        """What happened in the commits with `after < seq <= upto`, oldest first."""
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            return list(history(self._loader, reader, job, after, upto))

    def state_at(self, job_id: str, seq: int) -> JobState:
        """The state after commit `seq`. Raises ValueError if the log has none such."""
        with self._store.reading() as reader:
            return self._loader.state_at(reader, self._loader.job(reader, job_id), seq)

    def phase_entered(self, job_id: str, seq: int) -> int:
        """The commit at which the job came into the phase that it is in at `seq`.

        Cost: one pass over the tallies.
        """
        with self._store.reading() as reader:
            return phase_entered(self._loader, reader, job_id, seq)

    def lease_expires_at(self, job_id: str) -> datetime | None:
        """Until when the newest holder may be taken for alive; None if there never was one."""
        with self._store.reading() as reader:
            lease = reader.lease(self._loader.job(reader, job_id).number)
        return None if lease is None else instant(lease.expires_at_us)

    def results(
        self,
        job_id: str,
        *,
        keys: Iterable[str] | None = None,
        ordinals: Iterable[int] | None = None,
        order: Order = "items",
    ) -> Iterator[tuple[str, Any]]:  # Any: JSON
        """Key and result of every item that is done, streamed; of those with `keys` or `ordinals`.

        As of the moment of the first step; later writes do not show. In item order, or as they
        were `recorded`, which keeps nothing in memory however much out of order that was. Cost:
        the heads that no result was looked for in before, and the bodies that hold results,
        decoded once each. Raises ItemAbsent for an item that the job does not have.
        """
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            wanted = None
            if keys is not None or ordinals is not None:
                named: Iterator[str | int] = chain(keys or (), ordinals or ())
                wanted = bitmap(item_ordinal(results.state, item) for item in named)
            inputs = results.state.inputs
            for ordinal, result in results.results(wanted, order):
                yield inputs.key(ordinal), result

    def result_of(self, job_id: str, item: str | int) -> Any:  # Any: JSON
        """The result of one item, by its key or ordinal. Raises ItemAbsent.

        Raises KeyError if it has none. Cost: the heads that no result was looked for in before,
        and one body.
        """
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            return results.result(item_ordinal(results.state, item))

    def result(self, job_id: str) -> Any:  # Any: JSON
        """What the reduce phase gave. Raises KeyError while there is none."""
        with self._store.reading() as reader:
            return self._results(reader, job_id).job_result()

    def failures(self, job_id: str) -> dict[str, list[Failure]]:
        """The failed attempts by item key, oldest first, of the items that had any."""
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            inputs, found = results.state.inputs, results.failures()
        return {inputs.key(ordinal): failures for ordinal, failures in sorted(found.items())}

    def verify(self, job_id: str | None = None) -> list[Verification]:
        """Everything that the job, or every job, promises, checked from the start."""
        with self._store.reading() as reader:
            ids = reader.job_ids("") if job_id is None else [job_id]
            return [verify_job(self._loader, reader, self._loader.job(reader, one)) for one in ids]

    def check_store(self) -> list[str]:
        """What is wrong with the medium itself; nothing if it is sound."""
        return self._store.check()

    # Within

    def _sweep(self) -> None:
        """Take away what is left of items whose writers died; a store that is busy is left be."""
        if not self._store.read_only:
            with suppress(StoreLocked):
                sweep(self._loader, self._clock.now_us())

    def _request(
        self,
        job_id: str,
        requests: Iterable[Request],
        lease: Lease | None,
        *,
        operator: bool,
    ) -> JobState:
        prepared = prepare(self._known(job_id), requests)
        decision = decide(
            prepared,
            lease=self._lease_for(job_id, lease),
            operator=operator,
            locator=self._locator,
        )
        return self._append(job_id, decision)

    def _append(self, job_id: str, decision: Decision) -> JobState:
        return self._appender.append(check_job_id(job_id), decision)

    def _lease_for(self, job_id: str, lease: Lease | None) -> Lease | None:
        return lease or self._leases.get(job_id)

    def _known(self, job_id: str) -> JobState:
        """A state of the job of any age: for what does not change, its lifecycle."""
        return self._appender.known(job_id) or self.get_state(job_id)

    def _load(self, job_id: str) -> Loading:
        known = self._appender.known(job_id)
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            loading = self._loader.load(reader, job, known)
        self._appender.remember(loading.state)
        return loading

    def _results(self, reader: Reader, job_id: str) -> ResultReader:
        job = self._loader.job(reader, job_id)
        state = self._loader.load(reader, job, self._appender.known(job_id)).state
        return ResultReader(reader, job, state, self._store.url, self._locator)
