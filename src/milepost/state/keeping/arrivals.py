"""A job on its way into another store: all that is stored of it is copied, and then verified there.

It arrives in commits of bounded size, under a number that has no entry. Movers at once share what
has arrived: each commit first sees whether that is as its writer believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from milepost.errors import MoveFailed
from milepost.log.rows import (
    GIVEN_BACK,
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredJob,
    StoredKeep,
    StoredLease,
    StoredSpan,
)
from milepost.state.reading.departures import Departure
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.outline import outlines
from milepost.state.reading.verification import entry_of, verify_job
from milepost.state.writing.arriving import arrival, give_up, mark
from milepost.state.writing.describing import describe
from milepost.stores.protocol import Reader, StateStore, Writer
from milepost.text.commands import command

__all__ = ["Beside", "Carrier", "Copy", "OnMove", "Overtaken", "Standing", "beside", "freed"]

_BATCH_BYTES: Final = 8 * 1024 * 1024

OnMove: TypeAlias = Callable[[str, int, int], None]
"""Is told of a job how many of its commits are there, and how many there are."""

_Part = TypeVar("_Part", InputBlock, Row, StoredSpan)


class Standing(NamedTuple):
    """A job of the source: its entry, its newest commit, and where it has gone if it has.

    Of one that has gone `job` has the number and the id alone, and `tip` is None once its rows are
    erased, of which `erased` says that all are.
    """

    job: StoredJob
    tip: Row | None
    departure: Departure | None = None
    erased: bool = False
    size_bytes: int = 0

    @property
    def end(self) -> tuple[int, bytes]:
        """Seq and digest of the newest commit."""
        if self.departure is not None:
            return self.departure.seq, self.departure.digest
        assert self.tip is not None, "a job that is there has a commit"
        return self.tip.seq, self.tip.digest


class Beside(NamedTuple):
    """What is kept beside a log."""

    lease: StoredLease | None
    keep: StoredKeep | None


class Copy(NamedTuple):
    """A whole copy in the target: its entry, and the digest that its log ends with at `seq`.

    `first` is the digest of the first commit of one that arrives and has no entry yet, else empty.
    """

    job: StoredJob
    seq: int
    digest: bytes
    first: bytes = b""
    unchecked: str = ""


class Overtaken(Exception):
    """The job, or what has arrived of it, is not as it was: look again."""


class Carrier:
    """Carries jobs from one store to another, named `url`, and leaves them there without an entry.

    A commit writes `batch_rows` rows at most; `rest` is called between two erasing ones.
    """

    def __init__(
        self,
        source: Loader,
        target: Loader,
        url: str,
        now_us: Callable[[], int],
        *,
        rest: Callable[[], None],
        batch_rows: int,
        told: OnMove | None,
    ) -> None:
        self._source = source
        self._target = target
        self._store: StateStore = target.store
        self._url = url
        self._now_us = now_us  # by the target's time
        self._rest = rest
        self._batch_rows = batch_rows
        self._told = told

    def first(self, standing: Standing) -> bytes:
        """The digest of the first commit, which names the log. Raises LogCorrupt without one."""
        with self._source.store.reading() as reader:
            log = JobLog(self._source, reader, standing.job)
            for row in log.rows(0, 1):
                return row.digest
            raise log.corrupt(1, "it is missing")

    def copied(self, standing: Standing, there: StoredJob | None) -> Copy:
        """A copy in the target that is whole and verifies. Raises MoveFailed, Overtaken.

        `there` is the job where the target has it already. Cost: the job is read and written
        once, and verified; memory: a batch, and what a verification takes.
        """
        if there is not None:
            return self._verified(Copy(there, *standing.end))
        first = self.first(standing)
        number = self._rows(standing, first)
        self._inputs(standing, number, first)
        self._derived(standing, number, first)
        return self._whole(standing, number, first)

    @contextmanager
    def _arriving(self, standing: Standing, number: int, first: bytes) -> Iterator[Writer]:
        """A commit of what arrives under that number. Raises Overtaken where it does not."""
        with self._store.writing(standing.job.job_id) as writer:
            found = arrival(writer, first)
            if found is None or found.number != number:
                raise Overtaken
            yield writer

    def _rows(self, standing: Standing, first: bytes) -> int:
        """Copy the rows that are not there yet; the number that they arrive under."""
        here = standing.job.number
        number, after = self._begun(standing, first)

        def left(reader: Reader) -> Iterator[Row]:
            return reader.rows(here, after, bodies=True)

        while batch := self._read(left):
            with self._arriving(standing, number, first) as writer:
                if _newest(writer, number)[0] != after:
                    raise Overtaken
                writer.add_rows(number, batch)
                writer.stage(mark(number, first, self._now_us()))
            after = batch[-1].seq
            if self._told is not None:
                self._told(standing.job.job_id, after, max(standing.end[0], after))
        return number

    def _begun(self, standing: Standing, first: bytes) -> tuple[int, int]:
        """The number that the log arrives under, and up to which commit it is there.

        What is there of a log that was repaired since, and so is no part of this one, is given up.
        Raises Overtaken where it is a job already.
        """
        here = standing.job.number
        while True:
            with self._store.writing(standing.job.job_id) as writer:
                found = arrival(writer, first)
                if found is None:
                    if writer.has_job(standing.job.job_id):
                        raise Overtaken
                    number = writer.reserve()
                    writer.stage(mark(number, first, self._now_us()))
                    return number, 0
                seq, digest = _newest(writer, found.number)
            with self._source.store.reading() as reader:
                rows = list(reader.rows(here, seq - 1, seq)) if seq else []
            if not seq or [row.digest for row in rows] == [digest]:
                return found.number, seq
            give_up(self._store, found, self._batch_rows, self._rest, standing.job.job_id)

    def _inputs(self, standing: Standing, number: int, first: bytes) -> None:
        """Copy the items that are not there yet, but for those that are still coming in."""
        here = standing.job.number
        with self._store.reading() as reader:
            there = {block.first for block in reader.inputs(number)}
        with self._source.store.reading() as reader:
            coming = [one for one in reader.staged() if one.number == here]
        place = 0

        def behind(reader: Reader) -> Iterator[InputBlock]:
            return (block for block in reader.inputs(here, place) if block.first >= place)

        while batch := self._read(behind):
            begin, place = place, batch[-1].first + batch[-1].count
            blocks = [one for one in batch if _settled(one, coming) and one.first not in there]
            firsts = {one.first for one in blocks}
            if not blocks:
                continue
            with self._source.store.reading() as reader:
                segments = list(reader.key_segments(here, begin, place))
            with self._arriving(standing, number, first) as writer:
                for found in writer.inputs(number, begin):
                    if found.first in firsts:
                        raise Overtaken
                    if found.first >= place:
                        break
                writer.add_inputs(number, blocks, (one for one in segments if one.first in firsts))

    def _derived(self, standing: Standing, number: int, first: bytes) -> None:
        """Copy checkpoints, and the index of the log with its states, as far as the log is there.

        Checkpoints that are there are replaced.
        """
        here = standing.job.number
        with self._store.reading() as reader:
            last = _newest(reader, number)[0]
            upto = reader.spans_end(number)
        with self._source.store.reading() as reader:
            along = set(reader.state_ends(here))
            for checkpoint in reader.checkpoints(here):
                if checkpoint.seq < last:
                    with self._arriving(standing, number, first) as writer:
                        writer.put_checkpoint(number, checkpoint)

        def left(reader: Reader) -> Iterator[StoredSpan]:
            return reader.spans(here, upto)

        while batch := self._read(left):
            upto = batch[-1].last
            with (
                self._source.store.reading() as reader,
                self._arriving(standing, number, first) as writer,
            ):
                for span in batch:
                    if span.last <= last:
                        writer.put_span(number, _with_state(reader, here, span, along))

    def _whole(self, standing: Standing, number: int, first: bytes) -> Copy:
        """Say of what arrived that it is whole, with what is beside it, and verify it."""
        with self._source.store.reading() as reader:
            job = self._entry(reader, standing)
            due = freed(beside(reader, standing.job.number))
            told = reader.lifecycle(job.lifecycle)
            every = [] if told is None else [o for o in reader.lifecycles() if o.name == told.name]
        with self._arriving(standing, number, first) as writer:
            seq, digest = _newest(writer, number)
            for one in every:
                if writer.lifecycle(one.digest) is None:
                    writer.put_lifecycle(one)
            describe(writer, self._source.tables.get(job.lifecycle))
            fence = standing.tip.fence if standing.tip else 0
            if standing.departure is None:
                if due.lease is not None:
                    writer.put_lease(number, due.lease)
                writer.put_keep(number, due.keep)
            elif fence and writer.lease(number) is None:  # else it came before the job was let go
                writer.put_lease(number, StoredLease("", fence, 0, 0))
            writer.stage(mark(number, first, self._now_us(), whole=True))
        entry = msgspec.structs.replace(job, number=number)
        return self._verified(Copy(entry, seq, digest, first))

    def _verified(self, copy: Copy) -> Copy:
        """The copy, if it is what `verify` calls sound. Raises MoveFailed: the source keeps it."""
        with self._store.reading() as reader:
            log = JobLog(self._target, reader, copy.job)
            found = verify_job(log, listed=not copy.first)
            arriving = arrival(reader, copy.first) if copy.first else None
        if not found.problems:
            return copy._replace(unchecked=found.unchecked)
        if arriving is not None:
            give_up(self._store, arriving, self._batch_rows, self._rest, copy.job.job_id)
        problems = "; ".join(problem.message for problem in found.problems)
        verify = command("verify", copy.job.job_id)
        told = f"what arrived does not verify ({problems}): it stays as it is; `{verify}` says more"
        raise self._failed(copy.job.job_id, told)

    def _entry(self, reader: Reader, standing: Standing) -> StoredJob:
        """The entry of the job in the source, or that which it had, by its log."""
        if standing.departure is None:
            return standing.job
        log, stands = JobLog(self._source, reader, standing.job), None
        for _, _, after in outlines(log):
            stands = after
        if stands is None:
            raise log.corrupt(1, "it is missing")
        return entry_of(standing.job, stands)

    def _read(self, part: Callable[[Reader], Iterator[_Part]]) -> list[_Part]:
        """The next batch of what is in the source."""
        with self._source.store.reading() as reader:
            return list(_some(islice(part(reader), self._batch_rows)))

    def _failed(self, job_id: str, problem: str) -> MoveFailed:
        source = self._source.store.url
        return MoveFailed(job_id=job_id, url=source, target=self._url, problem=problem)


def _newest(reader: Reader, number: int) -> tuple[int, bytes]:
    """Seq and digest of the newest commit under that number, 0 if there is none."""
    return reader.newest(number) or (0, b"")


def beside(reader: Reader, number: int) -> Beside:
    """What the store keeps beside the log of that number."""
    return Beside(reader.lease(number), reader.keep(number))


def freed(found: Beside) -> Beside:
    """It as it arrives: nobody holds the job there, and its fence counts on."""
    lease = found.lease
    if lease is not None and lease.ttl_us != GIVEN_BACK:
        lease = StoredLease(lease.owner, lease.fence, 0, 0)
    return Beside(lease, found.keep)


def _settled(one: InputBlock | KeySegment, coming: list[Staged]) -> bool:
    """True if it is not of items that are still coming in."""
    return not any(staged.first <= one.first < staged.first + staged.count for staged in coming)


def _with_state(reader: Reader, number: int, span: StoredSpan, along: set[int]) -> StoredSpan:
    """The span with the state after it, if it has one."""
    if span.last in along:
        for found in reader.states(number, span.last):
            return found if found.last == span.last else span
    return span


def _some(parts: Iterable[_Part]) -> Iterator[_Part]:
    """The first of them, as many as make up a batch's bytes."""
    size_bytes = 0
    for part in parts:
        yield part
        size_bytes += _size_bytes(part)
        if size_bytes >= _BATCH_BYTES:
            return


def _size_bytes(part: InputBlock | Row | StoredSpan) -> int:
    match part:
        case Row():
            return len(part.head) + len(part.after) + len(part.body)
        case InputBlock():
            return len(part.keys) + len(part.values)
        case StoredSpan():
            return len(part.index)
