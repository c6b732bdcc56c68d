"""One more result in a job that has many: appended, or the whole state written again as JSON.

Tools that keep a job as one JSON document write it anew for each item, so that a job of n items
costs n². The document is written as such tools do it: temporary file, fsync, rename.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from jobs import mapping_job
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, in_turn, ratios
from samples import results

ROUNDS: Final = 5
SIZES: Final = (500, 2_000, 8_000)
EACH: Final = 5
FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY


def write_whole(path: Path, state: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, FOLDER_FLAGS)
    os.fsync(folder)
    os.close(folder)


def figures(settings: Settings) -> Iterator[Figure]:
    values = results(1_000, seed=3)
    extra = (ROUNDS + 1) * EACH

    def rewriting(count: int) -> Callable[[int], float]:
        state = {f"item-{number:07d}": values[number % 1_000] for number in range(count)}
        path = settings.folder / f"{count}.json"

        def measure(turn: int) -> float:
            costs = []
            for number in range(EACH):
                began = perf_counter()
                state[f"item-{count + turn * EACH + number:07d}"] = values[number]
                write_whole(path, state)
                costs.append((perf_counter() - began) * 1e3)
            return statistics.median(costs)

        return measure

    def appending(manager: StateManager, count: int) -> Callable[[int], float]:
        job_id = f"job-{count}"
        mapping_job(manager, job_id, count + extra)
        done = ((n, {"result": values[n % 1_000]}) for n in range(count))
        manager.record(job_id, [ItemEvent(number, "succeed", result) for number, result in done])

        def measure(turn: int) -> float:
            costs = []
            for number in range(EACH):
                began = perf_counter()
                event = ItemEvent(
                    count + turn * EACH + number, "succeed", {"result": values[number]}
                )
                manager.record(job_id, [event])
                costs.append((perf_counter() - began) * 1e3)
            return statistics.median(costs)

        return measure

    with StateManager.open(settings.folder / "milepost.db") as manager:
        subjects = [
            subject for count in SIZES for subject in (appending(manager, count), rewriting(count))
        ]
        costs = in_turn(ROUNDS, *subjects)
    for count, ours, theirs in zip(SIZES, costs[::2], costs[1::2], strict=True):
        name, floor = f"after {count:,} results", "the whole state as JSON"
        yield ratios(name, ours, (floor, theirs), unit="ms", speed=True)
    for count, ours, theirs in list(zip(SIZES, costs[::2], costs[1::2], strict=True))[1:]:
        first = f"after {SIZES[0]:,}"
        yield ratios(f"ours, after {count:,} results", ours, (first, costs[0]), unit="ms")
        yield ratios(f"whole state, after {count:,} results", theirs, (first, costs[1]), unit="ms")
