"""SQLite's errors as ours: absent, locked, foreign, damaged, or no room on the disk."""

from __future__ import annotations

import errno
from typing import Final

import apsw

from milepost.errors import (
    StoreError,
    StoreForeign,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnreadable,
)
from milepost.text.commands import command, salvage_of

__all__ = ["CHECK", "NO_ROOM", "errno_of", "is_full", "translate"]

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors of the system for a disk, a quota or an allowed file size that is used up."""

_UNREAD: Final = (
    apsw.SQLITE_IOERR_READ,
    apsw.SQLITE_IOERR_SHORT_READ,
    apsw.SQLITE_IOERR_CORRUPTFS,
)
"""What the disk does not give back: that it cannot be written, too, is said otherwise."""

CHECK: Final = "check the path, and who may read what is there"
"""What to do about a file that the system does not let us read."""


def errno_of(connection: apsw.Connection | None) -> int:
    """The system's last error for the connection, 0 where there is no connection any more."""
    try:
        return 0 if connection is None else int(connection.system_errno)
    except apsw.ConnectionClosedError:
        return 0


def is_full(error: BaseException, system_errno: int) -> bool:
    """True if `error` of SQLite says that there was no room.

    `system_errno` is what the system said to the connection last (`errno_of`): to
    SQLite a quota that is used up is one I/O error of many.
    """
    if isinstance(error, apsw.FullError):
        return True
    return isinstance(error, apsw.IOError | apsw.CantOpenError) and system_errno in NO_ROOM


def translate(
    error: apsw.Error | UnicodeDecodeError, url: str, waited_s: float = 0.0, system_errno: int = 0
) -> StoreError:
    """The error of ours for `error`, for the store at `url`.

    `waited_s` is how long a busy one was given, `system_errno` as for `is_full`.
    """
    if is_full(error, system_errno):
        problem = (
            f"there is no room left for it ({error}): nothing of it was written, and what was"
            " there stays; free some space on its disk and try again"
        )
        return StoreFull(url=url, problem=problem)
    match error:
        case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
            return StoreLocked(
                url=url, problem=f"others kept it busy for {waited_s:g} s: try again"
            )
        case apsw.NotADBError():
            problem = "it is not a SQLite database; it was left alone: name another file"
            return StoreForeign(url=url, problem=problem)
        case apsw.CorruptError() | UnicodeDecodeError():
            return StoreUnreadable(
                url=url,
                problem=f"SQLite finds it damaged: {error}",
                todo=f"`{salvage_of(url)}` copies what can be read, or restore a backup",
            )
        case apsw.IOError() if getattr(error, "extendedresult", 0) in _UNREAD:
            return StoreUnreadable(
                url=url,
                problem=f"SQLite cannot read it: {error}",
                todo=f"see to its disk; `{salvage_of(url)}` copies what can be read",
            )
        case apsw.CantOpenError():
            return StoreUnreadable(url=url, problem=f"cannot be opened: {error}", todo=CHECK)
        case apsw.ReadOnlyError():
            return StoreReadOnly(
                url=url, problem=f"{error}: see that the file and its folder can be written"
            )
        case _:
            return StoreError(
                url=url,
                problem=f"SQLite: {error}: try again; if it stays,"
                f" `{command('verify')}` looks for damage",
            )
