"""The store in memory: for tests and for jobs that need not outlive their process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import msgspec

from milepost.errors import StoreError
from milepost.rows import (
    Erased,
    InputBlock,
    Row,
    StoredCheckpoint,
    StoredCheckpointSize,
    StoredJob,
    StoredKeep,
    StoredLease,
    StoredSizes,
    Tip,
    Tombstone,
    Vacuumed,
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
    keep: StoredKeep | None = None

    def sizes(self) -> StoredSizes:
        """How much is stored."""
        return StoredSizes(
            inputs_rows=len(self.inputs),
            inputs_bytes=sum(len(b.keys) + len(b.values) for b in self.inputs),
            commits=len(self.rows),
            heads_bytes=sum(len(r.head) + len(r.after) for r in self.rows),
            bodies_bytes=sum(len(r.body) for r in self.rows),
            checkpoints=len(self.checkpoints),
            checkpoints_bytes=sum(len(c.snapshot) for c in self.checkpoints),
        )


@dataclass
class _Transaction:
    """A moment of the store: the logs as they were when it began, and as this writer left them.

    `buried` are the logs of deleted jobs, by number, until they are erased.
    """

    logs: dict[str, _Log] = field(default_factory=dict)
    buried: dict[int, _Log] = field(default_factory=dict)
    tombstones: dict[int, Tombstone] = field(default_factory=dict)
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

    def inputs(self, job: int, ordinal: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `ordinal` on, in order."""
        return (b for b in self._log(job).inputs if b.first + b.count > ordinal)

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        """The job's checkpoints, newest first."""
        return iter(sorted(self._log(job).checkpoints, key=lambda c: -c.seq))

    def lease(self, job: int) -> StoredLease | None:
        """The job's newest lease, expired or not."""
        return self._log(job).lease

    def keep(self, job: int) -> StoredKeep | None:
        """How long this job is kept, where that was said of it."""
        return self._log(job).keep

    def checkpoint_sizes(self, job: int) -> list[StoredCheckpointSize]:
        """The job's checkpoints without their snapshots, newest first."""
        return [
            StoredCheckpointSize(one.seq, one.reason, len(one.snapshot))
            for one in self.checkpoints(job)
        ]

    def sizes(self, job: int) -> StoredSizes:
        """How much is stored of the job."""
        return self._log(job).sizes()

    def tombstone(self, job_id: str) -> Tombstone | None:
        """The newest job of that id that was deleted."""
        found = [t for t in self.tombstones.values() if t.job_id == job_id]
        return found[-1] if found else None

    def tombstones_left(self) -> list[Tombstone]:
        """The deleted jobs of which rows are left, oldest first."""
        return [t for t in self.tombstones.values() if not t.erased]

    def add_job(self, job_id: str, created_at_us: int, lifecycle: str) -> StoredJob:
        """A new entry."""
        taken = [log.job.number for log in self.logs.values()] + list(self.tombstones)
        job = StoredJob(max(taken, default=0) + 1, job_id, created_at_us, lifecycle)
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

    def put_checkpoint(self, job: int, checkpoint: StoredCheckpoint) -> None:
        """A checkpoint; one at the same seq is replaced."""
        log = self._log(job)
        others = tuple(c for c in log.checkpoints if c.seq != checkpoint.seq)
        self._put(replace(log, checkpoints=(*others, checkpoint)))

    def put_lease(self, job: int, lease: StoredLease) -> None:
        """The job's lease; the one before it is replaced."""
        self._put(replace(self._log(job), lease=lease))

    def put_keep(self, job: int, keep: StoredKeep | None) -> None:
        """How long this job is kept; None is as long as others like it."""
        self._put(replace(self._log(job), keep=keep))

    def remove_checkpoint(self, job: int, seq: int) -> None:
        """Take the checkpoint at `seq` away, if there is one."""
        log = self._log(job)
        others = tuple(c for c in log.checkpoints if c.seq != seq)
        self._put(replace(log, checkpoints=others))

    def bury(self, job: StoredJob, deleted_at_us: int, reason: str) -> None:
        """Put a tombstone in the place of the job's entry: nobody finds its rows any more."""
        self.buried[job.number] = self.logs.pop(job.job_id)
        tombstone = Tombstone(job.number, job.job_id, deleted_at_us, reason, erased=False)
        self.tombstones[job.number] = tombstone
        self.tombstones = dict(sorted(self.tombstones.items()))

    def erase(self, number: int, rows: int, size_bytes: int) -> Erased:
        """Take away up to `rows` rows of a buried job, or the first that make up `size_bytes`.

        Once nothing is left the tombstone says so. Raises ValueError for a job that has an entry.
        """
        if any(log.job.number == number for log in self.logs.values()):
            raise ValueError(f"job number {number} has an entry: bury it first")
        log = self._log(number)
        taken, freed_bytes = 0, 0
        for name in ("rows", "inputs", "checkpoints"):
            left = getattr(log, name)
            while left and taken < rows and freed_bytes < size_bytes:
                freed_bytes += replace(_Log(log.job), **{name: left[:1]}).sizes().total_bytes
                taken += 1
                left = left[1:]
            log = replace(log, **{name: left})
        done = not (log.rows or log.inputs or log.checkpoints)
        done = done and taken < rows and freed_bytes < size_bytes
        self.buried[number] = log
        if done:
            del self.buried[number]
            buried = self.tombstones.get(number)
            if buried is not None:
                self.tombstones[number] = msgspec.structs.replace(buried, erased=True)
        return Erased(taken, freed_bytes, done)

    def forget_tombstones(self, before_us: int, limit: int) -> int:
        """Drop up to `limit` tombstones from before, the newest never; how many were dropped."""
        old = [
            t.number
            for t in self.tombstones.values()
            if t.erased and t.deleted_at_us < before_us and t.number != max(self.tombstones)
        ]
        for number in old[:limit]:
            del self.tombstones[number]
        return len(old[:limit])

    def _log(self, job: int) -> _Log:
        """The log of that number, of an entry or of a buried job; an empty one if there is none."""
        for log in self.logs.values():
            if log.job.number == job:
                return log
        return self.buried.get(job) or _Log(StoredJob(job, "", 0, ""))

    def _put(self, log: _Log) -> None:
        self.logs[log.job.job_id] = log


class MemoryStore:
    """A store that is gone with its process. Appending costs O(rows of the job)."""

    def __init__(self) -> None:
        self.url = "memory:"
        self.read_only = False
        self._turn = threading.Lock()
        self._now = _Transaction()

    @contextmanager
    def reading(self) -> Iterator[_Transaction]:
        """Queries of one moment."""
        yield self._now

    @contextmanager
    def writing(self) -> Iterator[_Transaction]:
        """One commit: what it leaves replaces what was, unless the block raises."""
        with self._turn:
            now = self._now
            transaction = _Transaction(
                dict(now.logs), dict(now.buried), dict(now.tombstones), now.mark
            )
            yield transaction
            transaction.mark += 1
            self._now = transaction

    def check(self) -> list[str]:
        """Memory is sound."""
        return []

    def vacuum(self) -> Vacuumed:
        """Nothing to give back: what was erased is gone."""
        return Vacuumed(how="none", before_bytes=0, after_bytes=0)

    def close(self) -> None:
        """Nothing to give back."""
