"""Coroutine functions as map_fn, and the executor that runs them."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from milepost import Item, StateManager
from milepost.executors import CoroutineExecutor, run

from .test_interventions import another
from .test_run import create, double, numbered, total


@pytest.fixture
def coroutines() -> Iterator[CoroutineExecutor]:
    with CoroutineExecutor(4) as opened:
        yield opened


class Crowd:
    """A map_fn whose calls wait for one another until `size` of them are under way at once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.now = self.most = 0
        self.threads: set[str] = set()

    async def __call__(self, item: Item) -> int:
        self.now += 1
        self.most = max(self.most, self.now)
        self.threads.add(threading.current_thread().name)
        while self.most < self.size:
            await asyncio.sleep(0)
        self.now -= 1
        return 2 * item.value


async def doubled(item: Item) -> int:
    await asyncio.sleep(0)
    return double(item)


def future_of(item: Item) -> asyncio.Future[int]:
    """No coroutine function, and yet what it gives can be awaited."""
    return asyncio.ensure_future(doubled(item))


def test_a_job_is_mapped_by_coroutines(manager: StateManager) -> None:
    """As many at a time as was said, all in one thread, and none after the run."""
    job_id = create(manager, 300)
    crowd = Crowd(16)
    outcome = run(manager, job_id, crowd, total, executor=partial(CoroutineExecutor, 16))
    assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("completed", 300, 0)
    assert list(manager.results(job_id)) == [(i.key, 2 * i.value) for i in numbered(300)]
    assert (crowd.most, crowd.threads) == (16, {"milepost-coroutines"})
    assert "milepost-coroutines" not in {thread.name for thread in threading.enumerate()}
    assert all(report.sound for report in manager.verify(job_id))


def test_an_executor_of_the_callers_is_left_open(
    manager: StateManager, coroutines: CoroutineExecutor
) -> None:
    """It serves the next run, and plain functions and those that give coroutines too."""
    for map_fn in (doubled, partial(doubled), future_of, double):
        job_id = create(manager, 20)
        assert run(manager, job_id, map_fn, total, executor=coroutines).done_count == 20


def test_failures_are_recorded_by_their_causes(
    manager: StateManager, coroutines: CoroutineExecutor
) -> None:
    """Exceptions, time that is over, results that are no JSON, and a call that cancels itself."""

    async def map_fn(item: Item) -> object:
        if item.value == 0:
            raise ValueError("no")
        if item.value == 1:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        if item.value == 2:
            return object()
        if item.value == 3:
            raise asyncio.CancelledError("by itself")
        return item.value

    job_id = create(manager, 5, max_attempts=1, max_dead=4)
    outcome = run(manager, job_id, map_fn, total, executor=coroutines)
    assert (outcome.phase, outcome.done_count) == ("completed", 1)
    failures = [failures[0] for failures in manager.failures(job_id).values()]
    assert [failure.cause for failure in failures] == ["error", "timeout", "error", "error"]
    assert "ValueError: no" in failures[0].message
    assert "is not JSON" in failures[2].message
    assert "CancelledError: by itself" in failures[3].message


def test_a_coroutine_that_hangs_is_cancelled_and_frees_its_place(manager: StateManager) -> None:
    """With room for one, the others are only reached if it really ends."""
    cancelled: list[str] = []

    async def map_fn(item: Item) -> str:
        if item.value == 0 and not cancelled:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(item.key)
        return "in time"

    job_id = create(manager, 4)
    outcome = run(
        manager,
        job_id,
        map_fn,
        lambda results: [value for _, value in results],
        executor=partial(CoroutineExecutor, 1),
        timeout_s=0.05,
    )
    assert (outcome.phase, outcome.failure_count) == ("completed", 1)
    assert manager.result(job_id) == ["in time"] * 4
    assert cancelled == ["item-0000"]
    ((failure,),) = manager.failures(job_id).values()
    assert (failure.cause, failure.message) == ("timeout", "no result within 0.05 s")


def test_calls_under_way_are_cancelled_when_the_job_is_paused(
    manager: StateManager, coroutines: CoroutineExecutor
) -> None:
    """They are handed back unharmed, and nothing is paid for any more."""
    job_id = create(manager, 30)
    operator = another(manager)
    begun: list[str] = []
    ended: list[str] = []

    async def map_fn(item: Item) -> int:
        begun.append(item.key)
        try:
            if item.value == 0:
                await asyncio.to_thread(operator.fire, job_id, "pause", operator=True)
            await asyncio.Event().wait()
        finally:
            ended.append(item.key)
        return item.value

    outcome = run(
        manager, job_id, map_fn, total, executor=coroutines, look_every_s=0.001, grace_s=0.01
    )
    assert (outcome.phase, outcome.done_count) == ("paused", 0)
    assert outcome.state.progress.pending == 30
    coroutines.shutdown()
    assert begun == [item.key for item in numbered(len(begun))]
    assert 0 < len(begun) <= 4
    assert sorted(ended) == begun
    operator.close()


@pytest.mark.parametrize("map_fn", [doubled, partial(doubled), Crowd(1)])
def test_an_executor_that_awaits_nothing_is_refused(
    manager: StateManager, pool: ThreadPoolExecutor, map_fn: Any
) -> None:
    """Before an item begins, for an executor of the caller's and for one that is made."""
    job_id = create(manager, 3)
    for executor in (pool, partial(ThreadPoolExecutor, 1)):
        with pytest.raises(TypeError, match="ThreadPoolExecutor awaits none: give executor=Corou"):
            run(manager, job_id, map_fn, total, executor=executor)
    state = manager.get_state(job_id)
    assert (state.phase, state.owner) == ("setup", None)
    assert pool.submit(len, "ab").result() == 2


