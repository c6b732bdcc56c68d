"""The files that this process holds for its open stores: one set of descriptors each.

To close a descriptor of a file drops SQLite's locks on it, whoever's it was. So those that are
opened here are shared by all stores of the file, and closed with the last of them.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from typing import Final

from milepost.errors import StoreError
from milepost.stores.sqlite.marks import ReadMarks
from milepost.stores.sqlite.ofd import supported
from milepost.stores.sqlite.place import Identity, Place, identity_of
from milepost.text.escapes import printable

__all__ = ["Held", "join", "leave", "table_lock"]

_log: Final = logging.getLogger("milepost.store")

_PROBED: Final = 0x4000_0401  # on the page that SQLite leaves to locks; it locks others of it

_MAY_NOT_WRITE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


class Held:
    """One file, its log and the log's index, as this process has them open.

    Descriptors are for writing where they can be: a lock that keeps others out needs one.
    """

    def __init__(self, place: Place) -> None:
        """Raises OSError."""
        self.name = place.name
        self.path = place.path
        self.users = 0  # guards that have this
        self.holders = 0  # those of them that keep the log in place
        self.handle, self.writable = _open(place.path)
        self.identity = identity_of(os.fstat(self.handle))
        self.locks = supported(self.handle, _PROBED)
        self.log: Identity | None = None
        self.index: Identity | None = None
        self.index_handle = -1
        self.marks: ReadMarks | None = None
        self.turn = threading.Lock()  # among the stores of this process
        self.retired: list[int] = []  # to be closed with the others
        self._retired_marks: list[ReadMarks] = []

    def open_to_write(self, path: str) -> None:
        """Have a descriptor for writing, if one can be had and nothing is held by the other."""
        if self.holders == 0:
            handle, self.writable = _open(path)
            self.retired.append(self.handle)
            self.handle = handle

    def find_log(self, beside: str) -> None:
        """Know the log, and have a descriptor of its index. Raises OSError."""
        if self.index is None:
            self.index_handle, writable = _open(f"{beside}-shm")
            self.log = identity_of(os.stat(f"{beside}-wal"))
            self.index = identity_of(os.fstat(self.index_handle))
            if self.locks:
                self.marks = ReadMarks(self.index_handle, writable=writable)

    def forget_log(self) -> None:
        """Whoever comes next looks for it and its index anew."""
        if self.index_handle >= 0:
            self.retired.append(self.index_handle)
        if self.marks is not None:  # somebody may be reading still
            self._retired_marks.append(self.marks)
        self.index_handle = -1
        self.log = self.index = self.marks = None

    def abandon(self) -> None:
        """In the child of a fork: close all descriptors, and give up nothing of the parent's."""
        for marks in self._all_marks():
            marks.abandon()
        self.close()

    def close(self) -> None:
        """Close all descriptors, and give up all that they hold."""
        for marks in self._all_marks():
            marks.close()
        for handle in (self.handle, self.index_handle, *self.retired):
            if handle >= 0:
                os.close(handle)
        self.handle = self.index_handle = -1
        self.marks = None
        self.retired, self._retired_marks = [], []

    def _all_marks(self) -> list[ReadMarks]:
        return [*self._retired_marks, *([] if self.marks is None else [self.marks])]


def _open(path: str) -> tuple[int, bool]:
    """A descriptor of what is there, and whether it is for writing too."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC), True
    except OSError as error:
        if error.errno not in _MAY_NOT_WRITE:
            raise
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC), False


class _Table:
    """The files that this process holds.

    `lock` is never held while anybody waits. One thread may take it twice: a signal's handler may
    open a store, or fork.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.held: dict[Identity, Held] = {}
        self._forking = False

    def before_fork(self) -> None:
        """Nobody changes this while it is copied."""
        self.lock.acquire()
        self._forking = True

    def after_fork_in_parent(self) -> None:
        """Let others change it again. Nothing, if this was loaded while the fork had begun."""
        if self._forking:
            self._forking = False
            self.lock.release()

    def after_fork_in_child(self) -> None:
        """Give up what was inherited: it would go on when the parent ends. Nobody uses it here."""
        self.lock = threading.RLock()
        self._forking = False
        for held in self.held.values():
            held.abandon()
        self.held = {}


_table: Final = _Table()
os.register_at_fork(
    before=_table.before_fork,
    after_in_parent=_table.after_fork_in_parent,
    after_in_child=_table.after_fork_in_child,
)


def table_lock() -> threading.RLock:
    """What a guard takes while it changes what is shared. Nobody waits who has it."""
    return _table.lock


def join(place: Place, url: str, *, read_only: bool) -> Held:
    """The descriptors of the file at `place`, for one guard more. Raises OSError, StoreError."""
    with _table.lock:
        held = _table.held.get(identity_of(os.stat(place.path)))
        if held is None:
            held = _new(place, url)
        if held.name != place.name:
            problem = f"this process has it open as {held.path}: open it by that name, or close it"
            raise StoreError(url=url, problem=problem)
        if not read_only and not held.writable:
            held.open_to_write(place.path)
        held.users += 1
        return held


def leave(held: Held) -> None:
    """One guard less; with the last one its descriptors are closed."""
    with _table.lock:
        held.users -= 1
        if held.users == 0:
            _table.held.pop(held.identity, None)
            held.close()


def _new(place: Place, url: str) -> Held:
    held = Held(place)
    known = _table.held.get(held.identity)
    if known is not None:  # it came to this path as we opened it
        known.retired.append(held.handle)
        return known
    if not held.locks:
        _log.warning(
            "%s: this system has no locks that belong to an open file: keep copies of it, and other"
            " SQLite libraries that open it, out of the process",
            printable(url),
        )
    _table.held[held.identity] = held
    return held
