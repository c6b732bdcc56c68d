"""One durable record at a time, alone and from 64 threads at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, Final

import msgspec

from floors import BareTable
from jobs import mapping_job
from milepost import CheckpointPolicy, ItemEvent, StateManager
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


def record_at_once(manager: StateManager, first: int, values: Sequence[dict[str, Any]]) -> float:
    """How long THREADS take for their shares of `values`, in seconds."""
    gate = threading.Barrier(THREADS + 1)

    def work(number: int) -> None:
        at = number * OF_A_THREAD
        gate.wait()
        record_each(manager, first + at, values[at : at + OF_A_THREAD])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    gate.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    return perf_counter() - began


def figures(settings: Settings) -> Iterator[Figure]:
    bare = BareTable(settings.folder / "bare.db")
    manager = StateManager.open(settings.folder / "milepost.db")
    crowd = THREADS * OF_A_THREAD
    mapping_job(manager, JOB, (ROUNDS + WARM_UP) * SLICES * (EACH + crowd))
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

    def together(turn: int) -> float:
        nonlocal recorded
        took = record_at_once(manager, recorded, results(crowd, turn))
        recorded += crowd
        return took / crowd * 1e6

    with manager:
        floors, ours, threads = in_turn(
            ROUNDS, floor, alone, together, warm_up=WARM_UP, slices=SLICES
        )
        assert manager.get_state(JOB).progress.done == recorded
    bare.close()
    against = (FLOOR, floors)
    yield ratios("one at a time", ours, against, unit="µs/item", budget=at_least(0.8), speed=True)
    yield ratios(
        f"{THREADS} threads", threads, against, unit="µs/item", budget=at_least(4), speed=True
    )
