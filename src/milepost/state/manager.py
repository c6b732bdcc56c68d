"""StateManager: the one door to the state of jobs; it joins the parts and decides nothing."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from milepost.clock import Clock, SystemClock, instant
from milepost.errors import JobAbsent, UpdateConflict
from milepost.facts import check_job_id
from milepost.job import CheckpointRef, JobState
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle, Payload, Values
from milepost.metrics import Metrics
from milepost.state import checkpoint as checkpoints
from milepost.state import lease as leases
from milepost.state import old_homes, travel
from milepost.state.append import Appender, Decision
from milepost.state.checkpoint import Checkpoint
from milepost.state.history import StateEvent, history
from milepost.state.jobs import JobSummary, NewJob, phase_entered, summaries
from milepost.state.lease import Lease
from milepost.state.loading import Loader, Loading
from milepost.state.old_homes import HomeImport
from milepost.state.persistence import Durability, Reader, StateStore, open_store
from milepost.state.recovery import RecoveryPlan, carry_out, plan
from milepost.state.results import Failure, ResultReader
from milepost.state.transitions import ItemEvent, JobEvent, Request, Updater, decide, prepare
from milepost.state.travel import StateDiff
from milepost.state.verification import Verification, verify_job
from milepost.versions import tables_of

__all__ = ["StateManager"]

_log: Final = logging.getLogger("milepost.state")
_recovery_log: Final = logging.getLogger("milepost.recovery")
_lease_log: Final = logging.getLogger("milepost.lease")


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
        earlier: Sequence[Lifecycle] = (),
        clock: Clock | None = None,
        new_job_id: Callable[[], str] = _new_job_id,
        metrics: Metrics | None = None,
        legacy: str | Path | None = None,
    ) -> None:
        self._legacy = None if legacy is None else old_homes.old_home(legacy)
        self._store = store
        self._lifecycle = lifecycle
        self._clock: Clock = clock or SystemClock()
        self._new_job_id = new_job_id
        self._metrics = metrics or Metrics()
        self._loader = Loader(store, tables_of(lifecycle, earlier), self._metrics)
        self._appender = Appender(self._loader, self._clock)
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
        lifecycle: Lifecycle = mapreduce.LIFECYCLE,
        earlier: Sequence[Lifecycle] = (),
        clock: Clock | None = None,
        legacy: str | Path | None = None,
    ) -> StateManager:
        """A manager on the store at `url`: a path, `sqlite:///jobs.db` or `memory:`.

        `create` makes a file that does not exist. With durability `full` what was acknowledged
        survives power loss, with `process` it survives kill -9 (INV-ACK). A writer waits up to
        `busy_timeout_s` for its turn. New jobs run by `lifecycle`; with the tables of `earlier`
        versions of it, jobs that were left under those go on under it, as far as its upgrades
        lead: reading shows them so, and the first write records the change. A job that is not
        here and is in `legacy`, a home of the tool Prodigy, is imported when it is first asked
        for; a manager that is `read_only` says so in its JobAbsent. Raises StoreAbsent (of
        `legacy` too), StoreForeign, StoreNewer, StoreUnreadable, StoreLocked.
        """
        if legacy is not None:
            legacy = old_homes.old_home(legacy)
        store = open_store(
            url,
            create=create,
            read_only=read_only,
            durability=durability,
            busy_timeout_s=busy_timeout_s,
        )
        return cls(store, lifecycle=lifecycle, earlier=earlier, clock=clock, legacy=legacy)

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
        first ones. Memory: the keys and the compressed blocks. Raises JobExists, JobIdInvalid,
        ValueInvalid, ItemKeyDuplicate, ContextInvalid.
        """
        job_id = check_job_id(self._new_job_id() if job_id is None else job_id)
        new = NewJob.prepare(self._lifecycle, items, config or {}, variables or {})
        with self._store.writing() as writer:
            new.store(self._loader, writer, job_id, self._clock.now_us())
        self._metrics.began_job("created")
        _log.info("job %s created with %d items", job_id, new.created.item_count)
        return self.get_state(job_id)

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

    def import_jobs(
        self,
        home: str | Path,
        *,
        job_id: str | None = None,
        repo: str | None = None,
        dry_run: bool = False,
    ) -> HomeImport:
        """Make jobs of those that the tool Prodigy left in `home`, or of that id and repo alone.

        Each becomes a log with its old times, in one transaction, verified before it ends; what
        was imported before is left as it is. With `dry_run` nothing is written, and what would be
        is said. Nothing in `home` is ever changed. What stands in the way of one job is in what
        is said of it. Raises StoreAbsent if there is no such directory or no job of that repo,
        JobAbsent if none of that id. Cost: every file of the jobs is read; memory: one old job.
        """
        place = old_homes.old_home(home)
        return old_homes.import_home(
            self._loader, place, self._clock.now_us, job_id=job_id, repo=repo, dry_run=dry_run
        )

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
        state = self._request(job_id, [JobEvent(event, payload)], lease, operator=operator)
        _log.info("job %s took %s: in %s at seq %d", job_id, event, state.phase, state.seq)
        return state

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
                prepared, lease=self._lease_for(job_id, lease), operator=operator, seq=state.seq
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
        _lease_log.info("%r", lease)
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
        began_s = self._metrics.began()
        state = self._append(job_id, checkpoints.take(reason, self._lease_for(job_id, lease)))
        taken = state.checkpoint_fact
        assert taken is not None, "the decision appended a CheckpointTaken"
        checkpoint = self.get_checkpoint(job_id, taken.seq)
        self._metrics.checkpoint(began_s, checkpoint.size_bytes)
        return checkpoint

    def get_checkpoint(self, job_id: str, seq: int | None = None) -> Checkpoint:
        """The newest checkpoint that verifies, or the one at `seq`. Raises CheckpointAbsent."""
        self._meet(job_id)
        with self._store.reading() as reader:
            return checkpoints.find(self._loader, reader, self._loader.job(reader, job_id), seq)

    def list_checkpoints(self, job_id: str) -> list[CheckpointRef]:
        """The job's checkpoints, newest first, unverified."""
        self._meet(job_id)
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
        self._meet(job_id)
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

    def plan_rewind(self, job_id: str, seq: int, *, reason: str = "") -> RecoveryPlan:
        """The plan that goes back to commit `seq` and takes the job up from there.

        Any commit will do, checkpoint or not. What was recorded after it is undone, and stays in
        the history. Of the newest commit it is the plan without a rewind. Raises JobAbsent,
        CommitAbsent.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            loading = self._loader.load(reader, job)
            base = None
            if seq != loading.state.seq:
                base = self._loader.state_at(reader, job, seq)
        return plan(loading.state, base=base, reason=reason, fallbacks=loading.fallbacks)

    def apply(
        self, recovery: RecoveryPlan, *, lease: Lease | None = None, operator: bool = False
    ) -> JobState:
        """Do what the plan says, in one commit. Raises PlanStale, LeaseHeld, LeaseLost."""
        lease = self._lease_for(recovery.job_id, lease)
        decision = carry_out(recovery, lease=lease, operator=operator)
        state = self._append(recovery.job_id, decision)
        if not recovery.changes_nothing:
            self._metrics.recovered(rewound=recovery.rewinds_to is not None)
            back = "" if recovery.rewinds_to is None else f"back to seq {recovery.rewinds_to}, "
            events = ", ".join(recovery.events) or "no event"
            _recovery_log.info("job %s recovered: %s%s; in %s", state.id, back, events, state.phase)
        return state

    # Looking back

    def get_state_history(
        self, job_id: str, *, after: int = 0, upto: int | None = None
    ) -> list[StateEvent]:
        """What happened in the commits with `after < seq <= upto`, oldest first."""
        self._meet(job_id)
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            return list(history(self._loader, reader, job, after, upto))

    def state_at(self, job_id: str, seq: int) -> JobState:
        """The state after commit `seq`, as it stands under this version of the lifecycle.

        Raises CommitAbsent if the log has none such, LifecycleChanged.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            return self._loader.state_at(reader, self._loader.job(reader, job_id), seq)

    def seq_at(self, job_id: str, at: datetime) -> int:
        """The newest commit that is not after `at`, which is aware. O(log commits) look-ups.

        Raises CommitAbsent if the job did not exist yet, ValueError for a naive time.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            return travel.seq_at(reader, self._loader.job(reader, job_id), at)

    def diff(self, job_id: str, before: int, after: int) -> StateDiff:
        """What is different after commit `after` against after commit `before`.

        Cost: both states are folded, from the checkpoints before them, and the heads of the rows
        between are read. Raises CommitAbsent, ValueError if `before` is the later one.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            return travel.diff(self._loader, reader, job, before, after)

    def fork(
        self, job_id: str, seq: int, new_job_id: str | None = None, *, reason: str = ""
    ) -> JobState:
        """A new job that stands as `job_id` stood at `seq`; all of it is stored, or nothing.

        It has the items, the history up to there and the results in it as its own, so that it
        outlives its source; nobody holds it, and it has no checkpoint. The source is not changed,
        whoever holds it. Cost: what it has is copied, compressed as it is, under the write lock:
        other writers wait meanwhile. Raises JobAbsent, CommitAbsent, JobExists, JobIdInvalid.
        """
        self._meet(job_id)
        new_job_id = check_job_id(self._new_job_id() if new_job_id is None else new_job_id)
        now_us = self._clock.now_us()
        with self._store.writing() as writer:
            source = self._loader.job(writer, job_id)
            travel.fork(self._loader, writer, source, seq, new_job_id, reason=reason, now_us=now_us)
        self._metrics.began_job("forked")
        _log.info("job %s forked from %s at seq %d", new_job_id, job_id, seq)
        return self.get_state(new_job_id)

    def phase_entered(self, job_id: str, seq: int) -> int:
        """The commit at which the job came into the phase that it is in at `seq`.

        Cost: one pass over the tallies.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            return phase_entered(self._loader, reader, job_id, seq)

    def lease_expires_at(self, job_id: str) -> datetime | None:
        """Until when the newest holder may be taken for alive; None if there never was one."""
        self._meet(job_id)
        with self._store.reading() as reader:
            lease = reader.lease(self._loader.job(reader, job_id).number)
        return None if lease is None else instant(lease.expires_at_us)

    def results(self, job_id: str) -> Iterator[tuple[str, Any]]:  # Any: JSON
        """Key and result of every item that is done, in item order, streamed.

        As of the moment of the first step; later writes do not show.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            for ordinal, result in self._results(reader, job_id).results():
                yield self._known(job_id).inputs.key(ordinal), result

    def result(self, job_id: str) -> Any:  # Any: JSON
        """What the reduce phase gave. Raises KeyError while there is none."""
        self._meet(job_id)
        with self._store.reading() as reader:
            return self._results(reader, job_id).job_result()

    def failures(self, job_id: str) -> dict[str, list[Failure]]:
        """The failed attempts by item key, oldest first, of the items that had any."""
        self._meet(job_id)
        with self._store.reading() as reader:
            found = self._results(reader, job_id).failures()
        inputs = self._known(job_id).inputs
        return {inputs.key(ordinal): failures for ordinal, failures in sorted(found.items())}

    def verify(self, job_id: str | None = None) -> list[Verification]:
        """Everything that the job, or every job, promises, checked from the start."""
        if job_id is not None:
            self._meet(job_id)
        with self._store.reading() as reader:
            ids = reader.job_ids("") if job_id is None else [job_id]
            return [verify_job(self._loader, reader, self._loader.job(reader, one)) for one in ids]

    def check_store(self) -> list[str]:
        """What is wrong with the medium itself; nothing if it is sound."""
        return self._store.check()

    # Within

    def _meet(self, job_id: str) -> None:
        """Import the job if it is not here and the old home has it: before every look at a job."""
        if self._legacy is None or self._appender.known(job_id) is not None:
            return
        with self._store.reading() as reader:
            if reader.job(check_job_id(job_id)) is not None:
                return
        if not self._store.read_only:
            old_homes.import_named(self._loader, self._legacy, job_id, self._clock.now_us)
        elif told := old_homes.advice(self._legacy, job_id):
            raise JobAbsent(job_id=job_id, url=self._store.url, advice=told)

    def _request(
        self,
        job_id: str,
        requests: Iterable[Request],
        lease: Lease | None,
        *,
        operator: bool,
    ) -> JobState:
        prepared = prepare(self._known(job_id), requests)
        decision = decide(prepared, lease=self._lease_for(job_id, lease), operator=operator)
        return self._append(job_id, decision)

    def _append(self, job_id: str, decision: Decision) -> JobState:
        self._meet(job_id)
        return self._appender.append(check_job_id(job_id), decision)

    def _lease_for(self, job_id: str, lease: Lease | None) -> Lease | None:
        return lease or self._leases.get(job_id)

    def _known(self, job_id: str) -> JobState:
        """A state of the job of any age: for what does not change, its lifecycle and inputs."""
        return self._appender.known(job_id) or self.get_state(job_id)

    def _load(self, job_id: str) -> Loading:
        self._meet(job_id)
        known = self._appender.known(job_id)
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            loading = self._loader.load(reader, job, known)
        self._appender.remember(loading.state)
        return loading

    def _results(self, reader: Reader, job_id: str) -> ResultReader:
        job = self._loader.job(reader, job_id)
        state = self._loader.load(reader, job, self._appender.known(job_id)).state
        return ResultReader(reader, job, state, self._store.url)
