"""The place of an open store: what its path named when it was opened, and whether it still does."""

from __future__ import annotations

import os
import time
from typing import Final, NamedTuple

__all__ = ["Identity", "Name", "Place", "identity_of"]

_SETTLED_NS: Final = 3_000_000_000
"""How old the last change of a folder must be, so that the next one surely has another time."""


class Identity(NamedTuple):
    """The identity of a file among all files that there are."""

    device: int
    number: int


def identity_of(found: os.stat_result) -> Identity:
    """The identity of what was found."""
    return Identity(found.st_dev, found.st_ino)


class Name(NamedTuple):
    """What a file's log is named after: its folder, by whatever path it is reached, and name."""

    folder: Identity
    name: str


class Place:
    """The path of a store, and the files that it named.

    To look at them costs one stat as long as nothing came into their folder, left it or changed its
    name; five otherwise, and for three seconds after that.
    """

    def __init__(self, path: str) -> None:
        """`path` is absolute. Raises OSError."""
        self.path = path
        self.beside = os.path.realpath(path)  # where SQLite puts what is beside it
        folder, name = os.path.split(self.beside)
        self.name = Name(identity_of(os.stat(folder)), name)
        self._folder = os.path.dirname(path)
        self._is_link = os.path.islink(path)
        self._unchanged: tuple[int, int, int] | None = None  # the folder, while all is in place

    def unchanged(self) -> bool:
        """True if all is in place as it was at the last look; otherwise look for `trouble`."""
        try:
            folder = os.stat(self._folder)
        except OSError:
            return False
        return (folder.st_ctime_ns, folder.st_ino, folder.st_dev) == self._unchanged

    def trouble(self, file: Identity, log: Identity | None, index: Identity | None) -> str:
        """The file that is not in place; "" if the path names these. None is not looked for.

        Safe for any number of threads.
        """
        try:
            folder = os.stat(self._folder)
            if identity_of(os.stat(self.path)) != file:
                return "another file is at its path now"
            if log is not None and identity_of(os.stat(f"{self.beside}-wal")) != log:
                return "another log is beside it now"
            if index is not None and identity_of(os.stat(f"{self.beside}-shm")) != index:
                return "another index of its log is beside it now"
        except OSError as error:
            return f"its files are no longer there: {error}"
        if log and index and not self._is_link:
            settled = time.time_ns() - folder.st_ctime_ns > _SETTLED_NS
            now = folder.st_ctime_ns, folder.st_ino, folder.st_dev
            self._unchanged = now if settled else None
        return ""
