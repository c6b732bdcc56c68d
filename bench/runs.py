"""`run` where items are short: on two processes, eight threads and coroutines."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from engine_calls import trivial
from milepost import StateManager
from milepost.executors import CoroutineExecutor, process_pool, run
from pairing import Figure, Settings, as_it_is, at_most, in_turn, ratios

ROUNDS: Final = 5
PROCESSES: Final = 2
THREADS: Final = 8
AT_ONCE: Final = 64
OF_PROCESSES: Final = 2_000
OF_THREADS: Final = 4_000
OF_COROUTINES: Final = 10_000
NAP_S: Final = 0.001


def nap(_item: Any) -> int:
    time.sleep(NAP_S)
    return 1


async def awaited(_item: Any) -> int:
    return 1


def figures(settings: Settings) -> Iterator[Figure]:
    yield from _processes(settings.folder)
    yield from _threads(settings.folder)
    yield from _coroutines(settings.folder)


def _processes(folder: Path) -> Iterator[Figure]:
    """A pool that is warm, and one that each begins and ends within its time."""
    keys = _keys(OF_PROCESSES)

    def mapped(executor: Executor) -> None:
        assert len(list(executor.map(trivial, keys))) == len(keys)

    def mapped_by_a_new_pool() -> None:
        with process_pool(PROCESSES) as executor:
            mapped(executor)

    def new_pool() -> Executor:
        return process_pool(PROCESSES)

    with process_pool(PROCESSES) as pool:
        bare, ours, bare_anew, ours_anew = in_turn(
            ROUNDS,
            lambda _turn: _wall_us(lambda: mapped(pool), keys),
            lambda _turn: _run_us(folder, trivial, keys, pool),
            lambda _turn: _wall_us(mapped_by_a_new_pool, keys),
            lambda _turn: _run_us(folder, trivial, keys, new_pool),
        )
    budget = at_most(1.7)
    name = f"{PROCESSES} processes, an item that takes no time"
    yield ratios(name, ours, ("executor.map", bare), unit="µs/item", budget=budget)
    floor = ("executor.map of a new pool", bare_anew)
    yield ratios(f"{name}, a new pool", ours_anew, floor, unit="µs/item", budget=budget)


def _threads(folder: Path) -> Iterator[Figure]:
    keys = _keys(OF_THREADS)
    ideal_us = NAP_S / THREADS * 1e6
    with ThreadPoolExecutor(THREADS) as pool:
        bare, ours = in_turn(
            ROUNDS,
            lambda _turn: _wall_us(lambda: list(pool.map(nap, keys)), keys),
            lambda _turn: _run_us(folder, nap, keys, pool),
        )
    ideal = (f"the ideal, 1 ms / {THREADS}", [ideal_us] * len(ours))
    name = f"{THREADS} threads, an item of 1 ms"
    yield ratios(name, ours, ideal, unit="µs/item", budget=at_most(1.2))
    yield ratios("executor.map alone, the same", bare, ideal, unit="µs/item")


def _coroutines(folder: Path) -> Iterator[Figure]:
    """Processor time of all threads: with one that records beside the loop, wall time hides it."""
    keys = _keys(OF_COROUTINES)

    def gathered() -> None:
        async def work() -> None:
            room = asyncio.Semaphore(AT_ONCE)

            async def one(key: str) -> int:
                async with room:
                    return await awaited(key)

            await asyncio.gather(*(one(key) for key in keys))

        asyncio.run(work())

    def bare(_turn: int) -> float:
        began = process_time()
        gathered()
        return (process_time() - began) / len(keys) * 1e6

    with CoroutineExecutor(AT_ONCE) as pool:
        floor, ours = in_turn(
            ROUNDS,
            bare,
            lambda _turn: _run_us(folder, awaited, keys, pool, process_time),
        )
    yield as_it_is(
        f"{AT_ONCE} coroutines, an item that takes no time, processor",
        ours,
        ("asyncio.gather under a semaphore", floor),
        unit="µs/item",
        budget=at_most(30),
    )


def _wall_us(act: Callable[[], object], keys: Sequence[str]) -> float:
    began = perf_counter()
    act()
    return (perf_counter() - began) / len(keys) * 1e6


def _run_us(
    folder: Path,
    function: Callable[[Any], object],
    keys: Sequence[str],
    executor: Any,  # an executor, or a function that makes one
    clock: Callable[[], float] = perf_counter,
) -> float:
    """What an item takes in a run of a job that was created before."""
    with _job(folder, keys) as manager:
        began = clock()
        outcome = run(manager, "job", function, executor=executor)
        took_s = clock() - began
        assert outcome.done_count == len(keys)
    return took_s / len(keys) * 1e6


def _keys(count: int) -> list[str]:
    return [f"item-{number:07d}" for number in range(count)]


@contextmanager
def _job(folder: Path, keys: Sequence[str]) -> Iterator[StateManager]:
    """A manager of a new store with a job of these items, gone afterwards."""
    place = folder / "store"
    place.mkdir()
    try:
        with StateManager.open(place / "jobs.db") as manager:
            manager.create_job(keys, job_id="job")
            yield manager
    finally:
        shutil.rmtree(place)
