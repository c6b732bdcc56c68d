"""Stores and executors that break what they promise, each in one way: no suite may pass on them.

pytest collects this file only where it is named, as test_controls.py does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec import structs

from milepost import StateManager, StateStore
from milepost.executors.engines import Engine
from milepost.log.rows import Row
from milepost.state.persistence import open_store
from milepost.stores.memory import MemoryStore
from milepost.testing.contracts import (
    EngineContract,
    ExecutorContract,
    Opener,
    StoreContract,
    Work,
)
from tests.docs.stand_ins.my_executor import work

_T = TypeVar("_T")

OBJECTIONS = {
    "TestPassing": {
        "TestLosesARow": "test_what_was_acknowledged_is_there_for_the_next_opener",
        "TestTakesAStaleFence": "test_a_row_that_does_not_follow_is_refused[fence]",
        "TestTakesAGap": "test_a_row_that_does_not_follow_is_refused[gap]",
        "TestShowsHalfACommit": "test_a_reader_sees_one_moment_and_never_waits",
        "TestKeepsWhatRaised": "test_a_commit_is_seen_whole_or_not_at_all",
        "TestGivesANumberTwice": "test_a_number_is_never_given_twice",
        "TestIgnoresMoved": "test_what_relies_on_a_log_that_has_moved_on_is_not_written",
        "TestHasOneMarkForAll": "test_a_mark_is_found_again_only_where_nobody_wrote_in_between",
        "TestTakesIdsForPatterns": "test_an_id_is_a_text_and_nothing_else",
        "TestErasesAllAtOnce": "test_erasing_is_bounded_in_rows_and_bytes[3-10000-steps1]",
    },
    "TestLoop": {
        "TestCallsTwice": "test_each_item_is_called_once_and_gives_its_own_result",
        "TestDropsAResult": "test_each_item_is_called_once_and_gives_its_own_result",
        "TestGivesItToAnother": "test_each_item_is_called_once_and_gives_its_own_result",
        "TestCallsWhatWasDone": "test_what_the_last_one_left_is_taken_up",
    },
    "TestEngine": {
        "TestEngineCallsTwice": "test_what_fails_once_is_called_once_more",
        "TestSaysThatNoneHasBegun": "test_a_stop_waits_for_what_is_under_way",
    },
}
"""By what breaks nothing: what breaks something, and the test by which it is found out."""


class Passing:
    """What passes on all that it is asked: a reader, a writer, or a store that has such."""

    reader: Any = staticmethod(lambda inner: inner)
    writer: Any = staticmethod(lambda inner: inner)

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield self.reader(reader)

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        with self.inner.writing(*jobs) as writer:
            yield self.writer(writer)

    @contextmanager
    def appending(self, *jobs: str) -> Iterator[Any]:
        with self.inner.appending(*jobs) as writer:
            yield self.writer(writer)


class InMemory(StoreContract):
    """A store in memory, with a reader or a writer that is broken, or broken as a whole."""

    shared = False
    reader: type[Passing] = Passing
    writer: type[Passing] = Passing
    store_kind: type[Passing] = Passing

    @pytest.fixture
    def opener(self) -> Opener:
        def opened(*, read_only: bool = False) -> StateStore:
            del read_only
            store: Any = self.store_kind(MemoryStore())
            store.reader, store.writer = self.reader, self.writer
            return store

        return opened


class TestPassing(InMemory):
    """The control of the controls: what only passes on keeps every promise."""


class TestLosesARow(StoreContract):
    """The newest row of each log, once somebody opens it again."""

    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'jobs.db'}"

    @pytest.fixture
    def opener(self, store_url: str) -> Opener:
        def opened(*, read_only: bool = False) -> StateStore:
            store = open_store(store_url)
            with store.writing() as writer:
                for tip in list(writer.tips()):
                    said = {"job_id": tip.job.job_id, "reason": "lost", "at_us": 1}
                    writer.set_aside(tip.job.number, "commits", first=tip.row.seq, **said)
            return store

        return opened


class AnyFence(Passing):
    """A writer that takes a fence of before."""

    def add_row(self, job: int, row: Row) -> None:
        last = self.inner.tip(job)
        fence = max(row.fence, last.fence if last else 0)
        self.inner.add_row(job, structs.replace(row, fence=fence))


class TestTakesAStaleFence(InMemory):
    writer = AnyFence


class AnySeq(Passing):
    """A writer that takes a row wherever it belongs."""

    def add_row(self, job: int, row: Row) -> None:
        last = self.inner.tip(job)
        self.inner.add_row(job, structs.replace(row, seq=last.seq + 1 if last else 1))


class TestTakesAGap(InMemory):
    writer = AnySeq


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
    """A store that keeps what was written before something was raised."""

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        raised: list[BaseException] = []
        with self.inner.writing(*jobs) as writer:
            try:
                yield writer
            except Exception as error:  # noqa: BLE001 raised once it is kept
                raised.append(error)
        if raised:
            raise raised[0]


class TestKeepsWhatRaised(InMemory):
    store_kind = Keeping


class LowestNumber(Passing):
    """A writer that forgets the numbers of deleted jobs."""

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> Any:
        lowest = max((entry.number for entry in self.inner.entries()), default=0) + 1
        return self.inner.add_job(job_id, created_at_us, lifecycle, number or lowest)


class TestGivesANumberTwice(InMemory):
    writer = LowestNumber


class OneMark(Passing):
    """A writer of a store whose content always has the same name."""

    mark = 7


class TestHasOneMarkForAll(InMemory):
    writer = OneMark


class TestIgnoresMoved(InMemory):
    """Its marks tell nothing, as they may, and it takes on trust on what somebody relies."""

    writer = OneMark


class Patterns(Passing):
    """A reader that has a language of queries find ids."""

    def job_ids(self, prefix: str, *given: Any, **how: Any) -> Any:
        pattern = re.escape(prefix).replace("%", ".*").replace("_", ".")
        found = self.inner.job_ids("", *given, **how)
        return [job_id for job_id in found if re.match(pattern, job_id, re.DOTALL)]


class TestTakesIdsForPatterns(InMemory):
    reader = Patterns


class AllAtOnce(Passing):
    """A writer that erases a job while everybody waits."""

    def erase(self, number: int, rows: int, size_bytes: int) -> Any:
        del rows, size_bytes
        return self.inner.erase(number, 1_000_000, 1_000_000_000)


class TestErasesAllAtOnce(InMemory):
    writer = AllAtOnce


Outcomes = list[Any]


class Loop(ExecutorContract):
    """The loop of docs/how-to/write-an-executor.md; `broken` has its way with each batch."""

    many = 200

    @pytest.fixture
    def work(self) -> Work:
        def works(manager: StateManager, job_id: str, function: Any) -> None:
            def run_batch(items: Any) -> Outcomes:
                return self.broken(manager, function, list(items))

            work(manager, job_id, run_batch, len)

        return works

    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        return [called(function, item) for item in items]


def called(function: Any, item: Any) -> Any:
    try:
        return function(item)
    except Exception as error:  # noqa: BLE001 what it raised is its outcome
        return error


class TestLoop(Loop):
    """The control of the controls."""


class TestCallsTwice(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        return [(called(function, item), called(function, item))[1] for item in items]


class TestDropsAResult(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        outcomes = [called(function, item) for item in items]
        return [*outcomes[:-1], None]


class TestGivesItToAnother(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        outcomes = [called(function, item) for item in items]
        return [*outcomes[1:], outcomes[0]]


class TestCallsWhatWasDone(Loop):
    """It begins anew, as one who reads no plan does, though it records each item once."""

    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        for key, _ in manager.results("j"):
            called(function, structs.replace(items[0], key=key))
        return [called(function, item) for item in items]


class Threads(Engine):
    """An engine of two threads, which keeps each promise."""

    name = "two threads"
    notes = "here"

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2)

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        return self.pool.submit(call, *args)

    def slots(self) -> int:
        return 2

    def close(self, *, wait: bool) -> None:
        self.pool.shutdown(wait=wait)


class Given(EngineContract):
    """An engine that each run makes anew."""

    kills = False
    sends = False
    many = 500
    engine: type[Threads] = Threads

    @pytest.fixture
    def executor(self) -> Any:
        return self.engine


class TestEngine(Given):
    """The control of the controls."""


class Twice(Threads):
    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        return self.pool.submit(lambda: (call(*args), call(*args))[1])


class TestEngineCallsTwice(Given):
    engine = Twice


class NoneBegun(Threads):
    """Takes calls back that are under way: its futures do not know that they are."""

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        shown: Future[_T] = Future()

        def told(future: Future[_T]) -> None:
            if shown.set_running_or_notify_cancel():
                shown.set_result(future.result())

        self.pool.submit(call, *args).add_done_callback(told)
        return shown

    def take_back(self, future: Future[Any]) -> bool:
        return future.cancel()


class TestSaysThatNoneHasBegun(Given):
    engine = NoneBegun
