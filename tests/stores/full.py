"""Disks without room for tests: a VFS that refuses to write, and a small disk of its own."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

ROOM = "milepost-test-room"
"""The name of the VFS."""


class Room:
    """What is left for the files of one VFS: `left` more writes may take place, None is any."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.refused = 0

    def take(self) -> None:
        """One write. Raises apsw.FullError where there is no room for it."""
        if self.left is not None:
            if self.left <= 0:
                self.refused += 1
                raise apsw.FullError("no room: the test says so")
            self.left -= 1


class _File(apsw.VFSFile):  # type: ignore[misc]  # apsw has no stubs here
    def __init__(self, room: Room, filename: str | apsw.URIFilename, flags: list[int]) -> None:
        self._room = room
        super().__init__("", filename, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 SQLite's name
        self._room.take()
        super().xWrite(data, offset)


class RoomVFS(apsw.VFS):  # type: ignore[misc]  # apsw has no stubs here
    """The system's own files, of which a write may be refused for want of room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        super().__init__(ROOM, "")

    def xOpen(  # noqa: N802 SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> _File:
        return _File(self._room, name, flags)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A disk of so many bytes (`1m`) mounted at `place`; skips, by name, where none can be."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"needs root and mount: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def files_up_to(size_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond that (RLIMIT_FSIZE): the system says EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(disk: Path, left_bytes: int = 0) -> Path:
    """A file that takes all that there is on the disk but `left_bytes`."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 4096)
    if left_bytes:
        os.truncate(filler, filler.stat().st_size - left_bytes)
    return filler
