"""Bytes per item of a finished job, before and after its log is compacted into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw
import msgspec

from floors import BareTable
from jobs import file_bytes, mapping_job
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, at_most, ratios
from samples import RESULT_BYTES, results

COUNT: Final = 20_000
JOB: Final = "space"
FLOOR: Final = "bare SQLite, a row an item"
BUDGET: Final = 130 / RESULT_BYTES
"""130 bytes an item after compaction, as a part of the result's own bytes."""


def figures(settings: Settings) -> Iterator[Figure]:
    values = results(COUNT, seed=7)
    bare = BareTable(settings.folder / "bare.db")
    empty = file_bytes(bare.path)
    bare.insert_together([msgspec.json.encode(value) for value in values])
    bare.close()
    floor = (FLOOR, [(file_bytes(bare.path) - empty) / COUNT])
    for batch in (1, 10, 100):
        path = settings.folder / f"batches-of-{batch}.db"
        with StateManager.open(path, durability="process") as manager:
            mapping_job(manager, JOB, COUNT)
            started = vacuumed_bytes(path)
            for at in range(0, COUNT, batch):
                of_batch = enumerate(values[at : at + batch], at)
                ended = [ItemEvent(n, "succeed", {"result": value}) for n, value in of_batch]
                manager.record(JOB, ended)
            manager.fire(JOB, "cancel")
            loose = (vacuumed_bytes(path) - started) / COUNT
            manager.upkeep.compact(JOB, apply=True)
            tight = (vacuumed_bytes(path) - started) / COUNT
        name = f"results in commits of {batch}"
        yield ratios(name, [loose], floor, unit="bytes/item")
        yield ratios(f"{name}, compacted", [tight], floor, unit="bytes/item")
        yield ratios(
            f"{name}, compacted",
            [tight],
            ("the result itself as JSON", [float(RESULT_BYTES)]),
            unit="bytes/item",
            budget=at_most(BUDGET),
        )


def vacuumed_bytes(path: Path) -> int:
    """The size of a copy of the store without the pages that are free in it."""
    copy = path.with_suffix(".copy")
    connection = apsw.Connection(str(path))
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
        return copy.stat().st_size
    finally:
        connection.close()
        copy.unlink(missing_ok=True)
