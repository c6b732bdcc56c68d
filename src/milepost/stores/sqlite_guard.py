"""The guard of a store's files: they stay while it is open, writers take turns, a look tells.

SQLite's own locks are POSIX locks, which fall when anybody in the process closes a descriptor of
the file. What rests on them is held here a second time, by locks that fall with our own descriptors
alone. None of them is on a byte that SQLite locks otherwise than the same way:

- a read lock on the bytes of SQLite's SHARED lock of the file: nobody takes himself for its last
  user, who may delete the `-wal`;
- a read lock on the byte of the `-shm` that says it is in use: nobody begins it anew;
- in a turn at writing, a write lock on a byte that SQLite never uses: our writers take turns;
- in a turn, a read lock on the byte of the `-shm` which everybody locks to check the log in to the
  file: nobody begins the log anew under a writer;
- a read lock on a byte that stands for the file's name: the log is named after it, so that two who
  know the file by two names (a hard link, a move) would have two logs.

Closing a descriptor of ours drops SQLite's locks as any other does. So a process has one set of
descriptors for all its stores of a file, and they are closed with the last of these.
Source: the places of the locks, sqlite.org/walformat.html and os_unix.c.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from milepost.errors import StoreError, StoreLocked, StoreReplaced, StoreUnreadable
from milepost.stores.sqlite_ofd import FREE, READ, WRITE, is_taken, request, supported, take
from milepost.stores.sqlite_waiting import Patience

__all__ = ["Guard", "Guarding"]

_log: Final = logging.getLogger("milepost.store")

_PENDING: Final = 0x4000_0000  # sqlite.org/fileformat2.html, the lock-byte page
_SHARED: Final = (_PENDING + 2, 510)
_TURN: Final = _PENDING + 0x400
_PROBED: Final = _PENDING + 0x401
_NAMES: Final = _PENDING + 0x1000_0000
_NAMES_COUNT: Final = 1 << 40
_CHECKING_IN: Final = 121  # in the -shm: 120 and what WAL_CKPT_LOCK adds
_IN_USE: Final = 128  # in the -shm: UNIX_SHM_DMS

_KEEP_FILE: Final = request(READ, *_SHARED)
_LOOSEN_FILE: Final = request(FREE, *_SHARED)
_KEEP_INDEX: Final = request(READ, _IN_USE, 1)
_LOOSEN_INDEX: Final = request(FREE, _IN_USE, 1)
_TAKE_TURN: Final = request(WRITE, _TURN, 1)
_GIVE_TURN: Final = request(FREE, _TURN, 1)
_HOLD_LOG: Final = request(READ, _CHECKING_IN, 1)
_LEAVE_LOG: Final = request(FREE, _CHECKING_IN, 1)


class _Identity(NamedTuple):
    """What tells one file from all others that there are."""

    device: int
    number: int


class _Name(NamedTuple):
    """What a file's log is named after: its folder, by whatever path it is reached, and name."""

    folder: _Identity
    name: str


class _Held:
    """What this process holds of one file, for all its stores of it."""

    def __init__(self, identity: _Identity, name: _Name, path: str) -> None:
        self.identity = identity
        self.name = name
        self.path = path
        self.users = 0  # guards that have this
        self.holders = 0  # those of them that keep the log in place
        self.readable: int | None = None
        self.writable: int | None = None
        self.index: int | None = None  # of the -shm
        self.log: _Identity | None = None
        self.locks = True
        self.turn = threading.Lock()  # among the stores of this process
        self.retired: list[int] = []  # to be closed with the others

    @property
    def handle(self) -> int:
        """A descriptor of the file."""
        handle = self.readable if self.writable is None else self.writable
        assert handle is not None, "somebody uses it"
        return handle

    def loosen(self) -> None:
        """Let the log be deleted, and forget it: whoever comes next looks for it anew."""
        if self.locks:
            take(self.handle, _LOOSEN_FILE)
        if self.index is not None:
            if self.locks:
                take(self.index, _LOOSEN_INDEX)
            self.retired.append(self.index)
        self.index = self.log = None

    def close(self) -> None:
        """Close all descriptors, and give up all that they hold."""
        for handle in (self.readable, self.writable, self.index, *self.retired):
            if handle is not None:
                os.close(handle)
        self.readable = self.writable = self.index = self.log = None
        self.retired = []


