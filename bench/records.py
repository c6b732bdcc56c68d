"""One durable record at a time: alone, from 64 threads and from 64 coroutines at once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any, Final

import msgspec

from floors import BareTable
from jobs import mapping_job
from milepost import AsyncStateManager, CheckpointPolicy, ItemEvent, StateManager
from pairing import Figure, Settings, at_least, in_turn, ratios
from samples import results

ROUNDS: Final = 15
WARM_UP: Final = 3  # until the write-ahead log has reached its size, for all of them
SLICES: Final = 6
EACH: Final = 80
THREADS: Final = 64
OF_A_THREAD: Final = 16
JOB: Final = "records"
FLOOR: Final = "bare SQLite FULL, insert + commit"


def record_each(manager: StateManager, first: int, values: Sequence[dict[str, Any]]) -> None:
    for ordinal, value in enumerate(values, first):
        manager.record(JOB, [ItemEvent(ordinal, "succeed", {"result": value})])


def record_as_run_does(manager: StateManager, first: int, values: Sequence[dict[str, Any]]) -> None:
    """As above, with checkpoints as a run takes them by default."""
    policy, settled, commits = CheckpointPolicy(), 0, 0
    for ordinal, value in enumerate(values, first):
        manager.record(JOB, [ItemEvent(ordinal, "succeed", {"result": value})])
        settled, commits = settled + 1, commits + 1
        if policy.due(settled_items=settled, commits=commits, elapsed_s=0.0):
            manager.create_checkpoint(JOB, reason="policy")
            settled = commits = 0


def shares() -> list[range]:
    """Which of the values each of THREADS takes."""
    return [range(at, at + OF_A_THREAD) for at in range(0, THREADS * OF_A_THREAD, OF_A_THREAD)]


def in_threads(
    act: Callable[[int, Sequence[dict[str, Any]]], None],
    first: int,
    values: Sequence[dict[str, Any]],
) -> float:
    """How long THREADS take to `act` on their shares of `values`, in seconds."""
    gate = threading.Barrier(THREADS + 1)

    def work(share: range) -> None:
        gate.wait()
        act(first + share.start, values[share.start : share.stop])

    threads = [threading.Thread(target=work, args=(share,)) for share in shares()]
    for thread in threads:
        thread.start()
    gate.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    return perf_counter() - began


def record_at_once(manager: StateManager, first: int, values: Sequence[dict[str, Any]]) -> float:
    """How long THREADS take for their shares of `values`, in seconds."""
    return in_threads(partial(record_each, manager), first, values)


def record_awaited(manager: StateManager, first: int, values: Sequence[dict[str, Any]]) -> float:
    """How long THREADS coroutines take for their shares of `values`, in seconds."""

    async def run() -> float:
        awaited = AsyncStateManager(manager)

        async def work(share: range) -> None:
            for at in share:
                event = ItemEvent(first + at, "succeed", {"result": values[at]})
                await awaited.record(JOB, [event])

        began = perf_counter()
        await asyncio.gather(*(work(share) for share in shares()))
        return perf_counter() - began

    return asyncio.run(run())


@contextmanager
def one_processor() -> Iterator[None]:
    """Threads that are begun within stay on one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def figures(settings: Settings) -> Iterator[Figure]:
    bare = BareTable(settings.folder / "bare.db")
    manager = StateManager.open(settings.folder / "milepost.db")
    crowd = THREADS * OF_A_THREAD
    mapping_job(manager, JOB, (ROUNDS + WARM_UP) * SLICES * (EACH + 3 * crowd))
    recorded = 0

    def floor(turn: int) -> float:
        encoded = [msgspec.json.encode(value) for value in results(EACH, turn)]
        began = perf_counter()
        bare.insert_each(encoded)
        return (perf_counter() - began) / EACH * 1e6

    def alone(turn: int) -> float:
        nonlocal recorded
        values = results(EACH, turn)
        began = perf_counter()
        record_each(manager, recorded, values)
        cost = (perf_counter() - began) / EACH * 1e6
        recorded += EACH
        return cost

    def together(turn: int, act: Callable[..., float] = record_at_once) -> float:
        nonlocal recorded
        took = act(manager, recorded, results(crowd, turn))
        recorded += crowd
        return took / crowd * 1e6

    def pinned(turn: int) -> float:
        with one_processor():
            return together(turn)

    def awaited(turn: int) -> float:
        return together(turn, record_awaited)

    with manager:
        floors, ours, threads, on_one, coroutines = in_turn(
            ROUNDS, floor, alone, together, pinned, awaited, warm_up=WARM_UP, slices=SLICES
        )
        assert manager.get_state(JOB).progress.done == recorded
    bare.close()
    against = (FLOOR, floors)
    yield ratios("one at a time", ours, against, unit="µs/item", budget=at_least(0.8), speed=True)
    crowds = {
        f"{THREADS} threads": threads,
        f"{THREADS} threads on one processor": on_one,
        f"{THREADS} coroutines": coroutines,
    }
    for name, costs in crowds.items():
        budget = at_least(4) if "coroutines" in name else None
        yield ratios(name, costs, against, unit="µs/item", budget=budget, speed=True)
