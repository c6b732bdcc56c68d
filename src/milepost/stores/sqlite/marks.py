"""The read marks in the index of a log: each read holds one of them by a lock of our own.

Who reads goes by the log as it was at a moment. Of the five marks SQLite locks one meanwhile: who
checks the log in to the file goes no further than the lowest mark that is locked, and begins the
log anew only when none is; while the first is locked, which is for reads of the file alone, nobody
checks anything in. Those are POSIX locks, which fall when anybody in the process closes a
descriptor of the file. So a read takes a mark here before SQLite does. Which one SQLite takes then
need not be known: ours is not of a later moment than the read, since the log only grows while it is
held. Source: sqlite.org/walformat.html, section 2.3, and wal.c, walTryBeginRead and walCheckpoint.
"""

from __future__ import annotations

import os
import struct
import threading
from types import TracebackType
from typing import Final

from milepost.stores.sqlite.ofd import FREE, READ, request, take

__all__ = ["ReadMarks", "Reading"]

_COUNT: Final = 5
_FIRST: Final = 123  # in the index: WAL_READ_LOCK(0)
_KEEP: Final = tuple(request(READ, _FIRST + mark, 1) for mark in range(_COUNT))
_LEAVE: Final = tuple(request(FREE, _FIRST + mark, 1) for mark in range(_COUNT))
_INDEX: Final = struct.Struct("=16xI76xI5I")  # frames of the log, those checked in, the marks
_TRIES: Final = 100
"""How often a mark is tried before a read goes by SQLite's lock alone; SQLite tries as often."""


class ReadMarks:
    """The marks of one log, for all who read of it in this process. Safe for any threads."""

    def __init__(self, handle: int) -> None:
        """`handle` is an open index."""
        self._handle = handle
        self._lock = threading.RLock()  # a signal's handler may read too
        self._readers: tuple[set[Reading], ...] = tuple(set() for _ in range(_COUNT))
        self._newest = 0  # the mark that was right for whoever came last

    def keep(self, reader: Reading) -> None:
        """Lock the mark of the newest moment, for this reader. Never waits. Raises OSError."""
        mark = self._newest
        shut: set[int] = set()  # marks that somebody is changing
        for _ in range(_TRIES):
            with self._lock:
                if self._handle < 0:
                    return
                reader.mark = mark
                self._readers[mark].add(reader)
                kept = take(self._handle, _KEEP[mark])
                told = os.pread(self._handle, _INDEX.size, 0)
            if not kept:
                shut.add(mark)
            wanted = _newest_of(told, shut)
            if kept and wanted == mark:
                self._newest = mark
                return
            self.leave(reader)
            mark = wanted
            shut.discard(mark)

    def leave(self, reader: Reading) -> None:
        """Give back what this reader has locked. To give back what was not locked is fine."""
        with self._lock:
            readers = self._readers[reader.mark]
            readers.discard(reader)
            if not readers and self._handle >= 0:
                take(self._handle, _LEAVE[reader.mark])

    def abandon(self) -> None:
        """In the child of a fork: the locks are the parent's, whose threads may be taking them."""
        self._lock = threading.RLock()
        self._handle = -1

    def close(self) -> None:
        """The index is about to be closed, and all locks of it with it."""
        with self._lock:
            self._handle = -1


class Reading:
    """While the block runs, nobody takes from the log or the file what a read begun in it needs."""

    __slots__ = ("_marks", "mark")

    def __init__(self, marks: ReadMarks) -> None:
        self._marks = marks
        self.mark = 0

    def __enter__(self) -> None:
        try:
            self._marks.keep(self)
        except OSError:  # no room for a lock: the read goes by SQLite's alone
            self._marks.leave(self)
        except BaseException:
            self._marks.leave(self)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._marks.leave(self)


def _newest_of(told: bytes, shut: set[int]) -> int:
    """The mark of the newest moment by what an index tells, but none of `shut` if there is another.

    That is the first once all of the log is checked in: then the log may be begun anew.
    """
    if len(told) < _INDEX.size:
        return 0  # nobody has read by it yet
    frames, checked_in, *marks = _INDEX.unpack(told)
    if frames == checked_in and 0 not in shut:
        return 0
    found = [
        (marks[mark], mark)
        for mark in range(1, _COUNT)
        if mark not in shut and marks[mark] <= frames
    ]
    return max(found, default=(0, 1))[1]
