"""Loops and engines that break what they promise, each in one way: as broken_stores.py."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from msgspec import structs

from milepost import StateManager
from milepost.executors.engines import Engine
from milepost.testing.contracts import EngineContract, ExecutorContract, Work
from tests.docs.stand_ins.my_executor import work

_T = TypeVar("_T")


LOOPS = {
    "TestCallsTwice": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestDropsAResult": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestGivesItToAnother": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestCallsWhatWasDone": "test_what_the_last_one_left_is_taken_up",
}
ENGINES = {
    "TestEngineCallsTwice": "test_what_fails_once_is_called_once_more",
    "TestSaysThatNoneHasBegun": "test_a_stop_waits_for_what_is_under_way",
}
"""What breaks something, and the test by which it is found out."""

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
