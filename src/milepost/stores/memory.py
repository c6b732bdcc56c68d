"""The store in memory: for tests and for jobs that need not outlive their process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from milepost.errors import StoreError
from milepost.rows import (
    Block,
    InputBlock,
    Quarantined,
    Row,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    StoreFormat,
    Stray,
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
    aside: tuple[Quarantined, ...] = ()

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

    def entries(self) -> list[StoredJob]:
        """Every entry, in order of creation."""
        return [log.job for log in self.logs.values()]

    def newest(self, job: int) -> tuple[int, bytes] | None:
        """Seq and digest of the newest commit of the job; None if it has no commits."""
        tip = self.tip(job)
        return None if tip is None else (tip.seq, tip.digest)

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

    def strays(self) -> Iterator[Stray]:
        """Nothing: here rows are kept with their entry."""
        return iter(())

    def quarantine(self) -> Iterator[Quarantined]:
        """What repairs took out of its place, oldest first."""
        return iter(self.aside)

    def add_job(self, job_id: str, created_at_us: int, lifecycle: str) -> StoredJob:
        """A new entry."""
        job = StoredJob(len(self.logs) + 1, job_id, created_at_us, lifecycle)
        self.logs[job_id] = _Log(job)
        return job

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

    def put_job(self, job: StoredJob) -> None:
        """The entry of that number as it should be."""
        self._put(replace(self._log(job.number), job=job))

    def set_aside(
        self,
        number: int,
        source: str,
        *,
        job_id: str,
        reason: str,
        at_us: int,
        first: int = 0,
        upto: int = (1 << 40) - 1,
    ) -> int:
        """Move rows of `source` into the quarantine, whole; how many there were."""
        log = self._log(number)

        def taken(key: int) -> bool:
            return first <= key <= upto

        moved: list[tuple[int, object]]
        match source:
            case "commits":
                moved = [(row.seq, row) for row in log.rows if taken(row.seq)]
                self._put(replace(log, rows=tuple(r for r in log.rows if not taken(r.seq))))
            case "inputs":
                moved = [(block.first, block) for block in log.inputs if taken(block.first)]
                blocks = tuple(b for b in log.inputs if not taken(b.first))
                self._put(replace(log, inputs=blocks))
            case "checkpoints":
                moved = [(stored.seq, stored) for stored in log.checkpoints if taken(stored.seq)]
                stay = tuple(c for c in log.checkpoints if not taken(c.seq))
                self._put(replace(log, checkpoints=stay))
            case _:
                moved = [(0, log.lease)] if log.lease else []
                self._put(replace(log, lease=None))
        self.aside += tuple(
            Quarantined(
                number=len(self.aside) + index,
                at_us=at_us,
                job_id=job_id,
                source=source,
                key=key,
                reason=reason,
                content=msgspec.json.encode(row),
            )
            for index, (key, row) in enumerate(moved, start=1)
        )
        return len(moved)

    def reseal(self, job: int) -> None:
        """Nothing: here no row is lost behind one's back."""

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
        self._aside: tuple[Quarantined, ...] = ()

    @contextmanager
    def reading(self) -> Iterator[_Transaction]:
        """Queries of one moment."""
        yield _Transaction(self._logs, self._commits, self._aside)

    @contextmanager
    def writing(self) -> Iterator[_Transaction]:
        """One commit: what it leaves replaces what was, unless the block raises."""
        with self._turn:
            transaction = _Transaction(dict(self._logs), self._commits, self._aside)
            yield transaction
            self._logs, self._aside = transaction.logs, transaction.aside
            self._commits += 1
            transaction.mark = self._commits

    def check(self) -> list[str]:
        """Memory is sound."""
        return []

    def format(self) -> StoreFormat:
        """Memory outlives no version: it always has the one format that there is."""
        return StoreFormat(version=0, newest=0, pending=())

    def back_up(self, copy: Path) -> int:
        """Memory is kept in no file. Raises StoreError."""
        raise StoreError(
            url=self.url, problem=f"it is in memory: there is nothing to put in {copy}"
        )

    def close(self) -> None:
        """Nothing to give back."""
