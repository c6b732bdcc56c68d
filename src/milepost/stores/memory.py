"""The store in memory: for tests and for jobs that need not outlive their process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from milepost.clock import SteadyClock
from milepost.errors import StoreError, StoreForked
from milepost.log.rows import (
    GIVEN_BACK,
    Block,
    Erased,
    InputBlock,
    KeySegment,
    Quarantined,
    Row,
    Staged,
    StoredCheckpoint,
    StoredCheckpointSize,
    StoredJob,
    StoredKeep,
    StoredLease,
    StoredLifecycle,
    StoredSizes,
    StoredSpan,
    StoreFormat,
    Stray,
    Tip,
    Tombstone,
    Vacuumed,
)
from milepost.process.forks import here
from milepost.stores.protocol import Kind, out_of_turn
from milepost.stores.unreadable import OnError, refuse

__all__ = ["MemoryStore"]

_Stored = TypeVar("_Stored")


@dataclass(frozen=True)
class _Log:
    """All that is kept of one job; replaced as a whole by each change, so readers need no lock."""

    job: StoredJob
    rows: tuple[Row, ...] = ()
    checkpoints: tuple[StoredCheckpoint, ...] = ()
    spans: tuple[StoredSpan, ...] = ()
    lease: StoredLease | None = None
    keep: StoredKeep | None = None


@dataclass(frozen=True)
class _Places:
    """The inputs under one number, whether there is a job of it yet or not."""

    blocks: tuple[InputBlock, ...] = ()
    segments: tuple[KeySegment, ...] = ()


@dataclass
class _Transaction:
    """A moment of the store: the logs as they were when it began, and as this writer left them.

    `buried` are the logs of deleted jobs, by number, until they are erased, and `coming` those of
    numbers that no job has yet. `named` are the jobs that the writer is for; rows of others it may
    not change, unless none is named.
    """

    logs: dict[str, _Log] = field(default_factory=dict)
    buried: dict[int, _Log] = field(default_factory=dict)
    coming: dict[int, _Log] = field(default_factory=dict)
    tombstones: dict[int, Tombstone] = field(default_factory=dict)
    places: dict[int, _Places] = field(default_factory=dict)
    stagings: tuple[Staged, ...] = ()
    mark: int = 0
    aside: tuple[Quarantined, ...] = ()
    told: dict[str, StoredLifecycle] = field(default_factory=dict)
    named: tuple[str, ...] = ()

    def job(self, job_id: str) -> StoredJob | None:
        log = self.logs.get(job_id)
        return log.job if log else None

    def has_job(self, job_id: str) -> bool:
        return job_id in self.logs

    def job_ids(
        self,
        prefix: str,
        on_error: OnError = refuse,  # noqa: ARG002 memory does not decay
        *,
        limit: int | None = None,
    ) -> list[str]:
        return sorted(job_id for job_id in self.logs if job_id.startswith(prefix))[:limit]

    def count_jobs(self, prefix: str = "") -> int:
        return sum(job_id.startswith(prefix) for job_id in self.logs)

    def tips(
        self,
        on_error: OnError = refuse,  # noqa: ARG002 as above
        *,
        prefix: str = "",
        newest_first: bool = False,
        wanted: Callable[[StoredJob], bool] | None = None,
    ) -> Iterator[Tip]:
        for log in reversed(self.logs.values()) if newest_first else self.logs.values():
            begins = bool(log.rows) and log.job.job_id.startswith(prefix)
            if begins and (wanted is None or wanted(log.job)):
                yield Tip(log.job, log.rows[-1])

    def leased(self, on_error: OnError = refuse) -> Iterator[Tip]:
        held = self.having("held")
        return self.tips(on_error, wanted=lambda job: job.number in held)

    def entries(self) -> list[StoredJob]:
        return [log.job for log in self.logs.values()]

    def newest(self, job: int) -> tuple[int, bytes] | None:
        tip = self.tip(job)
        return None if tip is None else (tip.seq, tip.digest)

    def tip(self, job: int) -> Row | None:
        rows = self._log(job).rows
        return rows[-1] if rows else None

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """Bodies cost nothing here: they are always given."""
        del bodies
        return iter(self._log(job).rows[after:upto])

    def blocks(self, job: int, after: int = 0) -> Iterator[tuple[int, int]]:
        """All rows at once: memory has nothing tighter than it has already."""
        count = len(self._log(job).rows)
        return iter([(1, count)] if count > after else [])

    def inputs(self, job: int, place: int = 0) -> Iterator[InputBlock]:
        return (b for b in self._places(job).blocks if b.first + b.count > place)

    def key_segments(self, job: int, first: int, end: int) -> Iterator[KeySegment]:
        return (s for s in self._places(job).segments if first <= s.first < end)

    def next_place(self, job: int) -> int:
        ends = [block.first + block.count for block in self._places(job).blocks[-1:]]
        ends += [s.first + s.count for s in self.stagings if s.number == job]
        return max(ends, default=0)

    def staged(self) -> list[Staged]:
        return sorted(self.stagings, key=lambda staged: (staged.number, staged.first))

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        return iter(sorted(self._log(job).checkpoints, key=lambda c: -c.seq))

    def spans(self, job: int, after: int = 0) -> Iterator[StoredSpan]:
        """States cost nothing here: they are always given."""
        return (span for span in self._log(job).spans if span.last > after)

    def spans_end(self, job: int) -> int:
        return max((span.last for span in self._log(job).spans), default=0)

    def state_ends(self, job: int) -> list[int]:
        return [span.last for span in self._log(job).spans if span.state]

    def states(self, job: int, upto: int) -> Iterator[StoredSpan]:
        spans = reversed(self._log(job).spans)
        return (span for span in spans if span.last <= upto and span.state)

    def lease(self, job: int) -> StoredLease | None:
        return self._log(job).lease

    def strays(self) -> Iterator[Stray]:
        """None: here rows are kept with their entry."""
        return iter(())

    def quarantine(self, after: int = 0, upto: int | None = None) -> Iterator[Quarantined]:
        last = self.last_quarantined() if upto is None else upto
        return (row for row in self.aside if after < row.number <= last)

    def last_quarantined(self) -> int:
        return max((row.number for row in self.aside), default=0)

    def keep(self, job: int) -> StoredKeep | None:
        return self._log(job).keep

    def checkpoint_sizes(self, job: int) -> list[StoredCheckpointSize]:
        return [
            StoredCheckpointSize(one.seq, one.reason, len(one.snapshot))
            for one in self.checkpoints(job)
        ]

    def sizes(self, job: int) -> StoredSizes:
        return _sizes(self._log(job), self._places(job))

    def sizes_of(self, first: int, last: int) -> dict[int, int]:
        numbers = [log.job.number for log in self.logs.values()]
        return {n: self.sizes(n).total_bytes for n in numbers if first <= n <= last}

    def having(self, what: Kind) -> set[int]:
        logs = self.logs.values()
        match what:
            case "keep":
                return {log.job.number for log in logs if log.keep is not None}
            case "held":
                leases = ((log.job.number, log.lease) for log in logs if log.lease is not None)
                return {number for number, lease in leases if lease.ttl_us != GIVEN_BACK}
            case "checkpoint":
                return {log.job.number for log in logs if log.checkpoints}

    def lifecycle(self, digest: str) -> StoredLifecycle | None:
        return self.told.get(digest)

    def lifecycles(self) -> list[StoredLifecycle]:
        return sorted(self.told.values(), key=lambda one: (one.name, one.version, one.digest))

    def tombstone(self, job_id: str) -> Tombstone | None:
        found = [t for t in self.tombstones.values() if t.job_id == job_id]
        return found[-1] if found else None

    def tombstones_left(self) -> list[Tombstone]:
        return [t for t in self.tombstones.values() if not t.erased]

    def relies_on(self, job: int, seq: int, digest: bytes) -> None:
        """The writer has the lock: whoever relies on a log has seen by the mark that it is so."""

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> StoredJob:
        number = self.reserve() if number is None else number
        job = StoredJob(number, job_id, created_at_us, lifecycle)
        self._check_named(job_id)
        self.logs[job_id] = replace(self.coming.pop(number, _Log(job)), job=job)
        return job

    def reserve(self) -> int:
        taken = [log.job.number for log in self.logs.values()] + list(self.tombstones)
        return max([*taken, *(staged.number for staged in self.stagings)], default=0) + 1

    def add_inputs(
        self, job: int, blocks: Iterable[InputBlock], segments: Iterable[KeySegment]
    ) -> None:
        places = self._places(job)
        self._check_named(self._log(job).job.job_id)
        self.places[job] = _Places((*places.blocks, *blocks), (*places.segments, *segments))

    def stage(self, staged: Staged) -> None:
        at = (staged.number, staged.first)
        others = tuple(s for s in self.stagings if (s.number, s.first) != at)
        self.stagings = (*others, staged)

    def unstage(self, token: str) -> int:
        found = sum(s.count for s in self.stagings if s.token == token)
        self.stagings = tuple(s for s in self.stagings if s.token != token)
        return found

    def sweep(self, staged: Staged, blocks: int) -> bool:
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
        log = self._log(job)
        last = log.rows[-1] if log.rows else None
        if row.seq != len(log.rows) + 1 or row.fence < (last.fence if last else 0):
            raise out_of_turn("memory:", job, row, last)
        self._put(replace(log, rows=(*log.rows, row)))

    def add_rows(self, job: int, rows: Sequence[Row]) -> None:
        for row in rows:
            self.add_row(job, row)

    def put_block(self, job: int, block: Block) -> bool:
        """Never: rows stay as they are."""
        del job, block
        return False

    def put_checkpoint(self, job: int, checkpoint: StoredCheckpoint) -> None:
        log = self._log(job)
        others = tuple(c for c in log.checkpoints if c.seq != checkpoint.seq)
        self._put(replace(log, checkpoints=(*others, checkpoint)))

    def put_span(self, job: int, span: StoredSpan) -> None:
        log = self._log(job)
        others = (one for one in log.spans if one.last != span.last)
        self._put(replace(log, spans=tuple(sorted((*others, span), key=lambda one: one.last))))

    def drop_state(self, job: int, last: int) -> None:
        for span in self._log(job).spans:
            if span.last == last:
                self.put_span(job, msgspec.structs.replace(span, state=b"", state_digest=b""))

    def drop_spans(self, job: int, after: int = 0) -> None:
        log = self._log(job)
        self._put(replace(log, spans=tuple(span for span in log.spans if span.last <= after)))

    def put_lease(self, job: int, lease: StoredLease) -> None:
        self._put(replace(self._log(job), lease=lease))

    def put_job(self, job: StoredJob) -> None:
        self._put(replace(self._log(job.number), job=job))

    def put_lifecycle(self, lifecycle: StoredLifecycle) -> None:
        self.told[lifecycle.digest] = lifecycle

    def drop_lifecycles(self) -> None:
        """Nothing: memory does not decay."""

    def set_aside(
        self,
        number: int,
        source: str,
        *,
        job_id: str,
        reason: str,
        at_us: int,
        first: int = 0,
        upto: int | None = None,
    ) -> int:
        log = self._log(number)

        def taken(key: int) -> bool:
            return first <= key and (upto is None or key <= upto)

        moved: list[tuple[int, object]]
        match source:
            case "commits":
                moved = [(row.seq, row) for row in log.rows if taken(row.seq)]
                self._put(replace(log, rows=tuple(r for r in log.rows if not taken(r.seq))))
                self.drop_spans(number, first - 1)
            case "inputs":
                places = self._places(number)
                moved = [(block.first, block) for block in places.blocks if taken(block.first)]
                blocks = tuple(b for b in places.blocks if not taken(b.first))
                segments = tuple(s for s in places.segments if not taken(s.first))
                self.places[number] = _Places(blocks, segments)
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

    def put_keep(self, job: int, keep: StoredKeep | None) -> None:
        self._put(replace(self._log(job), keep=keep))

    def remove_checkpoint(self, job: int, seq: int) -> None:
        log = self._log(job)
        others = tuple(c for c in log.checkpoints if c.seq != seq)
        self._put(replace(log, checkpoints=others))

    def bury(self, job: StoredJob, deleted_at_us: int, reason: str) -> None:
        self._check_named(job.job_id)
        self.buried[job.number] = replace(self.logs.pop(job.job_id), lease=None, keep=None)
        tombstone = Tombstone(job.number, job.job_id, deleted_at_us, reason, erased=False)
        self.tombstones[job.number] = tombstone
        self.tombstones = dict(sorted(self.tombstones.items()))

    def erase(self, number: int, rows: int, size_bytes: int) -> Erased:
        if any(log.job.number == number for log in self.logs.values()):
            raise ValueError(f"job number {number} has an entry: bury it first")
        self._check_named(self._log(number).job.job_id)
        log, places, taken, freed_bytes = self._log(number), self._places(number), 0, 0

        def left(
            stored: tuple[_Stored, ...], measure: Callable[[_Stored], int]
        ) -> tuple[_Stored, ...]:
            nonlocal taken, freed_bytes
            while stored and taken < rows and freed_bytes < size_bytes:
                freed_bytes += measure(stored[0])
                taken += 1
                stored = stored[1:]
            return stored

        log = replace(log, rows=left(log.rows, _row_bytes))
        places = _Places(left(places.blocks, _block_bytes), left(places.segments, _segment_bytes))
        log = replace(log, checkpoints=left(log.checkpoints, lambda c: len(c.snapshot)))
        log = replace(log, spans=left(log.spans, _span_bytes))
        staged = left(tuple(s for s in self.stagings if s.number == number), lambda _: 0)
        of_log = log.rows or log.checkpoints or log.spans
        done = not (of_log or places.blocks or places.segments or staged)
        done = done and taken < rows and freed_bytes < size_bytes
        self.coming.pop(number, None)
        self.buried[number], self.places[number] = log, places
        self.stagings = (*(s for s in self.stagings if s.number != number), *staged)
        if done:
            del self.buried[number], self.places[number]
            buried = self.tombstones.get(number)
            if buried is not None:
                self.tombstones[number] = msgspec.structs.replace(buried, erased=True)
        return Erased(taken, freed_bytes, done)

    def forget_tombstones(self, before_us: int, limit: int) -> int:
        old = [
            t.number
            for t in self.tombstones.values()
            if t.erased and t.deleted_at_us < before_us and t.number != max(self.tombstones)
        ]
        for number in old[:limit]:
            del self.tombstones[number]
        return len(old[:limit])

    def _places(self, job: int) -> _Places:
        return self.places.get(job, _Places())

    def _log(self, job: int) -> _Log:
        """The log of that number, with an entry or without one; an empty one if there is none."""
        for log in self.logs.values():
            if log.job.number == job:
                return log
        return self.buried.get(job) or self.coming.get(job) or _Log(StoredJob(job, "", 0, ""))

    def _check_named(self, job_id: str) -> None:
        """Raise ValueError if this writer is not for that job; rows without an entry have no id."""
        if self.named and job_id and job_id not in self.named:
            raise ValueError(f"job {job_id} is not one that the writer is for: name it, too")

    def _put(self, log: _Log) -> None:
        self._check_named(log.job.job_id)
        number = log.job.number
        if log.job.job_id in self.logs and self.logs[log.job.job_id].job.number == number:
            self.logs[log.job.job_id] = log
        elif number in self.buried:
            self.buried[number] = log
        else:
            self.coming[number] = log


class MemoryStore:
    """A store that is gone with its process. Appending costs O(rows of the job).

    The child of a fork has a copy, of which nobody else would hear: every use there raises
    StoreForked.
    """

    clock: SteadyClock | None = None

    def __init__(self) -> None:
        self.url = "memory:"
        self.read_only = False
        self._here = here()
        self._turn = threading.Lock()
        self._now = _Transaction()

    @contextmanager
    def reading(self) -> Iterator[_Transaction]:
        self._refuse()
        yield self._now

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[_Transaction]:
        """What the block leaves replaces what was, unless it raises. One lock for all jobs.

        A writer that changes rows of a job that it is not for gets ValueError: it would be alone
        with them here, and not in a store with a lock for each job.
        """
        self._refuse()
        with self._turn:
            now = self._now
            transaction = _Transaction(
                dict(now.logs),
                dict(now.buried),
                dict(now.coming),
                dict(now.tombstones),
                dict(now.places),
                now.stagings,
                now.mark,
                now.aside,
                dict(now.told),
                jobs,
            )
            yield transaction
            transaction.mark += 1
            self._now = transaction

    appending = writing

    def check(self) -> list[str]:
        """Memory is sound."""
        self._refuse()
        return []

    def format(self) -> StoreFormat:
        """Memory outlives no version: it always has the one format that there is."""
        return StoreFormat(version=0, newest=0, pending=())

    def back_up(self, copy: Path) -> int:
        """Memory is kept in no file. Raises StoreError."""
        raise StoreError(
            url=self.url,
            problem=f"it is in memory: there is nothing to put in {copy};"
            " keep jobs in a file to copy them",
        )

    def vacuum(self) -> Vacuumed:
        """Nothing to give back: what was erased is gone."""
        return Vacuumed(how="none", before_bytes=0, after_bytes=0)

    def close(self) -> None:
        """Nothing to give back."""

    def _refuse(self) -> None:
        if self._here is not here():
            raise StoreForked(url=self.url)


def _sizes(log: _Log, places: _Places) -> StoredSizes:
    return StoredSizes(
        inputs_rows=len(places.blocks),
        inputs_bytes=sum(map(_block_bytes, places.blocks)),
        keys_rows=len(places.segments),
        keys_bytes=sum(map(_segment_bytes, places.segments)),
        commits=len(log.rows),
        heads_bytes=sum(len(row.head) + len(row.after) for row in log.rows),
        bodies_bytes=sum(len(row.body) for row in log.rows),
        checkpoints=len(log.checkpoints),
        checkpoints_bytes=sum(len(one.snapshot) for one in log.checkpoints),
        spans=len(log.spans),
        spans_bytes=sum(map(_span_bytes, log.spans)),
    )


def _row_bytes(row: Row) -> int:
    return len(row.head) + len(row.after) + len(row.body)


def _span_bytes(span: StoredSpan) -> int:
    return len(span.index) + len(span.state)


def _block_bytes(block: InputBlock) -> int:
    return len(block.keys) + len(block.values)


def _segment_bytes(segment: KeySegment) -> int:
    return len(segment.hashes) + len(segment.offsets)
