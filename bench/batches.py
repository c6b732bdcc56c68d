"""Batches of 100 results: how fast they are durable, and what they take on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from floors import BareTable
from jobs import file_bytes, mapping_job
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, at_least, at_most, in_turn, ratios
from samples import results

ROUNDS: Final = 9
WARM_UP: Final = 2
BATCH: Final = 100
SLICES: Final = 10
BATCHES: Final = 4  # a slice
FLOOR: Final = "bare SQLite FULL, a row an item, same batches"
FLOOR_WITH_JSON: Final = "the same, json.dumps included"


def figures(settings: Settings) -> Iterator[Figure]:
    yield from _speed(settings.folder)
    yield from _size(settings.folder)


def _speed(folder: Path) -> Iterator[Figure]:
    bare = BareTable(folder / "bare.db")
    manager = StateManager.open(folder / "milepost.db")
    per_slice = BATCH * BATCHES
    mapping_job(manager, "succeed", (ROUNDS + WARM_UP) * SLICES * per_slice)
    mapping_job(manager, "both", (ROUNDS + WARM_UP) * SLICES * per_slice, started=False)

    def floor(turn: int) -> float:
        encoded = [msgspec.json.encode(value) for value in results(per_slice, turn)]
        began = perf_counter()
        for at in range(0, per_slice, BATCH):
            bare.insert_together(encoded[at : at + BATCH])
        return (perf_counter() - began) / per_slice * 1e6

    def floor_with_json(turn: int) -> float:
        values = results(per_slice, turn)
        began = perf_counter()
        for at in range(0, per_slice, BATCH):
            batch = values[at : at + BATCH]
            bare.insert_together([json.dumps(value).encode() for value in batch])
        return (perf_counter() - began) / per_slice * 1e6

    def ours(job_id: str, turn: int, events: tuple[str, ...]) -> float:
        values = results(per_slice, turn)
        first = turn * per_slice
        began = perf_counter()
        for at in range(0, per_slice, BATCH):
            ordinals = range(first + at, first + at + BATCH)
            if "start" in events:
                manager.record(job_id, [ItemEvent(ordinal, "start") for ordinal in ordinals])
            manager.record(
                job_id,
                [
                    ItemEvent(ordinal, "succeed", {"result": value})
                    for ordinal, value in zip(ordinals, values[at : at + BATCH], strict=True)
                ],
            )
        return (perf_counter() - began) / per_slice * 1e6

    with manager:
        floors, with_json, succeed, both = in_turn(
            ROUNDS,
            floor,
            floor_with_json,
            lambda turn: ours("succeed", turn, ("succeed",)),
            lambda turn: ours("both", turn, ("start", "succeed")),
            warm_up=WARM_UP,
            slices=SLICES,
        )
    bare.close()
    against = (FLOOR, floors)
    yield ratios("results", succeed, against, unit="µs/item", speed=True)
    yield ratios("starts and results", both, against, unit="µs/item", speed=True)
    with_dumps = (FLOOR_WITH_JSON, with_json)
    yield ratios("results", succeed, with_dumps, unit="µs/item", budget=at_least(1), speed=True)


def _size(folder: Path, count: int = 20_000) -> Iterator[Figure]:
    bare = BareTable(folder / "bare-size.db")
    empty = file_bytes(bare.path)
    values = results(count, seed=7)
    for at in range(0, count, BATCH):
        bare.insert_together([msgspec.json.encode(value) for value in values[at : at + BATCH]])
    bare.close()
    floor = (file_bytes(bare.path) - empty) / count

    path = folder / "milepost-size.db"
    with StateManager.open(path) as manager:
        fresh = file_bytes(path)
        mapping_job(manager, "size", count)
        before = file_bytes(path)
        for at in range(0, count, BATCH):
            batch = enumerate(values[at : at + BATCH], at)
            manager.record(
                "size", [ItemEvent(number, "succeed", {"result": value}) for number, value in batch]
            )
        after = file_bytes(path)
    against = (FLOOR, [floor])
    results_only, whole = (after - before) / count, (after - fresh) / count
    yield ratios("results", [results_only], against, unit="bytes/item", budget=at_most(0.35))
    yield ratios("the whole job: keys, starts, results", [whole], against, unit="bytes/item")
