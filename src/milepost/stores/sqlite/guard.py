"""The guard of a store's files: they stay while it is open, writers take turns, a look tells.

SQLite's own locks are POSIX locks, which fall when anybody in the process closes a descriptor of
the file. What rests on them is held here a second time, by locks that fall with our own descriptors
alone, and are in nobody's way who goes by the rules:

- a read lock on the bytes of SQLite's SHARED lock of the file: nobody takes himself for its last
  user, who may delete the log;
- a read lock on the byte of the log's index that says it is in use: nobody begins it anew;
- in a turn at writing, a write lock on the byte of the index that everybody locks to check the log
  in to the file, and on the next one: our writers take turns, and nobody begins the log anew under
  one of them. Who checks it in himself gives the first byte up, keeps the other, and takes the byte
  of whoever writes: no writer is at work meanwhile, and nobody begins the log anew behind what is
  being read of it;
- while something is read outside a turn, a read lock on one of the marks in the index (`marks.py`);
- a read lock on a byte that stands for the file's name: the log is named after it, so that two who
  know the file by two names (a hard link, a move) would have two logs.

What it cannot do is keep a foreign library from writing in this very process at the same moment:
for that both would have to lock the same byte, and one of the two kinds of locks keeps the other
out. Source: the places of the locks, sqlite.org/walformat.html and os_unix.c.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from typing import Final, Protocol

from milepost.errors import StoreLocked, StoreReplaced, StoreUnreadable
from milepost.stores.sqlite.errors import CHECK
from milepost.stores.sqlite.held import join, leave, table_lock
from milepost.stores.sqlite.ofd import FREE, READ, WRITE, is_taken, request, take
from milepost.stores.sqlite.place import Place
from milepost.stores.sqlite.waiting import Patience

__all__ = ["Guard", "Guarding"]

_PENDING: Final = 0x4000_0000  # sqlite.org/fileformat2.html, the lock-byte page
_SHARED: Final = (_PENDING + 2, 510)
_NAMES: Final = _PENDING + 0x1000_0000
_NAMES_COUNT: Final = 1 << 40
_WRITING: Final = 120  # in the index: where its locks begin, and WAL_WRITE_LOCK
_CHECKING_IN: Final = 121  # in the index: WAL_CKPT_LOCK
_IN_USE: Final = 128  # in the index: UNIX_SHM_DMS

_KEEP_FILE: Final = request(READ, *_SHARED)
_LOOSEN_FILE: Final = request(FREE, *_SHARED)
_KEEP_INDEX: Final = request(READ, _IN_USE, 1)
_LOOSEN_INDEX: Final = request(FREE, _IN_USE, 1)
_TAKE_TURN: Final = request(WRITE, _CHECKING_IN, 2)  # and the byte of who recovers the index
_GIVE_TURN: Final = request(FREE, _WRITING, 3)
_KEEP_LOG: Final = request(WRITE, _WRITING, 1)
_LEAVE_LOG: Final = request(FREE, _CHECKING_IN, 1)  # of the turn the other byte stays


class Guarding(Protocol):
    """The guard of one store. Not for two threads at once, but for `look` and `reading`.

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

    def in_place(self) -> bool:
        """True if the path names the files that are open; False if that takes a closer look."""
        ...

    def look(self, *, committed: bool = False) -> None:
        """Raise StoreReplaced unless the path names the files that are open."""
        ...

    def reading(self) -> AbstractContextManager[None]:
        """A block within which what is read, outside a turn, is of one moment.

        It is entered before the read begins, and by any thread.
        """
        ...

    def take_turn(self, patience: Patience) -> None:
        """Wait until no other writer of ours, in any process, has its turn. Raises StoreLocked."""
        ...

    def keep_log(self) -> bool:
        """Within a turn: True if nobody begins the log anew until the turn is given."""
        ...

    def leave_log(self) -> None:
        """Within a turn: let the log be checked in to the file, by us or by others."""
        ...

    def leave_turn(self) -> None:
        """Within a turn: let others go on. Then it has to be given."""
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
        self._url = url
        self._holds = self._has_turn = self._left = self._closed = False
        try:
            self._place = Place(path)
            self.in_place = self._place.unchanged  # what Guarding says, for one call less
            self._held = join(self._place, url, read_only=read_only)
        except OSError as error:
            raise StoreUnreadable(
                url=url, problem=f"cannot be opened: {error}", todo=CHECK
            ) from error

    @property
    def has_log(self) -> bool:
        """True if the file says that a log is kept beside it (WAL)."""
        return os.pread(self._held.handle, 2, 18) == b"\2\2"

    def hold(self, patience: Patience) -> None:
        """From now on nobody deletes the log, nor switches it off. Raises StoreLocked.

        Waits for who does so at this moment, and for who has the file open by another name.
        """
        held = self._held
        with table_lock():
            held.holders += not self._holds
            self._holds = True
        if not held.locks:
            return
        handle = held.handle
        place = 1 + int.from_bytes(blake2b(ascii(held.name).encode(), digest_size=4).digest())
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
        try:
            with table_lock():
                held.find_log(self._place.beside)
                kept = not held.locks or take(held.index_handle, _KEEP_INDEX)
        except OSError as error:
            raise self._replaced(f"its log is gone: {error}", committed=False) from error
        if not kept:
            raise self._replaced("another process begins its log anew", committed=False)
        self.look()

    def look(self, *, committed: bool = False) -> None:
        """Raise StoreReplaced unless the path names the files that are open. Costs four stats."""
        held = self._held
        trouble = self._place.trouble(held.identity, held.log, held.index)
        if trouble:
            raise self._replaced(trouble, committed=committed)

    def reading(self) -> AbstractContextManager[None]:
        """A block within which what is read, outside a turn, is of one moment. Never waits."""
        marks = self._held.marks
        return nullcontext() if marks is None else marks.reading()

    def take_turn(self, patience: Patience) -> None:
        """Wait until no other writer of ours, in any process, has its turn. Raises StoreLocked."""
        if not self._take_turn() and not patience.until(self._take_turn):
            problem = f"others kept it busy for {patience.limit_s:g} s: try again"
            raise StoreLocked(url=self._url, problem=problem)

    def keep_log(self) -> bool:
        """Within a turn: True if nobody begins the log anew until the turn is given.

        Nobody writes either, not we. False if somebody who keeps no turns is writing.
        """
        return not self._held.locks or take(self._held.index_handle, _KEEP_LOG)

    def leave_log(self) -> None:
        """Within a turn: let the log be checked in to the file. Others of ours still wait."""
        if self._has_turn and not self._left and self._held.locks:
            take(self._held.index_handle, _LEAVE_LOG)

    def leave_turn(self) -> None:
        """Within a turn: let others go on. Then it has to be given."""
        if self._has_turn and not self._left and self._held.locks:
            take(self._held.index_handle, _GIVE_TURN)
            self._left = True

    def give_turn(self) -> None:
        """Let others have their turn. To give what was not taken is fine."""
        if self._has_turn:
            held = self._held
            if held.locks and not self._left:
                take(held.index_handle, _GIVE_TURN)
            self._has_turn = self._left = False
            held.turn.release()

    def loosen(self) -> None:
        """The connections are about to be closed: let SQLite tidy up behind the last of all."""
        held = self._held
        with table_lock():
            if not self._holds:
                return
            self._holds = False
            held.holders -= 1
            if held.holders == 0:
                if held.locks:
                    take(held.handle, _LOOSEN_FILE)
                    if held.index is not None:
                        take(held.index_handle, _LOOSEN_INDEX)
                held.forget_log()

    def close(self) -> None:
        """Once the connections are closed: leave the file. Closing twice is fine."""
        if not self._closed:
            self._closed = True
            leave(self._held)

    def _take_turn(self) -> bool:
        held = self._held
        if not held.turn.acquire(blocking=False):
            return False
        self._has_turn = True
        try:
            if not held.locks or take(held.index_handle, _TAKE_TURN):
                return True
        except BaseException:
            self.give_turn()
            raise
        self._has_turn = False
        held.turn.release()
        return False

    def _replaced(self, what: str, *, committed: bool) -> StoreReplaced:
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
