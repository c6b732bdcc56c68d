"""A home of the tool Prodigy, as of some months before the story: one job half done, one torn."""

from __future__ import annotations

from pathlib import Path

from milepost.legacy.prodigy import ItemStatus
from tests.integration.legacy.old_homes import (
    MadeItem,
    job_events,
    job_state,
    letter,
    write,
    write_events,
    write_letter,
    write_state,
)

__all__ = ["HALF_DONE", "TORN", "leave"]

HALF_DONE = "mapreduce-20230301_120000"
TORN = "mapreduce-20230302_090000"


def leave(folder: Path) -> Path:
    """`prodigy` in `folder`: a job in the middle of map, and one whose only state is cut short."""
    home = folder / "prodigy"
    statuses = (
        *(ItemStatus.DONE, ItemStatus.DONE, ItemStatus.IN_FLIGHT),
        *(ItemStatus.FAILED, ItemStatus.DEAD, ItemStatus.PENDING),
    )
    items = [
        MadeItem(value={"file": f"{name}.py"}, status=status, message="HTTP 500", attempts=2)
        for name, status in zip("abcdef", statuses, strict=True)
    ]
    write_state(home, job_state(items, job_id=HALF_DONE), job_id=HALF_DONE)
    write_events(home, job_events(items, job_id=HALF_DONE), job_id=HALF_DONE)
    write_letter(home, letter("item_4", items[4]), job_id=HALF_DONE)
    torn = write_state(home, job_state(items, job_id=TORN), job_id=TORN, metadata=False)
    write(torn, torn.read_bytes()[:400])
    for path in home.rglob("*"):
        if path.is_file():
            write(path, path.read_bytes().replace(b"2026-03-01T", b"2023-03-01T"))
    return home
