"""The cost of one item in jobs of 1,000, 100,000 and 1,000,000 items: it should not rise."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

from jobs import mapping_job
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, at_most, in_turn, ratios
from samples import results

ROUNDS: Final = 15
WARM_UP: Final = 2
SMALL: Final = 1_000
SIZES: Final = (100_000, 1_000_000)
FLAT: Final = at_most(1.3)  # what "flat" is taken for: colder caches and deeper trees are allowed


def typical(manager: StateManager, job_id: str, first: int, at_once: int, commits: int) -> float:
    """The median cost of an item in µs, over that many commits of results one after the other.

    The median, because now and then a commit also moves the write-ahead log into the file.
    """
    values = results(at_once * commits, seed=5)
    costs = []
    for at in range(0, len(values), at_once):
        began = perf_counter()
        numbered = enumerate(values[at : at + at_once], first + at)
        manager.record(
            job_id, [ItemEvent(number, "succeed", {"result": value}) for number, value in numbered]
        )
        costs.append((perf_counter() - began) / at_once * 1e6)
    return statistics.median(costs)


def figures(settings: Settings) -> Iterator[Figure]:
    # Durability `process`, so that the disk does not hide what the size of a job costs.
    with StateManager.open(settings.folder / "milepost.db", durability="process") as manager:
        yield from _recording(manager)
        yield from _creating(manager)


def _recording(manager: StateManager) -> Iterator[Figure]:
    """Each turn records in a fresh small job, or from the middle of a large one on."""
    for count in SIZES:
        mapping_job(manager, f"job-{count}", count)
        half = [ItemEvent(number, "succeed", {"result": None}) for number in range(count // 2)]
        manager.record(f"job-{count}", half)

    def cost(count: int, at_once: int, commits: int) -> Callable[[int], float]:
        def measure(turn: int) -> float:
            job_id, first = f"job-{count}", count // 2 + offset + at_once * commits * turn
            if count == SMALL:
                job_id, first = f"small-{at_once}-{turn}", 0
                mapping_job(manager, job_id, SMALL)
            return typical(manager, job_id, first, at_once, commits)

        return measure

    offset = 0
    floor = f"a job of {SMALL:,} items"
    for name, at_once, commits in (("batches of 100", 100, 10), ("one at a time", 1, 100)):
        costs = [cost(count, at_once, commits) for count in (SMALL, *SIZES)]
        small, *large = in_turn(ROUNDS, *costs, warm_up=WARM_UP)
        offset += at_once * commits * (ROUNDS + WARM_UP)
        for count, of_count in zip(SIZES, large, strict=True):
            label = f"{name}, {count:,} items"
            yield ratios(label, of_count, (floor, small), unit="µs/item", budget=FLAT)


def _creating(manager: StateManager) -> Iterator[Figure]:
    def measure(count: int, turn: int) -> float:
        items = [f"item-{number:07d}" for number in range(count)]
        began = perf_counter()
        manager.create_job(items, job_id=f"new-{count}-{turn}")
        return (perf_counter() - began) / count * 1e6

    sizes = (10_000, *SIZES)
    floor, *costs = in_turn(
        3, *(lambda turn, count=count: measure(count, turn) for count in sizes), warm_up=0
    )
    for count, of_count in zip(SIZES, costs, strict=True):
        yield ratios(
            f"creating a job, {count:,} items",
            of_count,
            (f"a job of {sizes[0]:,} items", floor),
            unit="µs/item",
            budget=FLAT,
        )