class _Files:
    """What this process holds, by file. The one thing that its stores share.

    `lock` is never held while anybody waits. It can be taken twice by one thread: a signal's
    handler may fork.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.held: dict[_Identity, _Held] = {}

    def before_fork(self) -> None:
        self.lock.acquire()

    def after_fork_in_parent(self) -> None:
        self.lock.release()

    def after_fork_in_child(self) -> None:
        """Give up what was inherited, or it would outlive the parent. Its stores are refused."""
        self.lock = threading.RLock()
        for held in self.held.values():
            held.close()
        self.held = {}


_files: Final = _Files()
os.register_at_fork(
    before=_files.before_fork,
    after_in_parent=_files.after_fork_in_parent,
    after_in_child=_files.after_fork_in_child,
)


class Guarding(Protocol):
    """What a store asks of its guard. Not for two threads at once, but for `look`.

    In order: `hold`, then a connection is opened and has read, then `watch`. Afterwards turns are
    taken and given. At the end `loosen`, the connections are closed, then `close`.
    """

    @property
    def has_log(self) -> bool:
        """True if the file says that a log is kept beside it (WAL)."""
        ...

    def hold(self, patience: Patience) -> None:
        """From now on nobody deletes the log, nor switches it off. Raises StoreLocked."""
        ...

    def watch(self) -> None:
        """Remember the log and its index, which a connection has open now. Raises StoreReplaced."""
        ...

    def look(self, *, committed: bool = False) -> None:
        """Raise StoreReplaced unless the path names the files that are open."""
        ...

    def take_turn(self, patience: Patience) -> None:
        """Wait until no other writer of ours, in any process, has its turn. Raises StoreLocked."""
        ...

    def leave_log(self) -> None:
        """Within a turn: let the log be checked in to the file, by us or by others."""
        ...

    def give_turn(self) -> None:
        """Let others have their turn. To give what was not taken is fine."""
        ...

    def loosen(self) -> None:
        """The connections are about to be closed: let SQLite tidy up behind the last of all."""
        ...

    def close(self) -> None:
        """Once the connections are closed: leave the file. Closing twice is fine."""
        ...


class Guard:
    """The guard of a store, as Guarding says, by locks of open files."""

    def __init__(self, path: str, url: str, *, read_only: bool) -> None:
        """`path` is absolute. Raises StoreUnreadable, StoreError."""
        self._path = path
        self._beside = os.path.realpath(path)  # as SQLite finds what is beside it
        self._url = url
        self._holds = self._has_turn = self._holds_log = self._closed = False
        try:
            with _files.lock:
                self._held = _joined(path, url, read_only=read_only)
        except OSError as error:
            raise StoreUnreadable(url=url, problem=f"cannot be opened: {error}") from error

    @property
    def has_log(self) -> bool:
        """True if the file says that a log is kept beside it (WAL)."""
        return os.pread(self._held.handle, 2, 18) == b"\2\2"

    def hold(self, patience: Patience) -> None:
        """From now on nobody deletes the log, nor switches it off. Raises StoreLocked.

        Waits for who does so at this moment, and for who has the file open by another name.
        """
        held = self._held
        with _files.lock:
            held.holders += not self._holds
            self._holds = True
        if not held.locks:
            return
        place = int.from_bytes(blake2b(ascii(held.name).encode(), digest_size=4).digest()) + 1
        handle = held.handle
        name = request(READ, _NAMES + place, 1)

        def alone() -> bool:
            return (
                take(handle, _KEEP_FILE)
                and take(handle, name)
                and not is_taken(handle, _NAMES, place)
                and not is_taken(handle, _NAMES + place + 1, _NAMES_COUNT)
            )

        if not patience.until(alone):
            problem = (
                "others kept it busy, or have it open by another name (a hard link, or it was"
                f" moved), for {patience.limit_s:g} s: try again, or close it there"
            )
            raise StoreLocked(url=self._url, problem=problem)

    def watch(self) -> None:
        """Remember the log and its index, which a connection has open now. Raises StoreReplaced."""
        held = self._held
        with _files.lock:
            try:
                if held.index is None:
                    held.index = os.open(f"{self._beside}-shm", os.O_RDONLY | os.O_CLOEXEC)
                if held.log is None:
                    held.log = _identity(os.stat(f"{self._beside}-wal"))
                kept = not held.locks or take(held.index, _KEEP_INDEX)
            except OSError as error:
                raise self._replaced(f"its log is gone: {error}") from error
        if not kept:
            raise self._replaced("another process has begun the index of its log anew")
        self.look()

    def look(self, *, committed: bool = False) -> None:
        """Raise StoreReplaced unless the path names the files that are open. Costs three stats."""
        held = self._held
        try:
            found = os.stat(self._path)
            if (found.st_dev, found.st_ino) != held.identity:
                raise self._replaced("another file is at its path now", committed=committed)
            if held.log is not None:
                found = os.stat(f"{self._beside}-wal")
                if (found.st_dev, found.st_ino) != held.log:
                    raise self._replaced("another log is beside it now", committed=committed)
            if held.index is not None and os.fstat(held.index).st_nlink == 0:
                raise self._replaced("the index of its log was deleted", committed=committed)
        except OSError as error:
            problem = f"its files are no longer there: {error}"
            raise self._replaced(problem, committed=committed) from error

    def take_turn(self, patience: Patience) -> None:
        """Wait until no other writer of ours, in any process, has its turn. Raises StoreLocked."""
        if not patience.until(self._take_turn):
            problem = f"others kept it busy for {patience.limit_s:g} s: try again"
            raise StoreLocked(url=self._url, problem=problem)

    def leave_log(self) -> None:
        """Within a turn: let the log be checked in to the file, by us or by others."""
        held = self._held
        if self._holds_log and held.index is not None:
            take(held.index, _LEAVE_LOG)
            self._holds_log = False

    def give_turn(self) -> None:
        """Let others have their turn. To give what was not taken is fine."""
        if not self._has_turn:
            return
        self.leave_log()
        held = self._held
        if held.locks and held.writable is not None:
            take(held.writable, _GIVE_TURN)
        self._has_turn = False
        held.turn.release()

    def loosen(self) -> None:
        """The connections are about to be closed: let SQLite tidy up behind the last of all."""
        with _files.lock:
            if self._holds:
                self._holds = False
                self._held.holders -= 1
                if self._held.holders == 0:
                    self._held.loosen()

    def close(self) -> None:
        """Once the connections are closed: leave the file. Closing twice is fine."""
        with _files.lock:
            if self._closed:
                return
            self._closed = True
            self._held.users -= 1
            if self._held.users == 0:
                del _files.held[self._held.identity]
                self._held.close()

    def _take_turn(self) -> bool:
        held = self._held
        if not held.turn.acquire(blocking=False):
            return False
        self._has_turn = True
        try:
            if not held.locks or held.writable is None:
                return True
            if take(held.writable, _TAKE_TURN):
                if held.index is None:
                    return True
                self._holds_log = take(held.index, _HOLD_LOG)
                if self._holds_log:
                    return True
        except BaseException:
            self.give_turn()
            raise
        self.give_turn()
        return False

    def _replaced(self, what: str, *, committed: bool = False) -> StoreReplaced:
        written = (
            "the write that was under way stands in the files that were open, and may not be in"
            " those that are there now"
            if committed
            else "nothing was written"
        )
        return StoreReplaced(
            url=self._url,
            committed=committed,
            problem=f"{what}; {written}. The store was deleted, moved or replaced while it was"
            " open: close it, see that the right files are in place, and open it again",
        )


def _joined(path: str, url: str, *, read_only: bool) -> _Held:
    """What is held of the file at `path`, with one user more. Its descriptors are those it needs.

    To be called with the lock of the table. Raises OSError, StoreError.
    """
    identity = _identity(os.stat(path))
    folder, name = os.path.split(os.path.realpath(path))
    known_as = _Name(_identity(os.stat(folder)), name)
    held = _files.held.get(identity)
    if held is None:
        held = _Held(identity, known_as, path)
    elif held.name != known_as:
        problem = f"this process has it open as {held.path}: open it by that name, or close it"
        raise StoreError(url=url, problem=problem)
    if not read_only and held.writable is None:
        try:
            held.writable = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            read_only = True  # that it cannot be written, SQLite says in its own words
    if read_only and held.writable is None and held.readable is None:
        held.readable = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if held.users == 0:
        found = _identity(os.fstat(held.handle))
        if found != identity:  # replaced meanwhile: take what is there now
            if found in _files.held:
                _files.held[found].retired.append(held.handle)
            else:
                held.close()
            return _joined(path, url, read_only=read_only)
        held.locks = supported(held.handle, _PROBED)
        if not held.locks:
            _log.warning(
                "%s: this system has no locks that belong to an open file: keep other SQLite"
                " libraries, and copies, of the file out of the process",
                url,
            )
        _files.held[identity] = held
    held.users += 1
    return held


def _identity(found: os.stat_result) -> _Identity:
    return _Identity(found.st_dev, found.st_ino)
