"""StateManager: the one door to the state of jobs; it joins the parts and decides nothing."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from milepost.clock import Clock, SystemClock, instant
from milepost.errors import JobAbsent, StoreLocked, StoreUnreadable, UpdateConflict
from milepost.facts import check_job_id
from milepost.input_blocks import entries_of
from milepost.items import bitmap
from milepost.job import CheckpointRef, JobState
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle, Payload, Values
from milepost.metrics import Metrics
from milepost.omissions import OnError, refuse
from milepost.payloads import PayloadCodec, codec_name
from milepost.rows import StoreFormat, Stray, Vacuumed
from milepost.state import checkpoint as checkpoints
from milepost.state import lease as leases
from milepost.state import old_homes, travel
from milepost.state.additions import Existing, add_items
from milepost.state.append import Appender, Decision
from milepost.state.checkpoint import Checkpoint
from milepost.state.collecting import BATCH_ROWS, Collected, collect, pause
from milepost.state.compaction import Compaction, compact
from milepost.state.comparing import InputComparison, compare
from milepost.state.dead_letters import DeadLetter, dead_in, dead_letters, requeue
from milepost.state.history import StateEvent, history
from milepost.state.intake import Intake, sweep
from milepost.state.jobs import JobSummary, NewJob, check_absent, phase_entered, summaries
from milepost.state.lease import Lease
from milepost.state.limits import LARGEST, Limits, checked_entries
from milepost.state.loading import Loader, Loading
from milepost.state.locating import Locator
from milepost.state.old_homes import HomeImport
from milepost.state.persistence import Create, Durability, Reader, StateStore, open_store
from milepost.state.quarantine import QuarantinedRow, quarantined
from milepost.state.reaping import StuckJob, reap, stuck
from milepost.state.recovery import RecoveryPlan, carry_out, draw_up, plan
from milepost.state.repair import Repair, find_entry, repair_job, set_strays_aside, survey
from milepost.state.results import Failure, Order, ResultReader
from milepost.state.retention import (
    Kept,
    RetentionPlan,
    RetentionPolicy,
    keep_of,
    kept_of,
    plan_retention,
)
from milepost.state.rewinding import WayBack
from milepost.state.scope import Scope
from milepost.state.sizes import JobSizes, job_sizes
from milepost.state.transitions import (
    ItemEvent,
    JobEvent,
    Request,
    Updater,
    Wanted,
    Write,
    decide,
    item_ordinal,
    prepare,
    refuse_clear_text,
)
from milepost.state.travel import StateDiff
from milepost.state.verification import Verification, store_problems, verify_job
from milepost.versions import tables_of

__all__ = ["StateManager"]

_log: Final = logging.getLogger("milepost.state")
_recovery_log: Final = logging.getLogger("milepost.recovery")
_lease_log: Final = logging.getLogger("milepost.lease")


def _tell(write: Write, state: JobState) -> None:
    """Log which events the job itself took."""
    for request in write.requests:
        if isinstance(request, JobEvent):
            taken = request.event, state.phase, state.seq
            _log.info("job %s took %s: in %s at seq %d", write.job_id, *taken)


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
        payload_codec: PayloadCodec | None = None,
        limits: Limits | None = None,
        legacy: str | Path | None = None,
    ) -> None:
        if payload_codec is not None:
            codec_name(payload_codec)
        self._legacy = None if legacy is None else old_homes.old_home(legacy)
        self._store = store
        self._lifecycle = lifecycle
        self._clock: Clock = clock or SystemClock()
        self._new_job_id = new_job_id
        self._limits = limits or Limits()
        self._metrics = metrics or Metrics()
        self._loader = Loader(store, tables_of(lifecycle, earlier), self._metrics, payload_codec)
        self._appender = Appender(self._loader, self._clock, self._limits)
        self._locator = Locator(store.url)
        self._leases: dict[str, Lease] = {}

    @classmethod
    def open(
        cls,
        url: str | Path,
        *,
        create: Create = True,
        read_only: bool = False,
        durability: Durability = "full",
        busy_timeout_s: float = 30.0,
        lifecycle: Lifecycle = mapreduce.LIFECYCLE,
        earlier: Sequence[Lifecycle] = (),
        allow_network: bool = False,
        clock: Clock | None = None,
        payload_codec: PayloadCodec | None = None,
        limits: Limits | None = None,
        legacy: str | Path | None = None,
    ) -> StateManager:
        """A manager on the store at `url`: a path, `sqlite:///jobs.db` or `memory:`.

        `create` makes a file that does not exist, and `"folders"` also those that lead to it. A
        network file system is refused unless `allow_network`. With durability `full` what was
        acknowledged survives power loss, with `process` it survives kill -9 (INV-ACK). A writer
        waits up to `busy_timeout_s` for its turn. New jobs run by `lifecycle`; with the tables of
        `earlier` versions of it, jobs that were left under those go on under it, as far as its
        upgrades lead: reading shows them so, and the first write records the change. Results,
        messages and item values pass through `payload_codec`; all who read them need it. `limits`
        says what is too large. A job that is not here and is in `legacy`, a home of the tool
        Prodigy, is imported when it is first asked for; a manager that is `read_only` says so in
        its JobAbsent. Raises ValueError for a codec whose name or digest key is none, StoreAbsent
        (of `legacy` too), StoreForeign, StoreNewer, StoreUnreadable, StoreUnsafe, StoreLocked.
        """
        if legacy is not None:
            legacy = old_homes.old_home(legacy)
        store = open_store(
            url,
            create=create,
            read_only=read_only,
            durability=durability,
            busy_timeout_s=busy_timeout_s,
            allow_network=allow_network,
        )
        try:
            return cls(
                store,
                lifecycle=lifecycle,
                earlier=earlier,
                clock=clock,
                payload_codec=payload_codec,
                limits=limits,
                legacy=legacy,
            )
        except BaseException:
            store.close()
            raise

    @property
    def url(self) -> str:
        """Where the state is kept."""
        return self._store.url

    @property
    def limits(self) -> Limits:
        """How large what this manager writes may be."""
        return self._limits

    def now_us(self) -> int:
        """The time by the clock that commits and leases go by, in microseconds since 1970."""
        return self._clock.now_us()

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
        new = NewJob.prepare(self._lifecycle, config or {}, variables or {}, self._limits)
        with self._store.reading() as reader:
            check_absent(self._loader, reader, job_id)
        self._sweep()
        intake = Intake(self._loader, self._clock, job_id, None)
        try:
            intake.read(checked_entries(self._limits, entries_of(items, self._loader.payloads)))
            with self._store.writing() as writer:
                new.store(self._loader, writer, job_id, intake, self._clock.now_us())
                earlier = writer.tombstone(job_id)
        except BaseException:
            intake.abandon()
            raise
        self._metrics.began_job("created")
        _log.info("job %s created with %d items", job_id, intake.count)
        if earlier is not None:
            when = instant(earlier.deleted_at_us)
            _log.info("job %s: an earlier job of that id was deleted at %s", job_id, when)
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
            checked_entries(self._limits, entries_of(items, self._loader.payloads)),
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
        self,
        *,
        phase: str | None = None,
        prefix: str = "",
        limit: int | None = None,
        on_error: OnError = refuse,
    ) -> list[JobSummary]:
        """The jobs, newest first: those in `phase` whose id begins with `prefix`, at most `limit`.

        Raises StoreUnreadable where any job of the store, whatever its id or phase, cannot be read;
        with `on_error`, that is told of each such job, which is left out. Cost: one row a job.
        """
        with self._store.reading() as reader:
            found = list(summaries(self._loader, reader, prefix, on_error))
        found = [summary for summary in reversed(found) if phase in (None, summary.phase)]
        return found[:limit]

    def job_ids(self, prefix: str = "", *, on_error: OnError = refuse) -> list[str]:
        """The ids of the jobs that begin with `prefix`, in order; `on_error` as in `list_jobs`."""
        with self._store.reading() as reader:
            return reader.job_ids(prefix, on_error)

    def compare_inputs(
        self, job_id: str, items: Iterable[object] | Mapping[str, object]
    ) -> InputComparison:
        """How `items`, read once as `create_job` reads them, differ from those of the job.

        The same, more, fewer or changed, and which. Streamed; see `comparing.compare` for what is
        held when order or keys differ. Raises JobAbsent, ValueInvalid, StoreUnreadable.
        """
        return compare(self.get_state(job_id), items, self._loader.payloads)

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
        write = Write(job_id, [JobEvent(event, payload)], lease, operator)
        state = self._appender.append(job_id, self._decision(write))
        _tell(write, state)
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
        write = Write(job_id, list(item_events), lease, operator)
        return self._appender.append(job_id, self._decision(write))

    def write_each(self, writes: Iterable[Write]) -> list[JobState | Exception]:
        """What each of `writes` comes to: the state that it is a durable part of, or its error.

        Each stands for itself, as if it was a `record` or `fire` of a thread of its own, in this
        order: one that is refused holds no other up. Those of one job share one commit, and all
        of them one wait for the disk. For one thread that hears from many workers. Raises nothing
        for what any of them is refused for, the store's errors included.
        """
        asked = list(writes)
        outcomes: dict[int, JobState | Exception] = {}
        decisions: dict[int, tuple[str, Decision]] = {}
        for place, write in enumerate(asked):
            try:
                decisions[place] = write.job_id, self._decision(write)
            except Exception as error:  # noqa: BLE001 of one payload: it is no concern of the others
                outcomes[place] = error
        answers = self._appender.append_each(decisions.values())
        for place, answer in zip(decisions, answers, strict=True):
            outcomes[place] = answer
            if isinstance(answer, JobState):
                _tell(asked[place], answer)
        return [outcomes[place] for place in range(len(asked))]

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
            prepared = self._prepared(state, wanted)
            decision = decide(
                prepared,
                lease=self._lease_for(job_id, lease),
                operator=operator,
                base=state,
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
        lease = Lease(job_id, state.number, who, state.fence, ttl_s)
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
            with suppress(JobAbsent):  # there is nothing to give back any more
                self._append(job_id, leases.release(lease))

    # Checkpoints and recovery

    def create_checkpoint(
        self,
        job_id: str,
        *,
        reason: str = "by hand",
        lease: Lease | None = None,
        keep: int = checkpoints.KEPT,
    ) -> Checkpoint:
        """A checkpoint of the job's newest state, durable, with its place in the log.

        Of the checkpoints of that reason the newest `keep` stay. Anybody may take one while
        others hold the job; raises LeaseLost if `lease`, or the one that this manager holds, is
        no longer the job's, and TooLarge.
        """
        began_s = self._metrics.began()
        lease = self._lease_for(job_id, lease)
        state = self._append(job_id, checkpoints.take(reason, lease, keep, self._limits))
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
        """The job's checkpoints, newest first: when and why by the log, their bytes unverified."""
        self._meet(job_id)
        with self._store.reading() as reader:
            return checkpoints.listed(self._loader, reader, self._loader.job(reader, job_id))

    def recover_from_checkpoint(
        self,
        checkpoint: Checkpoint | str,
        *,
        rewind: bool = False,
        reason: str = "",
        scope: Scope | None = None,
    ) -> RecoveryPlan:
        """What is left to do of a job, and what taking it up again will do; nothing is changed.

        Of a job id, the newest checkpoint that verifies is used, with the log after it; of a
        checkpoint, that one with the log after it, so that nothing recorded is lost. With
        `rewind` the plan goes back to exactly the checkpoint, and what was recorded after it is
        undone (and stays in the history). `scope` says which items the plan is about (all, unless
        it is given), or which phase is done again. Raises JobAbsent, CheckpointAbsent (of a
        checkpoint that was named), ScopeInvalid, ItemAbsent, LogCorrupt.
        """
        wanted = scope or Scope.all()
        self._meet(checkpoint if isinstance(checkpoint, str) else checkpoint.job_id)
        with self._store.reading() as reader:
            if isinstance(checkpoint, Checkpoint):
                job_id = checkpoint.job_id
                job = self._loader.job(reader, job_id)
                what = f"the checkpoint at seq {checkpoint.seq}"
                self._loader.same(job, checkpoint.state.number, what)
                wanted &= Scope.checkpoint(checkpoint.seq, exactly=rewind)
            else:
                job_id = checkpoint
                if rewind:
                    job = self._loader.job(reader, job_id)
                    seq = checkpoints.find(self._loader, reader, job, wanted.seq).seq
                    wanted &= Scope.checkpoint(seq, exactly=True)
            return draw_up(self._loader, reader, job_id, wanted, reason=reason)

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
            back = None
            if seq != loading.state.seq:
                back = WayBack(self._loader.state_at(reader, job, seq))
        return plan(loading.state, way_back=back, reason=reason, fallbacks=loading.fallbacks)

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

    def stuck_jobs(self, *, on_error: OnError = refuse) -> list[StuckJob]:
        """The jobs whose lease has expired and was not given back, in order of creation.

        `on_error` as in `list_jobs`. Cost: one look-up a job; the state of each that may be stuck.
        """
        with self._store.reading() as reader:
            return list(stuck(self._loader, reader, self.now_us(), self._appender.known, on_error))

    def reap(self, job_id: str, *, owner: str | None = None, reason: str = "") -> JobState:
        """Free a job whose lease has expired: one commit, after which anybody may take it.

        It is taken over as `owner` with a new fence, so that its holder can write no more; what
        was in flight is interrupted, with `reason` in the history; and it is given back. A job
        that nobody holds is left as it is. Raises LeaseHeld if the holder is alive.
        """
        who = owner or f"{leases.default_owner()} (reaper)"
        state = self._append(job_id, reap(who, reason))
        _log.info("job %s freed by %s", job_id, who)
        return state

    def dead_letters(self, job_id: str, scope: Scope | None = None) -> Iterator[DeadLetter]:
        """The items in the dead letter queue, in item order, with their values and failures.

        Of `scope`, all unless it is given; streamed, as of the moment of the first step. Raises
        JobAbsent, ScopeInvalid, ItemAbsent.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            members = dead_in(scope or Scope.all(), results.state, results)
            yield from dead_letters(results.state, members, results)

    def requeue(
        self,
        job_id: str,
        scope: Scope | None = None,
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """Give the dead letters in `scope` (all, unless it is given) all their attempts again.

        One durable commit; those that are dead no more by then are passed over. Leases are as in
        `fire`. Raises TransitionRefused where the phase takes no item back, ScopeInvalid,
        ItemAbsent, LeaseHeld, LeaseLost.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            members = dead_in(scope or Scope.all(), results.state, results)
        lease = self._lease_for(job_id, lease)
        decision = requeue(results.state, members, lease=lease, operator=operator)
        return self._append(job_id, decision)

    # Retention

    def keep(self, job_id: str, *, for_: timedelta | None, reason: str = "") -> Kept:
        """Keep this job for so long after its newest commit, or for ever with None.

        It stands in the place of the policy's age for as long as the job is there, and does not
        make the job older or younger. Raises JobAbsent, and ValueError for a negative age.
        """
        self._meet(job_id)
        keep = keep_of(for_, reason, self._clock.now_us())
        with self._store.writing() as writer:
            job = self._loader.job(writer, job_id)
            writer.put_keep(job.number, keep)
        return Kept(job_id=job_id, for_=for_, reason=reason, set_at=instant(keep.set_at_us))

    def keep_by_policy(self, job_id: str) -> None:
        """Keep this job for as long as others that end like it. Raises JobAbsent."""
        self._meet(job_id)
        with self._store.writing() as writer:
            writer.put_keep(self._loader.job(writer, job_id).number, None)

    def kept(self, job_id: str) -> Kept | None:
        """How long this job is kept, None if it goes by the policy. Raises JobAbsent."""
        self._meet(job_id)
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            return kept_of(job, reader.keep(job.number))

    def plan_retention(self, policy: RetentionPolicy | None = None) -> RetentionPlan:
        """What may go by `policy`, and why each job goes or stays; nothing is changed.

        Cost: one pass over the sizes of all rows.
        """
        with self._store.reading() as reader:
            now_us = self._clock.now_us()
            return plan_retention(self._loader, reader, policy or RetentionPolicy(), now_us)

    def collect(
        self,
        retention: RetentionPlan,
        *,
        batch_rows: int = BATCH_ROWS,
        rest: Callable[[], None] = pause,
    ) -> Collected:
        """Delete what `retention` says may go, of jobs that have not changed since it was made.

        Safe while executors and other collectors run: each job is decided again under the write
        lock, at most `batch_rows` rows are deleted in a commit, and `rest` is called between two
        commits, for others to write. If it is cut short, the next one finishes what was begun.
        """
        collected = collect(self._loader, self._clock, retention, batch_rows=batch_rows, rest=rest)
        for job_id in collected.deleted:
            self._appender.forget(job_id)
        return collected

    def vacuum(self) -> Vacuumed:
        """Give the space of what was deleted back to the disk; it may be a long time.

        Unless the file was made to give up pages one by one, it is written anew: that needs room
        for it twice, and nobody else writes meanwhile. Raises StoreLocked.
        """
        return self._store.vacuum()

    def sizes(self, job_id: str, *, largest: int = LARGEST) -> JobSizes:
        """Where the bytes of the job are, with its `largest` values. Every value is read."""
        state = self.get_state(job_id)
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            self._loader.same(job, state.number, "what was read")
            return job_sizes(self._loader, reader, job, state, largest)

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
            job = self._loader.job(reader, job_id)
            state = self._loader.load(reader, job, self._appender.known(job_id)).state
            lease = self._loader.lease(reader, job, state.fence)
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
        self._meet(job_id)
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
        self._meet(job_id)
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            return results.result(item_ordinal(results.state, item))

    def result(self, job_id: str) -> Any:  # Any: JSON
        """What the reduce phase gave. Raises KeyError while there is none."""
        self._meet(job_id)
        with self._store.reading() as reader:
            return self._results(reader, job_id).job_result()

    def failures(self, job_id: str, *, undecoded: bool = False) -> dict[str, list[Failure]]:
        """The failed attempts by item key, oldest first, of the items that had any.

        Raises CodecAbsent where their messages need another payload codec; with `undecoded`, the
        message says so instead.
        """
        self._meet(job_id)
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            inputs, found = results.state.inputs, results.failures(undecoded=undecoded)
        return {inputs.key(ordinal): failures for ordinal, failures in sorted(found.items())}

    def verify(self, job_id: str | None = None) -> list[Verification]:
        """Everything that the job, or every job, promises, checked from the start."""
        if job_id is not None:
            self._meet(job_id)
        with self._store.reading() as reader:
            if job_id is not None:
                jobs = [find_entry(reader, check_job_id(job_id), self._store.url)]
            else:
                jobs = reader.entries()
            return [verify_job(self._loader, reader, job) for job in jobs]

    def stored_ids(self) -> list[str]:
        """The ids of all jobs that can be had from a damaged store too, in order of creation."""
        with self._store.reading() as reader:
            return [job.job_id for job in reader.entries()]

    def check_store(self) -> list[str]:
        """What is wrong with the store as a whole: its medium, its entries, rows of no job."""
        with self._store.reading() as reader:
            return store_problems(self._loader, reader)

    def back_up(self, copy: str | Path) -> int:
        """Write a copy of the whole store, as of this moment, to a new file; its size in bytes.

        It is durable when this returns, and a store like any other. Nobody waits meanwhile: what
        is written while it is made is not in it. Raises StoreError where there is a file already,
        StoreUnreadable where the store is damaged. Cost: the store is read once.
        """
        return self._store.back_up(Path(copy))

    def repair(self, job_id: str, *, apply: bool = False) -> Repair:
        """What a repair of the job would do, or, with `apply`, what it did, in one commit.

        What is derived is made anew; the commits that the fold cannot reach are set aside, whole,
        and a `repaired` event in the history says which. Raises JobAbsent, LifecycleChanged, and
        StoreUnreadable where the medium itself is damaged: then salvage it into a new file.
        """
        self._meet(job_id)
        check_job_id(job_id)
        if not apply:
            with self._store.reading() as reader:
                job = find_entry(reader, job_id, self._store.url)
                return survey(self._loader, reader, job)
        self._refuse_damaged()
        with self._store.writing() as writer:
            job = find_entry(writer, job_id, self._store.url)
            repair = repair_job(self._loader, writer, job, self._clock.now_us())
        self._appender.forget(job_id)
        _log.warning("job %s repaired: %s", job_id, repair.steps)
        return repair

    def list_strays(self) -> list[Stray]:
        """The rows of jobs of which there is no entry. Cost: every id is read."""
        with self._store.reading() as reader:
            return list(reader.strays())

    def set_strays_aside(self) -> list[Stray]:
        """Move the rows of jobs of which there is no entry into the quarantine; which there were.

        Raises StoreUnreadable where the medium itself is damaged.
        """
        self._refuse_damaged()
        with self._store.writing() as writer:
            return set_strays_aside(writer, self._clock.now_us())

    def quarantine(self, job_id: str | None = None) -> Iterator[QuarantinedRow]:
        """What repairs took out of its place, of one job or of all, oldest first, streamed."""
        with self._store.reading() as reader:
            yield from quarantined(self._loader, reader, job_id)

    def _refuse_damaged(self) -> None:
        problems = self._store.check()
        if problems:
            problem = f"{problems[0]}: salvage it into a new file, nothing was repaired"
            raise StoreUnreadable(url=self._store.url, problem=problem)

    def compact(self, job_id: str, *, dry_run: bool = False) -> Compaction:
        """Store the job's log more tightly: small commits merged into compressed blocks.

        Nothing that can be read of the job changes; at any moment it is safe. Of a job that is
        not finished, what does not fill a block is left. With `dry_run` the answer says what it
        would be. The file does not shrink, but what is freed in it is used again. Raises
        JobAbsent, and LogCorrupt at a commit that does not verify, which is left as it is. Cost:
        the log is read and checked once, and one short commit of the store a block.
        """
        finished = self.get_state(job_id).finished
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
        return compact(self._loader, job, finished=finished, dry_run=dry_run)

    def store_format(self) -> StoreFormat:
        """The format of the store, the newest that this version knows, and the steps between.

        Opening a store for writing takes them all; one opened for reading stays as it is.
        """
        return self._store.format()

    # Within

    def _sweep(self) -> None:
        """Take away what is left of items whose writers died; a store that is busy is left be."""
        if not self._store.read_only:
            with suppress(StoreLocked):
                sweep(self._loader, self._clock.now_us())

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

    def _decision(self, write: Write) -> Decision:
        prepared = self._prepared(self._known(write.job_id), write.requests)
        self._meet(write.job_id)
        return decide(
            prepared,
            lease=self._lease_for(write.job_id, write.lease),
            operator=write.operator,
            locator=self._locator,
        )

    def _prepared(self, state: JobState, requests: Iterable[Request]) -> Wanted:
        wanted = prepare(state, requests, self._limits)
        refuse_clear_text(state, wanted, self._loader.payloads, self._store.url)
        return wanted

    def _append(self, job_id: str, decision: Decision) -> JobState:
        self._meet(job_id)
        return self._appender.append(job_id, decision)

    def _lease_for(self, job_id: str, lease: Lease | None) -> Lease | None:
        return lease or self._leases.get(job_id)

    def _known(self, job_id: str) -> JobState:
        """A state of the job of any age: for what does not change, its lifecycle."""
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
        return ResultReader(
            reader, job, state, self._store.url, self._loader.payloads, self._locator
        )
