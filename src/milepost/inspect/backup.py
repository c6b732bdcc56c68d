"""`milepost backup`: a copy of a store, as of one moment."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Note, Page
from milepost.state.manager import StateManager
from milepost.stores.unreadable import OnError

__all__ = ["BackupView", "backup", "backup_page"]


class BackupView(Struct, frozen=True, kw_only=True):
    """A copy of the store that was made: its size, and how many jobs it holds."""

    SCHEMA: ClassVar[str] = "milepost.backup/1"

    store: str
    copy: str
    size_bytes: int
    jobs: int


def backup(manager: StateManager, copy: Path, *, on_error: OnError) -> BackupView:
    """A copy of the store that was made at `copy`; `on_error` gets what cannot be read in it.

    Raises as StateManager.back_up does.
    """
    size_bytes = manager.upkeep.back_up(copy)
    with StateManager.open(copy, create=False, read_only=True) as copied:
        jobs = len(copied.job_ids(on_error=on_error))
    return BackupView(store=manager.url, copy=str(copy), size_bytes=size_bytes, jobs=jobs)


def backup_page(view: BackupView) -> Page:
    """One line: what is in the copy."""
    jobs = f"{view.jobs} job{'' if view.jobs == 1 else 's'}"
    return (Note(f"{view.copy}: {jobs}, {view.size_bytes:,} bytes"),)
