"""The store in memory: for tests and for jobs that need not outlive their process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import msgspec

from milepost.errors import StoreError
from milepost.rows import (
    Block,
    InputBlock,
    Row,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    StoreFormat,
    Tip,
)

__all__ = ["MemoryStore"]


@dataclass(frozen=True)
class _Log:
    """All that is kept of one job; replaced as a whole by each change, so readers need no lock."""

    job: StoredJob
    rows: tuple[Row, ...] = ()
    inputs: tuple[InputBlock, ...] = ()
    checkpoints: tuple[StoredCheckpoint, ...] = ()
    lease: StoredLease | None = None


@dataclass
class _Transaction:
    """A moment of the store: the logs as they were when it began, and as this writer left them."""

    logs: dict[str, _Log] = field(default_factory=dict)
    mark: int = 0

    def job(self, job_id: str) -> StoredJob | None:
        """The job of that id, or None."""
        log = self.logs.get(job_id)
        return log.job if log else None

    def job_ids(self, prefix: str) -> list[str]:
        """The ids that begin with `prefix`, in order."""
        return sorted(job_id for job_id in self.logs if job_id.startswith(prefix))

    def tips(self) -> Iterator[Tip]:
        """Every job with its newest row, in order of creation."""
        return (Tip(log.job, log.rows[-1]) for log in self.logs.values() if log.rows)

    def tip(self, job: int) -> Row | None:
        """The newest row of the job's log."""
        rows = self._log(job).rows
        return rows[-1] if rows else None

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """The rows with `after < seq <= upto`, in order; bodies cost nothing here."""
        del bodies
        return iter(self._log(job).rows[after:upto])

    def blocks(self, job: int, after: int = 0) -> Iterator[tuple[int, int]]:
        """All rows at once: memory has nothing tighter than it has already."""
        count = len(self._log(job).rows)
        return iter([(1, count)] if count > after else [])

    def inputs(self, job: int, ordinal: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `ordinal` on, in order."""
        return (b for b in self._log(job).inputs if b.first + b.count > ordinal)

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        """The job's checkpoints, newest first."""
        return iter(sorted(self._log(job).checkpoints, key=lambda c: -c.seq))

    def lease(self, job: int) -> StoredLease | None:
        """The job's newest lease, expired or not."""
        return self._log(job).lease

    def add_job(self, job_id: str, created_at_us: int, lifecycle: str) -> StoredJob:
        """A new entry."""
        job = StoredJob(len(self.logs) + 1, job_id, created_at_us, lifecycle)
        self.logs[job_id] = _Log(job)
        return job

    def set_lifecycle(self, job: int, lifecycle: str) -> None:
        """Note by which lifecycle the job runs from now on."""
        log = self._log(job)
        self._put(replace(log, job=msgspec.structs.replace(log.job, lifecycle=lifecycle)))

    def add_inputs(self, job: int, block: InputBlock) -> None:
        """One block of a new job's items."""
        log = self._log(job)
        self._put(replace(log, inputs=(*log.inputs, block)))

    def add_row(self, job: int, row: Row) -> None:
        """The next row of the job's log."""
        log = self._log(job)
        fence = log.rows[-1].fence if log.rows else 0
        if row.seq != len(log.rows) + 1 or row.fence < fence:
            raise StoreError(url="memory:", problem="INV-GAPLESS, INV-FENCE")
        self._put(replace(log, rows=(*log.rows, row)))

    def put_block(self, job: int, block: Block) -> bool:
        """Never: rows stay as they are."""
        del job, block
        return False

    def put_checkpoint(self, job: int, checkpoint: StoredCheckpoint) -> None:
        """A checkpoint; one at the same seq is replaced."""
        log = self._log(job)
        others = tuple(c for c in log.checkpoints if c.seq != checkpoint.seq)
        self._put(replace(log, checkpoints=(*others, checkpoint)))

    def put_lease(self, job: int, lease: StoredLease) -> None:
        """The job's lease; the one before it is replaced."""
        self._put(replace(self._log(job), lease=lease))

    def _log(self, job: int) -> _Log:
        return next(log for log in self.logs.values() if log.job.number == job)

    def _put(self, log: _Log) -> None:
        self.logs[log.job.job_id] = log


class MemoryStore:
    """A store that is gone with its process. Appending costs O(rows of the job)."""

    def __init__(self) -> None:
        self.url = "memory:"
        self.read_only = False
        self._turn = threading.Lock()
        self._logs: dict[str, _Log] = {}
        self._commits = 0

    @contextmanager
    def reading(self) -> Iterator[_Transaction]:
        """Queries of one moment."""
        yield _Transaction(self._logs)

    @contextmanager
    def writing(self) -> Iterator[_Transaction]:
        """One commit: what it leaves replaces what was, unless the block raises."""
        with self._turn:
            transaction = _Transaction(dict(self._logs), mark=self._commits)
            yield transaction
            self._logs = transaction.logs
            self._commits += 1
            transaction.mark = self._commits

    def check(self) -> list[str]:
        """Memory is sound."""
        return []

    def format(self) -> StoreFormat:
        """Memory outlives no version: it always has the one format that there is."""
        return StoreFormat(version=0, newest=0, pending=())

    def close(self) -> None:
        """Nothing to give back."""
