"""Jobs to measure on, in a store of their own, and how large a store's file is."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

import apsw

from milepost import ItemEvent, StateManager

__all__ = ["file_bytes", "mapping_job", "start"]

AT_ONCE: Final = 1_000_000


def mapping_job(manager: StateManager, job_id: str, count: int, *, started: bool = True) -> None:
    """Create a job of `count` items in its map phase, all items started unless told otherwise."""
    manager.create_job((f"item-{number:07d}" for number in range(count)), job_id=job_id)
    manager.fire(job_id, "start_map")
    if started:
        start(manager, job_id, range(count))


def start(manager: StateManager, job_id: str, ordinals: Iterable[int]) -> None:
    """Start the items, a million in a commit: ten are more than one may take."""
    left = iter(ordinals)
    while part := [ItemEvent(ordinal, "start") for ordinal in islice(left, AT_ONCE)]:
        manager.record(job_id, part)


def file_bytes(path: Path) -> int:
    """The size of a SQLite file once its write-ahead log has been moved into it."""
    connection = apsw.Connection(str(path))
    try:
        list(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))
    finally:
        connection.close()
    return path.stat().st_size
