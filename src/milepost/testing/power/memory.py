"""A folder on a file system in memory, where there is one: nothing here rests on a real disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["folder_in_memory"]


@contextmanager
def folder_in_memory(otherwise: Path) -> Iterator[Path]:
    """A new folder that is gone when the block ends; `otherwise` where there is no such memory."""
    memory = Path("/dev/shm")  # noqa: S108 it is only taken where it is there
    if not memory.is_dir():
        yield otherwise
        return
    folder = Path(tempfile.mkdtemp(dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
