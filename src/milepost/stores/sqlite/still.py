"""A file that was closed in good order, where nothing can be written: read without files beside it.

SQLite keeps an index of the log beside a file that it only reads, too. On a medium that cannot be
written it can be told instead that the file is `immutable`: then it looks at nothing else, and
locks nothing. That is right as long as all that was committed is in the file and nobody changes
it, which is looked at before and after every use: others may be able to write where we are not.
Source: sqlite.org/uri.html and sqlite.org/wal.html, "Read-Only Databases".
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import apsw

from milepost.errors import StoreLocked, StoreReadOnly, StoreUnreadable
from milepost.stores.sqlite.errors import is_full, translate

__all__ = ["NOT_HERE", "StillConnection", "connect_to_read", "refuse_unwritable"]

NOT_HERE: Final = (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError)
"""How SQLite says that it cannot make a file beside the store's."""


class _Print(NamedTuple):
    """The print of a file, which shows whether it was changed or replaced."""

    device: int
    number: int
    size_bytes: int
    changed_ns: tuple[int, int]


class StillConnection(apsw.Connection):
    """A connection for reading a file that nobody changes. `still` says whether that holds."""

    def __init__(self, path: Path, vfs: str | None) -> None:
        self._path = path
        self._before = _print_of(path)
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        place = quote(os.fsencode(path.absolute()))
        super().__init__(f"file://{place}?immutable=1", flags=flags, vfs=vfs)

    @property
    def still(self) -> bool:
        """True while the file is as it was, and nothing is beside it."""
        try:
            return self._before == _print_of(self._path) and not _left_beside(self._path)
        except OSError:
            return False

    def insist(self, url: str) -> None:
        """Raise StoreLocked unless the file is still as it was."""
        if not self.still:
            problem = "somebody began to write to it while it was read: read it again"
            raise StoreLocked(url=url, problem=problem)


def connect_to_read(
    path: Path, url: str, vfs: str | None, prepare: Callable[[apsw.Connection], None]
) -> apsw.Connection:
    """A connection for reading, which has read once; one of a still file where no other can be had.

    `prepare` is called with it before the first statement. Raises StoreUnreadable where commits
    are in a log beside the file that SQLite cannot read without writing, StoreFull, apsw.Error.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
    try:
        prepare(connection)
        _look(connection)
    except NOT_HERE as error:
        system_errno = connection.system_errno
        connection.close()
        if not _unwritable(path):
            if is_full(error, system_errno):  # the index of the log takes some room
                raise translate(error, url, system_errno=system_errno) from error
            raise
        _refuse_unfinished(path, url, error)
    except BaseException:
        connection.close()
        raise
    else:
        return connection
    connection = StillConnection(path, vfs)
    try:
        prepare(connection)
        _look(connection)
        connection.insist(url)
    except BaseException:
        connection.close()
        raise
    return connection


def refuse_unwritable(path: Path, url: str, error: apsw.Error) -> None:
    """Raise StoreReadOnly if an open for writing failed since nothing can be written there."""
    if isinstance(error, NOT_HERE) and _unwritable(path):
        problem = (
            "it is where nothing can be written: open it for reading (read_only=True), or copy it"
            " to a disk that can be written"
        )
        raise StoreReadOnly(url=url, problem=problem) from error


def _look(connection: apsw.Connection) -> None:
    list(connection.execute("PRAGMA user_version"))


def _unwritable(path: Path) -> bool:
    """True if we can neither make files beside it nor, where they are there, change them."""
    place = Path(os.path.realpath(path))
    return not (os.access(place.parent, os.W_OK) and os.access(place, os.W_OK))


def _refuse_unfinished(path: Path, url: str, error: apsw.Error) -> None:
    """Raise StoreUnreadable unless all that was committed is in the file itself."""
    left = _left_beside(path)
    if left:
        name = path.name
        problem = (
            f"it was not closed in good order: {left} is beside it, and SQLite cannot read that"
            " where nothing can be written"
        )
        todo = (
            f"copy {name} and all that begins with {name}- to a disk that can be written, and open"
            " it there"
        )
        raise StoreUnreadable(url=url, problem=problem, todo=todo) from error


def _left_beside(path: Path) -> str:
    """The name of a file beside that may hold what is not in the file itself; "" if there is none.

    A log that is empty holds nothing. Without a log, its index says that there was one.
    """
    place = os.path.realpath(path)
    for suffix in ("-wal", "-journal"):
        with suppress(FileNotFoundError):
            if Path(place + suffix).stat().st_size:
                return path.name + suffix
    has_log = os.path.lexists(f"{place}-wal")
    return f"{path.name}-shm" if os.path.lexists(f"{place}-shm") and not has_log else ""


def _print_of(path: Path) -> _Print:
    found = path.stat()
    changed_ns = (found.st_mtime_ns, found.st_ctime_ns)
    return _Print(found.st_dev, found.st_ino, found.st_size, changed_ns)
