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
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from milepost.stores.sqlite.ofd import FREE, READ, WRITE, Request, request, take

__all__ = ["ReadMarks"]

_COUNT: Final = 5
_FIRST: Final = 123  # in the index: WAL_READ_LOCK(0)
_KEEP: Final = tuple(request(READ, _FIRST + mark, 1) for mark in range(_COUNT))
_CHANGE: Final = tuple(request(WRITE, _FIRST + mark, 1) for mark in range(_COUNT))
_LEAVE: Final = tuple(request(FREE, _FIRST + mark, 1) for mark in range(_COUNT))
_INDEX: Final = struct.Struct("=16xI76xI5I")  # frames of the log, those checked in, the marks
_FRAMES: Final = 16  # where in the index it is
_MARKS: Final = 100
_TRIES: Final = 100
"""How often a mark is tried before a read goes by SQLite's lock alone; SQLite tries as often."""


class ReadMarks:
    """The marks of one log, for all who read of it in this process. Safe for any threads."""

    def __init__(self, handle: int, *, writable: bool) -> None:
        """`handle` is an open index, for writing too where it is `writable`."""
        self._handle = handle
        self._writable = writable
        self._lock = threading.RLock()  # a signal's handler may read too
        self._readers: tuple[set[_Reader], ...] = tuple(set() for _ in range(_COUNT))
        self._last = (0, b"")  # the mark that was right for whoever came last, and by what index

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While the block runs, nobody takes from the log or the file what a read in it needs.

        An interrupt that meets what gives the mark back does not keep it: that is done again. It is
        tried in place, since to call a function is to be interrupted.
        """
        reader = _Reader()
        cut: KeyboardInterrupt | None = None
        try:
            try:
                self._keep(reader)
            except OSError:  # no room for a lock: the read goes by SQLite's alone
                self._leave(reader)
            yield
        finally:
            while True:
                try:
                    self._leave(reader)
                    break
                except KeyboardInterrupt as interrupt:
                    cut = interrupt
            if cut is not None:
                raise cut

    def abandon(self) -> None:
        """In the child of a fork: the locks are the parent's, whose threads may be taking them."""
        self._lock = threading.RLock()
        self._handle = -1

    def close(self) -> None:
        """The index is about to be closed, and all locks of it with it."""
        with self._lock:
            self._handle = -1

    def _keep(self, reader: _Reader) -> None:
        """Lock a mark of the newest moment, for this reader. Never waits. Raises OSError."""
        last = self._last
        mark = last[0]
        shut: set[int] = set()  # marks that somebody is changing
        for _ in range(_TRIES):
            with self._lock:
                if self._handle < 0:
                    return
                kept = self._take(reader, mark, _KEEP)
                told = os.pread(self._handle, _INDEX.size, 0)
                if kept and (mark, told) == last:
                    return
                if not kept:
                    shut.add(mark)
                wanted, is_old = _newest_of(told, shut)
                if kept and wanted == mark:
                    self._last = mark, b"" if is_old else told
                    if is_old and self._writable:
                        self._renew(reader, mark)
                    return
            self._leave(reader)
            mark = wanted
            shut.discard(mark)

    def _renew(self, reader: _Reader, old: int) -> None:
        """Go over to a mark that is brought up to now, as SQLite does it, if one is free for that.

        Otherwise who reads without a pause would always lock a moment before the newest commit, and
        the log would never be checked in to its end. While a mark is locked it is not begun anew.
        """
        for mark in range(1, _COUNT):
            if not self._readers[mark]:
                if self._take(reader, mark, _CHANGE):
                    frames = os.pread(self._handle, 4, _FRAMES)
                    os.pwrite(self._handle, frames, _MARKS + 4 * mark)
                    self._take(reader, mark, _KEEP)
                    self._last = mark, b""
                    self._free(reader, old)
                    return
                self._free(reader, mark)

    def _take(self, reader: _Reader, mark: int, how: tuple[Request, ...]) -> bool:
        reader.marks.add(mark)
        self._readers[mark].add(reader)
        return take(self._handle, how[mark])

    def _free(self, reader: _Reader, mark: int) -> None:
        readers = self._readers[mark]
        readers.discard(reader)
        if not readers and self._handle >= 0:
            take(self._handle, _LEAVE[mark])
        reader.marks.discard(mark)

    def _leave(self, reader: _Reader) -> None:
        """Give back what this reader has locked. To give back what was not locked is fine."""
        with self._lock:
            for mark in tuple(reader.marks):
                self._free(reader, mark)


class _Reader:
    """Somebody who reads, by what is locked for him."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: set[int] = set()


def _newest_of(told: bytes, shut: set[int]) -> tuple[int, bool]:
    """The mark of the newest moment by what an index tells, but none of `shut` if there is another.

    That is the first once all of the log is checked in: then the log may be begun anew. And whether
    the log has grown since.
    """
    if len(told) < _INDEX.size:
        return 0, False  # nobody has read by it yet
    frames, checked_in, *marks = _INDEX.unpack(told)
    if frames == checked_in and 0 not in shut:
        return 0, False
    found = [
        (marks[mark], mark)
        for mark in range(1, _COUNT)
        if mark not in shut and marks[mark] <= frames
    ]
    moment, mark = max(found, default=(0, 1))
    return mark, moment < frames