def test_a_run_that_ends_by_an_error_cancels_what_is_under_way(manager: StateManager) -> None:
    """What was recorded is kept, and the next run goes on."""
    job_id = create(manager, 40)
    begun: list[str] = []
    ended: list[str] = []
    all_begun = threading.Event()
    made: list[CoroutineExecutor] = []

    def executor() -> CoroutineExecutor:
        made.append(CoroutineExecutor(4))
        return made[-1]

    async def map_fn(item: Item) -> int:
        if item.value >= 10:
            begun.append(item.key)
            if len(begun) == 4:
                all_begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(item.key)
        return item.value

    def on_progress(state: Any) -> None:
        if state.progress.done == 10:
            assert all_begun.wait(30)
            raise KeyError("a fault of the caller's")

    with pytest.raises(KeyError, match="a fault"):
        run(
            manager,
            job_id,
            map_fn,
            total,
            executor=executor,
            on_progress=on_progress,
        )
    made[0].shutdown()
    assert len(begun) == 4
    assert sorted(ended) == begun
    outcome = run(manager, job_id, doubled, total, executor=partial(CoroutineExecutor, 4))
    assert (outcome.phase, outcome.done_before_count) == ("completed", 10)
    assert outcome.done_count == 30


class Submitted:
    """Calls of an executor with room for one: the first holds the place until it is let go."""

    def __init__(self, executor: CoroutineExecutor) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.first = executor.submit(self._hold)
        assert self.begun.wait(30)

    async def _hold(self) -> str:
        self.begun.set()
        await asyncio.to_thread(self.go.wait, 30)
        return "held"


async def given(value: Any) -> Any:
    return value


def test_a_future_is_cancelled_until_its_turn_has_come() -> None:
    with CoroutineExecutor(1) as executor:
        held = Submitted(executor)
        waiting, last = executor.submit(given, 1), executor.submit(given, 2)
        assert waiting.cancel()
        assert not held.first.cancel()
        held.go.set()
        assert (held.first.result(), last.result()) == ("held", 2)
        assert waiting.cancelled()


def test_abandoning_ends_what_is_under_way_and_what_is_not() -> None:
    with CoroutineExecutor(1) as executor:
        held = Submitted(executor)
        waiting, last = executor.submit(given, 1), executor.submit(given, 2)
        executor.abandon(waiting)
        executor.abandon(held.first)
        with pytest.raises(asyncio.CancelledError):
            held.first.result()
        assert (waiting.cancelled(), last.result()) == (True, 2)
        held.go.set()
    executor.abandon(last)  # of an executor that has ended: nothing happens


def test_shutting_down_waits_for_all_or_drops_what_has_not_begun() -> None:
    executor = CoroutineExecutor(1)
    held, waiting = Submitted(executor), executor.submit(given, 1)
    executor.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(given, 2)
    held.go.set()
    executor.shutdown()
    assert (held.first.result(), waiting.result()) == ("held", 1)

    executor = CoroutineExecutor(1)
    held, waiting = Submitted(executor), executor.submit(given, 1)
    held.go.set()
    executor.shutdown(cancel_futures=True)
    assert held.first.result() == "held"
    if waiting.cancelled():  # else its turn had come in the meantime
        with pytest.raises(CancelledError):
            waiting.result()
    executor.shutdown()


def test_it_is_an_executor_as_others_are() -> None:
    """Results in order, exceptions where they are asked for, plain functions too."""
    with CoroutineExecutor() as executor:
        assert list(executor.map(given, range(5))) == [0, 1, 2, 3, 4]
        assert executor.submit(len, "abc").result() == 3
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 // 0).result()
        with pytest.raises(SystemExit):
            executor.submit(exit).result()
        assert executor.submit(given, 1).result() == 1, "the loop has outlived it"
    with pytest.raises(ValueError, match="'concurrency': an integer from 1"):
        CoroutineExecutor(0)


def test_many_calls_are_submitted_in_one_go() -> None:
    """Each has a future of its own, of whose end is told once, whatever it was."""
    told: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    begun, free = threading.Event(), threading.Event()

    async def work(number: int) -> int:
        if number == 0:
            begun.set()
            await asyncio.to_thread(free.wait)
        if number == 1:
            raise ValueError("no")
        return number

    with CoroutineExecutor(1) as executor:
        futures = executor.submit_each(work, range(4), told.put)
        assert begun.wait(60)
        assert (futures[0].running(), futures[0].cancel(), futures[0].done()) == (
            True,
            False,
            False,
        )
        with pytest.raises(InvalidStateError):
            futures[0].result()
        assert futures[3].cancel()
        assert futures[3].cancel()
        assert told.get(timeout=60) is futures[3]
        free.set()
        assert [told.get(timeout=60) for _ in range(3)] == futures[:3]
    assert told.empty()
    assert (futures[0].result(), futures[2].result()) == (0, 2)
    with pytest.raises(ValueError, match="no"):
        futures[1].result()
    with pytest.raises(CancelledError):
        futures[3].result()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit_each(work, [5], told.put)


def test_calls_that_were_submitted_in_one_go_can_be_dropped() -> None:
    """Those under way end; of the others it is told that they will not begin."""
    told: list[Future[Any]] = []
    begun, free = threading.Event(), threading.Event()

    async def work(number: int) -> int:
        begun.set()
        await asyncio.to_thread(free.wait)
        return number

    executor = CoroutineExecutor(1)
    futures = executor.submit_each(work, range(3), told.append)
    assert begun.wait(60)
    executor.shutdown(wait=False, cancel_futures=True)
    assert told == futures[1:]
    free.set()
    executor.shutdown()
    assert told == [*futures[1:], futures[0]]
    assert [future.cancelled() for future in futures] == [False, True, True]
