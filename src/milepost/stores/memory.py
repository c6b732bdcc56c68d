"""The store in memory: for tests and for jobs that need not outlive their process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from milepost.errors import StoreError
from milepost.rows import (
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    Tip,
)

__all__ = ["MemoryStore"]


@dataclass(frozen=True)
class _Log:
    """All that is kept of one job; replaced as a whole by each change, so readers need no lock."""

    job: StoredJob
    rows: tuple[Row, ...] = ()
    checkpoints: tuple[StoredCheckpoint, ...] = ()
    lease: StoredLease | None = None


@dataclass(frozen=True)
class _Places:
    """The inputs under one number, whether there is a job of it yet or not."""

    blocks: tuple[InputBlock, ...] = ()
    segments: tuple[KeySegment, ...] = ()


@dataclass
class _Transaction:
    """A moment of the store: the logs as they were when it began, and as this writer left them."""

    logs: dict[str, _Log] = field(default_factory=dict)
    places: dict[int, _Places] = field(default_factory=dict)
    stagings: tuple[Staged, ...] = ()

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

    def inputs(self, job: int, place: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `place` on, in order."""
        return (b for b in self._places(job).blocks if b.first + b.count > place)

    def key_segments(self, job: int, first: int, end: int) -> Iterator[KeySegment]:
        """What is known of where keys are, of segments with `first <= segment.first < end`."""
        return (s for s in self._places(job).segments if first <= s.first < end)

    def next_place(self, job: int) -> int:
        """The first place behind all that is stored or staged for the job, or being swept."""
        ends = [block.first + block.count for block in self._places(job).blocks[-1:]]
        ends += [s.first + s.count for s in self.stagings if s.number == job]
        return max(ends, default=0)

    def staged(self) -> list[Staged]:
        """The inputs that no commit speaks of yet."""
        return sorted(self.stagings, key=lambda staged: (staged.number, staged.first))

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        """The job's checkpoints, newest first."""
        return iter(sorted(self._log(job).checkpoints, key=lambda c: -c.seq))

    def lease(self, job: int) -> StoredLease | None:
        """The job's newest lease, expired or not."""
        return self._log(job).lease

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> StoredJob:
        """A new entry."""
        number = self.reserve() if number is None else number
        job = StoredJob(number, job_id, created_at_us, lifecycle)
        self.logs[job_id] = _Log(job)
        return job

    def reserve(self) -> int:
        """A number that no job has, and no staged inputs."""
        taken = [log.job.number for log in self.logs.values()]
        return max([*taken, *(staged.number for staged in self.stagings)], default=0) + 1

    def add_inputs(self, job: int, block: InputBlock) -> None:
        """One block of a job's items; its places are free."""
        places = self._places(job)
        self.places[job] = replace(places, blocks=(*places.blocks, block))

    def add_key_segment(self, job: int, segment: KeySegment) -> None:
        """Where the keys of some of the job's places are."""
        places = self._places(job)
        self.places[job] = replace(places, segments=(*places.segments, segment))

    def stage(self, staged: Staged) -> None:
        """Say that no commit speaks of these places yet."""
        at = (staged.number, staged.first)
        others = tuple(s for s in self.stagings if (s.number, s.first) != at)
        self.stagings = (*others, staged)

    def unstage(self, token: str) -> int:
        """A commit speaks of what this writer had staged: of how many places."""
        found = sum(s.count for s in self.stagings if s.token == token)
        self.stagings = tuple(s for s in self.stagings if s.token != token)
        return found

    def sweep(self, staged: Staged, blocks: int) -> bool:
        """Take up to `blocks` of the staged blocks away, the last first; True if none is left."""
        places, end = self._places(staged.number), staged.first + staged.count
        found = [block for block in places.blocks if staged.first <= block.first < end]
        swept = {block.first for block in found[-blocks:]}
        kept = tuple(block for block in places.blocks if block.first not in swept)
        done = len(swept) == len(found)
        segments = tuple(s for s in places.segments if not (done and staged.first <= s.first < end))
        self.places[staged.number] = _Places(kept, segments)
        if done:
            at = (staged.number, staged.first)
            self.stagings = tuple(s for s in self.stagings if (s.number, s.first) != at)
        return done

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

    def _places(self, job: int) -> _Places:
        return self.places.get(job, _Places())

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
        self._newest = _Transaction()

    @contextmanager
    def reading(self) -> Iterator[_Transaction]:
        """Queries of one moment."""
        yield self._newest

    @contextmanager
    def writing(self) -> Iterator[_Transaction]:
        """One commit: what it leaves replaces what was, unless the block raises."""
        with self._turn:
            newest = self._newest
            transaction = _Transaction(dict(newest.logs), dict(newest.places), newest.stagings)
            yield transaction
            self._newest = transaction

    def check(self) -> list[str]:
        """Memory is sound."""
        return []

    def close(self) -> None:
        """Nothing to give back."""
