"""Locks on bytes of a file that belong to one open file: no other close in the process drops them.

POSIX locks, which SQLite takes, belong to the process: they fall as soon as any descriptor of the
file is closed in it, a copy's or another library's too. Open file description locks stay until
their own descriptor is closed. The two kinds exclude each other, also within one process.
Source: fcntl(2), "Open file description locks"; Linux has them since 3.15.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from typing import Final, TypeAlias

__all__ = ["FREE", "READ", "WRITE", "Request", "is_taken", "request", "supported", "take"]

Request: TypeAlias = bytes
"""A `struct flock` as Linux lays it out: one kind of lock, on one range."""

READ: Final = fcntl.F_RDLCK
WRITE: Final = fcntl.F_WRLCK
FREE: Final = fcntl.F_UNLCK

_SET: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)  # Python has it on Linux alone
_ASK: Final[int | None] = getattr(fcntl, "F_OFD_GETLK", None)
_FLOCK: Final = struct.Struct("hhqqi0q")  # type, whence, start, length, pid: 0


def request(kind: int, first: int, count: int) -> Request:
    """What asks for a lock of that kind on `count` bytes from `first` on; FREE gives it back."""
    return _FLOCK.pack(kind, 0, first, count, 0)


def take(handle: int, wanted: Request) -> bool:
    """True if the lock is held now; False if another holds one that excludes it. Never waits.

    To take what is held already is fine, and changes its kind. Raises OSError where there are no
    such locks.
    """
    if _SET is None:
        raise OSError(errno.ENOSYS, "this Python knows no open file description locks")
    try:
        fcntl.fcntl(handle, _SET, wanted)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: which of them, POSIX leaves open
        return False
    return True


def is_taken(handle: int, first: int, count: int) -> bool:
    """True if somebody else, of this process or another, has any lock on these bytes."""
    if _ASK is None:
        return False
    found = fcntl.fcntl(handle, _ASK, request(WRITE, first, count))
    kind: int = _FLOCK.unpack(found)[0]
    return kind != FREE


def supported(handle: int, byte: int) -> bool:
    """True if such locks can be had on this file. `byte` is one that nobody locks."""
    try:
        return take(handle, request(READ, byte, 1)) and take(handle, request(FREE, byte, 1))
    except OSError:
        return False
