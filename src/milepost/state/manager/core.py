"""The core of the manager's parts: the store, the clock, and the known states of jobs."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from milepost import arguments
from milepost.errors import JobAbsent, LifecycleChanged
from milepost.state.manager import work
from milepost.state.manager.users import Users
from milepost.text.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from milepost.clock import Clock
    from milepost.job.state import JobState
    from milepost.log.payloads import PayloadCodec
    from milepost.log.rows import StoredJob
    from milepost.machine import Lifecycle
    from milepost.metrics import Metrics
    from milepost.process.identity import Processes
    from milepost.state.limits import Limits
    from milepost.state.reading.loading import JobLog, Loading
    from milepost.state.reading.outline import Outline
    from milepost.state.reading.results import ResultReader
    from milepost.state.writing.decision import Decision
    from milepost.state.writing.lease import Lease
    from milepost.stores.protocol import Rows, StateStore, Writer

__all__ = ["Core"]


def _new_job_id() -> str:
    return f"job-{os.urandom(6).hex()}"


def _check_made_of(store: object, clock: object, metrics: object, limits: object) -> None:
    """Raise ArgumentInvalid for a part that a manager cannot work with."""
    for name in ("reading", "writing", "appending", "close"):
        if not callable(getattr(store, name, None)):
            arguments.refuse("store", store, "a StateStore, as open_store gives,")
    if clock is not None and not callable(getattr(clock, "now_us", None)):
        arguments.refuse("clock", clock, "a Clock, with a method now_us,")
    if metrics is not None:
        arguments.instance("metrics", metrics, work.Metrics)
    if limits is not None:
        arguments.instance("limits", limits, work.Limits)


class Core:
    """The store of one manager, and the newest state that it knows of each job."""

    def __init__(
        self,
        store: StateStore,
        *,
        lifecycle: Lifecycle | None = None,
        lifecycles: Sequence[Lifecycle] = (),
        earlier: Sequence[Lifecycle] = (),
        clock: Clock | None = None,
        processes: Processes | None = None,
        new_job_id: Callable[[], str] = _new_job_id,
        metrics: Metrics | None = None,
        payload_codec: PayloadCodec | None = None,
        limits: Limits | None = None,
        legacy: str | Path | None = None,
    ) -> None:
        _check_made_of(store, clock, metrics, limits)
        if processes is not None and not callable(getattr(processes, "this", None)):
            arguments.refuse("processes", processes, "Processes, with a method this,")
        arguments.calls("new_job_id", new_job_id)
        catalogue = work.catalogue_of(lifecycle, lifecycles, earlier)
        if payload_codec is not None:
            work.codec_name(payload_codec)
        self._legacy = None
        if legacy is not None:
            self._legacy = work.old_homes.old_home(arguments.path("legacy", legacy))
        self._store = store
        self._clock: Clock = clock or getattr(store, "clock", None) or work.SystemClock()
        self._new_job_id = new_job_id
        self._limits = replace(limits or work.Limits())  # another manager has told of its own
        self._metrics = metrics or work.Metrics()
        self._loader = work.Loader(store, catalogue, self._metrics, payload_codec)
        self._observer = work.Observer(
            work.steady(self._clock), processes or work.SystemProcesses()
        )
        self._appender = work.Appender(self._loader, self._observer, self._limits)
        self._locator = work.Locator(store.url)
        self._leases: dict[str, Lease] = {}
        self._index_ends: dict[
            int, int
        ] = {}  # by a job's number: what its index had when it met it
        self._users = Users()

    def __repr__(self) -> str:
        return one_line(f"<{type(self).__name__} on {self.url}>")

    @property
    def url(self) -> str:
        """Where the state is kept."""
        return self._store.url

    @property
    def lifecycles(self) -> tuple[Lifecycle, ...]:
        """The lifecycles at hand, each in its current version, the default for new jobs first."""
        return tuple(self._loader.tables.current.values())

    @property
    def limits(self) -> Limits:
        """How large what this manager writes may be."""
        return self._limits

    def now_us(self) -> int:
        """The time by the clock that commits are dated by, in microseconds since 1970."""
        return self._clock.now_us()

    def monotonic_us(self) -> int:
        """The time that leases and waits go by: microseconds since some moment, never set."""
        return self._observer.monotonic_us()

    def close(self) -> None:
        """Close the store; the manager cannot be used afterwards. Closing twice is fine.

        Runs that other threads have on this manager are stopped in order before, and waited for: as
        long as their calls have grace, and five seconds for the last commits.
        """
        try:
            self._users.dismiss()
        finally:
            self._store.close()

    @property
    def users(self) -> Users:
        """The users of the manager, such as runs; `close` asks them to end first."""
        return self._users

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def get_state(self, job_id: str) -> JobState:
        """The newest state of the job. Never waits for a writer.

        Args:
            job_id: The job.

        Raises:
            JobAbsent: The store has no such job.
            LogCorrupt: A commit of its log does not verify.
            LifecycleChanged: The job cannot go on under the lifecycle that is open.

        Cost:
            One query for the commits since this manager last looked. The first look reads the
                newest checkpoint and the heads after it.
        """
        return self._load(job_id).state

    def _meet(self, job_id: str) -> str:
        """The id as plain text, before every look at a job. Raises JobIdInvalid if it is none.

        The job is imported if it is not here and the old home has it.
        """
        if type(job_id) is not str:
            job_id = work.check_job_id(job_id)
        if self._legacy is None or self._appender.known(job_id) is not None:
            return job_id
        with self._store.reading() as reader:
            if reader.job(work.check_job_id(job_id)) is not None:
                return job_id
        if not self._store.read_only:
            work.old_homes.import_named(self._loader, self._legacy, job_id, self._clock.now_us)
        elif told := work.old_homes.advice(self._legacy, job_id):
            raise JobAbsent(job_id=job_id, url=self._store.url, advice=told)
        return job_id

    @contextmanager
    def _job_log(self, job_id: str) -> Iterator[JobLog]:
        """The log of the job as it is while the block runs, for queries of one moment.

        The job is imported first if it is not here and the old home has it. Raises JobIdInvalid,
        JobAbsent.
        """
        job_id = self._meet(job_id)
        with self._store.reading() as reader:
            yield self._loader.log(reader, job_id)

    @contextmanager
    def _job_log_written(self, job_id: str, *others: str) -> Iterator[tuple[JobLog, Writer]]:
        """As `_job_log`, with the writer that the log is read by: one commit.

        It is of this job and of `others`.
        """
        job_id = self._meet(job_id)
        with self._store.writing(job_id, *others) as writer:
            yield self._loader.log(writer, job_id), writer

    def _append(self, job_id: str, decision: Decision) -> JobState:
        return self._appender.append(self._meet(job_id), decision)

    def _lease_for(self, job_id: str, lease: Lease | None) -> Lease | None:
        """The lease to write under: the one given, or the one that this manager holds."""
        if lease is None:
            return self._leases.get(job_id)
        return arguments.instance("lease", lease, work.Lease)

    def _load(self, job_id: str) -> Loading:
        job_id = self._meet(job_id)
        with self._store.reading() as reader:  # as `_job_log`, for less: every look comes by here
            loading = self._loader.log(reader, job_id).load(self._appender.known(job_id))
        self._appender.remember(loading.state)
        return loading

    def _newest(self, log: JobLog) -> JobState:
        """The newest state of the job."""
        return log.load(self._appender.known(log.job_id)).state

    def _outlined(self, log: JobLog) -> JobState | Outline:
        """The newest state of the job, or what its log says where its tables are not at hand."""
        try:
            return self._newest(log)
        except LifecycleChanged:
            return work.outline(log)

    def _written(self, writer: Writer, job_id: str) -> JobState:
        """The job as a transaction is about to commit it: what is read later may not be readable.

        So an error of reading is one before anything was written, and no answer is lost to one.
        """
        return self._loader.log(writer, job_id).load().state

    def _results(self, log: JobLog) -> ResultReader:
        return self._result_reader(log.reader, log.entry, self._newest(log))

    def _result_reader(self, rows: Rows, job: StoredJob, state: JobState) -> ResultReader:
        return work.ResultReader(
            rows, job, state, self._store.url, self._loader.payloads, self._locator
        )
