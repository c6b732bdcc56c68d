"""Engines that break what they promise, or say what is not so, each in one way."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import connection
from queue import LifoQueue
from typing import Any, ClassVar, TypeVar

import pytest

from milepost.executors import process_pool
from milepost.executors.engines import Engine
from milepost.testing.contracts import EngineContract
from milepost.testing.contracts.executors import engines

_T = TypeVar("_T")

ENGINES = {
    "TestEngineCallsAgainAfterATimeout": "test_a_call_without_end_is_a_timeout",
    "TestEngineLeavesItsThreads": "test_what_a_run_has_made_is_gone_with_it",
    "TestEngineCallsTwice": "test_what_fails_once_is_called_once_more",
    "TestTakesBackWhatIsUnderWay": "test_a_call_that_it_takes_back_is_not_made",
    "TestNeverAnswers": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestSaysThatItRunsMore": "test_so_many_calls_run_at_once_as_it_says",
    "TestSaysThatItRunsFewer": "test_so_many_calls_run_at_once_as_it_says",
    "TestBeginsWithTheNewest": "test_calls_begin_in_the_order_in_which_it_got_them",
    "TestSaysThatNoneHasBegun": "test_a_call_that_has_begun_is_said_to_have",
    "TestMakesWhatItTakesBack": "test_a_call_that_it_takes_back_is_not_made",
    "TestSaysThatItKills": "test_a_call_that_it_stops_has_ended",
    "TestSaysThatItHasStopped": "test_a_call_that_it_stops_has_ended",
    "TestSaysThatItIsHere": "test_a_note_of_a_call_comes_back_to_the_next_one",
    "TestSaysThatItIsOnThisMachine": "test_a_note_of_a_call_comes_back_to_the_next_one",
}
"""What breaks something, and the test by which it is found out."""


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
    engine_kind: type[Threads] = Threads

    @pytest.fixture
    def executor(self) -> Any:
        return self.engine_kind


class TestEngine(Given):
    """The control of the controls."""


class Twice(Threads):
    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        return self.pool.submit(lambda: (call(*args), call(*args))[1])


class TestEngineCallsTwice(Given):
    engine_kind = Twice


class AgainAfterATimeout(Threads):
    """Makes a call again, as one that may have been lost, where there is a limit of time."""

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        if timeout_s is None:
            return self.pool.submit(call, *args)
        return self.pool.submit(lambda: (call(*args), call(*args))[1])


class TestEngineCallsAgainAfterATimeout(Given):
    engine_kind = AgainAfterATimeout


class LeavesItsThreads(Threads):
    """Is kept by somebody, and closes nothing."""

    kept: ClassVar[list[Any]] = []

    def close(self, *, wait: bool) -> None:
        del wait
        self.kept.append(self)


class TestEngineLeavesItsThreads(Given):
    engine_kind = LeavesItsThreads

    @pytest.fixture(autouse=True)
    def _at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engines, "ENDS_S", 0.2)


class TakesBackAll(Threads):
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


class TestTakesBackWhatIsUnderWay(Given):
    engine_kind = TakesBackAll


class NeverAnswers(Threads):
    """Takes calls, and makes none."""

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        return Future()


class TestNeverAnswers(Given):
    engine_kind = NeverAnswers
    patience_s = 0.5


class More(Threads):
    """Has two threads, and says four."""

    def slots(self) -> int:
        return 4


class TestSaysThatItRunsMore(Given):
    engine_kind = More
    patience_s = 2.0


class Fewer(Threads):
    """Has two threads, and says one."""

    def slots(self) -> int:
        return 1


class TestSaysThatItRunsFewer(Given):
    engine_kind = Fewer
    patience_s = 2.0


class Newest(Threads):
    """Has a stack where it says that it has a queue."""

    in_order = True

    def __init__(self) -> None:
        super().__init__()
        pool: Any = self.pool
        pool._work_queue = LifoQueue()


class TestBeginsWithTheNewest(Given):
    engine_kind = Newest


class NoneBegun(Threads):
    """Hears nothing of its threads, and takes that for a sign that none has begun a call."""

    def begun(self, future: Future[Any]) -> bool:
        return future.done()

    def take_back(self, future: Future[Any]) -> bool:
        return future.cancel()


class TestSaysThatNoneHasBegun(Given):
    engine_kind = NoneBegun
    patience_s = 2.0


class MakesAll(TakesBackAll):
    """Takes back what has not begun, and makes it all the same."""

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        shown: Future[_T] = Future()
        self.pool.submit(self.make, shown, call, *args)
        return shown

    def make(self, shown: Future[_T], call: Callable[..., _T], *args: Any) -> None:
        wanted = shown.set_running_or_notify_cancel()
        made = call(*args)
        if wanted:
            shown.set_result(made)


class TestMakesWhatItTakesBack(Given):
    engine_kind = MakesAll


class Kills(Threads):
    """Says that it ends calls, and waits for nothing but their futures."""

    kills = True


class TestSaysThatItKills(Given):
    engine_kind = Kills
    patience_s = 2.0


class Stopped(Threads):
    """Says of a call that it is over as soon as it should be."""

    def stop(self, future: Future[Any]) -> bool:
        future.cancel()
        return True


class TestSaysThatItHasStopped(Given):
    engine_kind = Stopped
    patience_s = 2.0


class Here(Threads):
    """Has processes, and says that they are threads."""

    def __init__(self) -> None:
        self.pool: Any = process_pool(2)


class TestSaysThatItIsHere(Given):
    engine_kind = Here


def on_another_machine() -> None:
    """Has this process reach no socket of the machine that it is on."""
    connection.Client = refused  # type: ignore[assignment]


def refused(*given: Any, **how: Any) -> Any:
    raise ConnectionRefusedError("there is no such socket on this machine")


class OnThisMachine(Threads):
    """Has workers on other machines, and says that they are on this one."""

    notes = "host"

    def __init__(self) -> None:
        server = multiprocessing.get_context("forkserver")
        self.pool: Any = ProcessPoolExecutor(2, server, on_another_machine)


class TestSaysThatItIsOnThisMachine(Given):
    engine_kind = OnThisMachine
