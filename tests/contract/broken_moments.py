"""Stores that show what is of another moment, or the half of a commit, or keep it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .passing import InMemory, Passing

OBJECTIONS = {
    "TestShowsHalfACommit": "test_a_reader_sees_one_moment_and_never_waits",
    "TestKeepsWhatRaised": "test_a_commit_is_seen_whole_or_not_at_all",
    "TestReadsTheNewestLease": "test_all_that_a_reader_says_is_of_one_moment",
    "TestReadsRowsLate": "test_what_is_read_step_by_step_is_of_one_moment_too",
    "TestReadsOneThingAtATime": "test_what_is_read_step_by_step_is_of_one_moment_too",
    "TestDoesNotSeeItsOwn": "test_a_writer_sees_all_that_it_has_written",
    "TestKeepsWhatWasInterrupted": (
        "test_nothing_is_left_of_a_commit_that_raised[writing-KeyboardInterrupt]"
    ),
    "TestKeepsWhatWasStaged": (
        "test_nothing_is_left_of_a_commit_that_raised[appending-RuntimeError]"
    ),
    "TestBeginsAmidACommit": "test_readers_wait_for_nobody_and_see_no_half_of_a_commit",
    "TestReadsInTurns": "test_readers_wait_for_nobody_and_see_no_half_of_a_commit",
    "TestReadersWaitForWriters": "test_a_mark_that_lies_is_met_by_the_log",
    "TestWritersWaitForReaders": "test_all_that_a_reader_says_is_of_one_moment",
    "TestRemovesOfEveryJob": "test_what_is_changed_of_a_job_is_of_that_job",
}
"""What breaks something, and the test by which it is found out."""


class Live(Passing):
    """A store whose readers see what the newest writer has written so far."""

    under_way: Any = None

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        with self.inner.writing(*jobs) as writer:
            self.under_way = writer
            yield writer

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield LiveReader(reader, self)


class LiveReader(Passing):
    def __init__(self, reader: Any, store: Live) -> None:
        super().__init__(reader)
        self.store = store

    def rows(self, *given: Any, **how: Any) -> Any:
        return (self.store.under_way or self.inner).rows(*given, **how)


class TestShowsHalfACommit(InMemory):
    store_kind = Live


class Keeping(Passing):
    """A store that keeps what was written before an error was raised."""

    @staticmethod
    def keeps(raised: BaseException) -> bool:
        return isinstance(raised, Exception)

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        kept: list[BaseException] = []
        with self.inner.writing(*jobs) as writer:
            try:
                yield writer
            except BaseException as raised:
                if not self.keeps(raised):
                    raise
                kept.append(raised)
        if kept:
            raise kept[0]


class TestKeepsWhatRaised(InMemory):
    store_kind = Keeping


class Moving(Passing):
    """A store with readers of no moment: each question is answered by what is there then."""

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield MovingReader(reader, self)


class MovingReader(Passing):
    def __init__(self, reader: Any, store: Moving) -> None:
        super().__init__(reader)
        self.store = store

    def lease(self, job: int) -> Any:
        with self.store.inner.reading() as now:
            return now.lease(job)


class TestReadsTheNewestLease(InMemory):
    store_kind = Moving


class Late(Moving):
    """A store that looks for each row of a reading once it is asked for."""

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield LateReader(reader, self)


class LateReader(MovingReader):
    def lease(self, job: int) -> Any:
        return self.inner.lease(job)

    def rows(self, job: int, after: int = 0, upto: int | None = None, **how: Any) -> Any:
        while True:
            with self.store.inner.reading() as now:
                found = next(now.rows(job, after, upto, **how), None)
            if found is None:
                return
            yield found
            after = found.seq


class TestReadsRowsLate(InMemory):
    store_kind = Late


class OneCursor(Passing):
    """A reader with one cursor: whoever begins to read ends what somebody was reading."""

    newest: Any = None

    def _begun(self, reading: Any) -> Any:
        self.newest = mine = object()
        return (each for each in reading if self.newest is mine)

    def rows(self, *given: Any, **how: Any) -> Any:
        return self._begun(self.inner.rows(*given, **how))

    def checkpoints(self, *given: Any) -> Any:
        return self._begun(self.inner.checkpoints(*given))


class TestReadsOneThingAtATime(InMemory):
    reader = OneCursor


class Apart(Passing):
    """A store whose writers read by another connection."""

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        with self.inner.reading() as before, self.inner.writing(*jobs) as writer:
            yield ApartWriter(writer, before)

    appending = writing


class ApartWriter(Passing):
    def __init__(self, writer: Any, before: Any) -> None:
        super().__init__(writer)
        self.before = before

    def keep(self, job: int) -> Any:
        return self.before.keep(job)


class TestDoesNotSeeItsOwn(InMemory):
    store_kind = Apart


class Interrupted(Keeping):
    """A store that undoes after errors, and commits after what is none."""

    @staticmethod
    def keeps(raised: BaseException) -> bool:
        return not isinstance(raised, Exception)


class TestKeepsWhatWasInterrupted(InMemory):
    store_kind = Interrupted


class StagesApart(Passing):
    """A store that has what is coming in elsewhere, where nobody undoes it."""

    @contextmanager
    def appending(self, *jobs: str) -> Iterator[Any]:
        staged: list[Any] = []
        try:
            with self.inner.appending(*jobs) as writer:
                try:
                    yield writer
                finally:
                    staged = writer.staged()
        finally:
            with self.inner.writing() as writer:
                for each in staged:
                    writer.stage(each)


class TestKeepsWhatWasStaged(InMemory):
    store_kind = StagesApart


class Dirty(Live):
    """A store whose readers see what a writer has written so far, if one is at work."""

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        with super().writing(*jobs) as writer:
            yield writer
        self.under_way = None

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield self.under_way or reader


class TestBeginsAmidACommit(InMemory):
    store_kind = Dirty


class InTurns(Passing):
    """A store that has one connection to read by."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.turn = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.turn, self.inner.reading() as reader:
            yield reader


class TestReadsInTurns(InMemory):
    store_kind = InTurns

    patience_s = 0.5


class WaitsForWriters(Passing):
    """A store with one lock, which readers take as they begin, and writers as they work."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.turn:
            pass
        with self.inner.reading() as reader:
            yield reader

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        with self.turn, self.inner.writing(*jobs) as writer:
            yield writer


class TestReadersWaitForWriters(InMemory):
    store_kind = WaitsForWriters
    patience_s = 0.5


class WaitsForReaders(WaitsForWriters):
    """A store with one lock, whoever takes it."""

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.turn, self.inner.reading() as reader:
            yield reader


class TestWritersWaitForReaders(InMemory):
    store_kind = WaitsForReaders
    patience_s = 0.5


class OfEveryJob(Passing):
    """A writer that knows a checkpoint by its seq alone."""

    def remove_checkpoint(self, job: int, seq: int) -> None:
        for entry in self.inner.entries():
            self.inner.remove_checkpoint(entry.number, seq)


class TestRemovesOfEveryJob(InMemory):
    writer = OfEveryJob
