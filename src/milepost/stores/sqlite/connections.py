"""The connections of one open store: opened under its guard, given out, and closed in good order.

A child of a fork must not use what it inherits of SQLite. Before a fork everybody comes to rest, so
that the child can close it all without a trace; where that takes too long it is kept for ever.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from milepost.errors import StoreError, StoreForked, StoreReplaced
from milepost.process.forks import PROCESS, here
from milepost.stores.sqlite.errors import errno_of, translate
from milepost.stores.sqlite.guard import Guarding
from milepost.stores.sqlite.outcome import roll_back
from milepost.stores.sqlite.place import Identity, identity_of
from milepost.stores.sqlite.seals import enable
from milepost.stores.sqlite.still import StillConnection, connect_to_read
from milepost.stores.sqlite.trust import distrust, identify
from milepost.stores.sqlite.waiting import Patience

__all__ = ["Connections"]

MakePatience: TypeAlias = Callable[[float], Patience]

_PAGES: Final = 1000
"""How long the log may become before it is checked in, where no reader keeps it: SQLite's own."""

_FRESH_S: Final = 0.05
"""How long a look is taken for what another would give, before something is written."""

_PAUSE_S: Final = 0.5
"""How long a fork waits until nobody uses SQLite."""

_NAP_S: Final = 0.0005

_CLOSING_S: Final = 1.0
"""How long a store that nobody closed waits for a writer at the end of the process."""

_stores: Final[weakref.WeakSet[Connections]] = weakref.WeakSet()


class Connections:
    """One connection that writes, and as many that read as are read from at once.

    `turn` is held by the thread that uses the writer. Safe for any number of threads.
    """

    def __init__(
        self,
        path: str,
        url: str,
        guard: Guarding,
        *,
        vfs: str | None,
        busy_timeout_s: float,
        patience: MakePatience,
    ) -> None:
        """`path` is absolute."""
        self.url = url
        self.guard = guard
        self.turn = threading.Lock()
        self.writer: apsw.Connection | None = None
        self.statements: apsw.Cursor | None = None  # of the writer: one for each saves 0.5 µs
        self.mark: int | None = None  # of SQLite's, as the newest commit of this store left it
        self.patience = patience(busy_timeout_s)
        self.log_is_long = False  # so long that it is to be checked in
        self._path = path
        self._vfs = vfs
        self._busy_timeout_s = busy_timeout_s
        self._make_patience = patience
        self._readers: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        self._here = here()
        self._looked_at_s = 0.0
        self._mine: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._begun: set[object] = set()  # one for each connection that is being opened
        self._left_turn = False  # while we waited for a lock of SQLite's
        self._gate = threading.RLock()  # held while nobody may begin to read
        self._ending = threading.RLock()  # held while a connection is closed
        self._paused: list[threading.Lock | threading.RLock] = []
        self._watching = False
        self._closed = False
        self._replaced = ""
        _refuse_busy_inheritance(path, url)
        _stores.add(self)

    @property
    def forked(self) -> bool:
        """True in a child of the process that opened the store."""
        return self._here is not PROCESS.token

    def connect_to_write(self) -> tuple[apsw.Connection, Patience]:
        """A new connection for writing, which waits for its locks with the patience beside it."""
        patience = self._make_patience(self._busy_timeout_s)
        with self._beginning():
            connection = apsw.Connection(
                self._path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=self._vfs
            )
            self._prepare(connection, patience)
        return connection, patience

    def connect_to_read(self) -> apsw.Connection:
        """A new connection for reading, of files that are in place and guarded; it has read once.

        A file that is read where nothing can be written is not guarded: nothing is beside it,
        and others may write to it elsewhere.
        """
        self.refuse()
        patience = self._make_patience(self._busy_timeout_s)
        if self.guard.has_log:
            self.guard.hold(patience)
        with self._beginning(), self.guard.reading():
            connection = patience.insist(
                lambda: connect_to_read(
                    Path(self._path),
                    self.url,
                    self._vfs,
                    lambda connection: self._prepare(connection, patience),
                )
            )
        if isinstance(connection, StillConnection):
            if not self._watching:
                self.guard.loosen()
        elif self.guard.has_log:
            try:
                self.guard.watch()
            except BaseException:
                self.end(connection)
                raise
            self._watching = True
        return connection

    def write_with(self, connection: apsw.Connection, patience: Patience) -> None:
        """Have `connection` for the one that writes. The log is checked in by `check_in` alone."""
        connection.set_wal_hook(self._note_pages)
        connection.set_busy_handler(self._wait_within_turn)
        self.writer, self.patience = connection, patience
        self.statements = connection.cursor()

    def read_with(self, connection: apsw.Connection) -> None:
        """Have `connection` for the first who reads."""
        connection.execute("PRAGMA query_only = ON")
        self._readers.put(connection)

    @contextmanager
    def writing_turn(self, patience: Patience) -> Iterator[None]:
        """No other writer of ours, in any thread or process, is at work while the block runs."""
        with self.turn:
            self.refuse()
            try:
                self.guard.take_turn(patience)
                self.look()
                yield
            finally:
                self.guard.give_turn()

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection to read from, of files that are still in place.

        What is under way on it ends with the block; it is kept for the next who reads.
        """
        connection = self._reader()
        with self.guard.reading():
            try:
                yield connection
            finally:
                self._give_back(connection)

    def _reader(self) -> apsw.Connection:
        self.refuse()
        self.look()
        with suppress(queue.Empty):
            while True:
                with self._gate:
                    connection = self._readers.get_nowait()
                if not isinstance(connection, StillConnection) or connection.still:
                    return connection
                self.end(connection)  # somebody writes there after all: look at the log as well
        connection = self.connect_to_read()
        try:
            with self.guard.reading():
                identify(connection, self.url)
        except BaseException:
            self.end(connection)
            raise
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _give_back(self, connection: apsw.Connection) -> None:
        if self.forked:
            return
        roll_back(connection)
        if self._closed:
            self.end(connection)
        else:
            self._readers.put(connection)

    def refuse(self) -> None:
        """Raise what keeps the store from being used, if anything does."""
        if self._here is not PROCESS.token:
            raise StoreForked(url=self.url)
        if self._closed:
            raise StoreError(url=self.url, problem="it has been closed: open it again")
        if self._replaced:
            raise StoreReplaced(url=self.url, problem=self._replaced)

    def look(self, *, committed: bool = False) -> None:
        """Raise StoreReplaced, now and at every later use, unless the open files are in place."""
        if not self.guard.in_place():
            try:
                self.guard.look(committed=committed)
            except StoreReplaced as error:
                self._replaced = self._replaced or error.problem
                raise
        self._looked_at_s = time.monotonic()

    def begin(self, statements: apsw.Cursor) -> None:
        """Begin to write in a turn of this store's, with files that were in place a moment ago.

        Raises StoreLocked, StoreReplaced, apsw.Error.
        """
        if time.monotonic() - self._looked_at_s > _FRESH_S:
            self.look()
        self.guard.take_turn(self.patience)
        while not self.begins(statements):
            self.guard.give_turn()
            self.guard.take_turn(self.patience)

    def begins(self, statements: apsw.Cursor) -> bool:
        """Begin to write in the turn that is held; False, and nothing begun, if it had to be left.

        Another SQLite of the process, which ours does not see, may have begun the log anew then,
        behind what was read of it.
        """
        self._left_turn = False
        statements.execute("BEGIN IMMEDIATE")
        if self._left_turn:
            roll_back(statements.connection)
        return not self._left_turn

    @contextmanager
    def turn_kept(self, connection: apsw.Connection) -> Iterator[None]:
        """Within a turn: have it anew, and do not leave it while SQLite waits for a lock."""
        self.guard.give_turn()
        self.guard.take_turn(self.patience)
        connection.set_busy_handler(self.patience)
        try:
            yield
        finally:
            connection.set_busy_handler(self._wait_within_turn)

    def check_in(self, connection: apsw.Connection) -> None:
        """Within a turn: bring a log that has become long in to the file, as far as readers let.

        What is committed stays in the log if that fails; the next commit tries it again.
        """
        if not self.guard.keep_log():
            return
        self.guard.leave_log()
        with suppress(apsw.Error):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self.log_is_long = False

    @contextmanager
    def translated(self, connection: apsw.Connection | None = None) -> Iterator[None]:
        """SQLite's errors as ours; `connection`, open still, knows what the system said."""
        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self.translation(error, errno_of(connection)) from error

    def translation(self, error: apsw.Error | UnicodeDecodeError, system_errno: int) -> StoreError:
        """The error of ours for an error of SQLite; see `translate`."""
        return translate(error, self.url, self._busy_timeout_s, system_errno)

    def close(self, *, wait_s: float = -1) -> None:
        """Close every connection, the one that writes last: it alone can tidy the file.

        Waits for a write that is under way, for `wait_s` at most; if it goes on, everything is
        left as a crash would leave it. What is being read stays guarded until that is over. Files
        that are not in place any more are left alone. In the child of a fork nothing is done.
        Raises StoreError for what could not be tidied; all of it is closed then, too, and what was
        committed is in the log.
        """
        if self.forked or not self.turn.acquire(timeout=wait_s):
            return
        try:
            if self._closed:
                self.end()  # who read then may have been cut off
            else:
                with suppress(StoreReplaced):
                    self.look()
                self._closed = True
                with self.translated(), ExitStack() as ending:  # all of it, whatever one raises
                    ending.callback(self.end)
                    if self.writer is not None:
                        ending.callback(self.end, self.writer)
                        self.writer = self.statements = None
                    with suppress(queue.Empty):
                        while True:
                            ending.callback(self.end, self._readers.get_nowait())
        finally:
            self.turn.release()

    def end(self, connection: apsw.Connection | None = None) -> None:
        """Close a connection. The last one of a store that was closed leaves the file."""
        with self._ending:
            is_last = self._closed and not self._begun and not self._others(connection)
            if is_last:
                self.guard.loosen()
            try:
                if connection is not None:
                    if self._replaced:  # a checkpoint would end with deleting another's log
                        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                    connection.close()
            finally:
                if is_last:
                    self.guard.close()

    def close_at_exit(self) -> None:
        """For a store that nobody closed, when it or the process ends."""
        self.close(wait_s=_CLOSING_S)

    def pause(self, until_s: float) -> None:
        """Before a fork: let nobody begin to use SQLite, and wait for those who do."""
        for lock in (self.turn, self._gate):
            if lock.acquire(timeout=max(0.0, until_s - time.monotonic())):
                self._paused.append(lock)
        while self._is_busy() and time.monotonic() < until_s:
            time.sleep(_NAP_S)

    def resume(self) -> None:
        """After a fork, in the parent: go on."""
        while self._paused:
            self._paused.pop().release()

    def abandon(self) -> bool:
        """After a fork, in the child: True once nothing of SQLite's is left that is the parent's.

        False if somebody was in the midst of using it: then all of it is kept for ever, since to
        end it here would change what the parent's threads work on.
        """
        inherited = list(self._mine)
        if len(self._paused) == 2 and not self._is_busy():
            for connection in inherited:
                with suppress(apsw.Error):
                    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                    connection.close()
            return True
        import ctypes  # noqa: PLC0415 the one way to have an object outlive the interpreter

        for kept in (*inherited, self.statements):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
        return False

    @property
    def path(self) -> str:
        """The absolute path of the file."""
        return self._path

    def _is_busy(self) -> bool:
        idle = self._readers.qsize() + (self.writer is not None)
        return bool(self._begun) or len(self._others(None)) > idle

    def _others(self, connection: apsw.Connection | None) -> list[apsw.Connection]:
        """Those that are open beside this one."""
        return [one for one in list(self._mine) if one is not connection and _is_open(one)]

    @contextmanager
    def _beginning(self) -> Iterator[None]:
        token = object()
        try:
            with self._gate:
                self._begun.add(token)
            yield
        finally:
            self._begun.discard(token)
            if self._closed:
                self.end()

    def _prepare(self, connection: apsw.Connection, patience: Patience) -> None:
        self._mine.add(connection)
        distrust(connection)
        connection.execute("PRAGMA cell_size_check = ON")  # what was made up is found when read
        enable(connection)
        connection.set_busy_handler(patience)

    def _wait_within_turn(self, waited: int) -> bool:
        """As the busy handler: who keeps us waiting may need what the turn keeps from everybody.

        SQLite recovers the index of a log under the locks of whoever checks it in.
        """
        self._left_turn = True
        self.guard.leave_turn()
        return self.patience(waited)

    def _note_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.log_is_long = pages >= _PAGES
        return apsw.SQLITE_OK


def _is_open(connection: apsw.Connection) -> bool:
    try:
        return connection.filename is not None
    except apsw.ConnectionClosedError:
        return False
    except apsw.ThreadingViolationError:  # somebody uses it this very moment
        return True


class _Forks:
    """What a fork does to the stores that are open: the child is left nothing of SQLite's.

    SQLite keeps in memory which locks its process holds. A child that opened a file anew while
    anything is left of what its parent had open would take those locks for its own.
    """

    def __init__(self) -> None:
        self.inherited: set[Identity] = set()  # files of which something is left

    def before(self) -> None:
        """Let every store come to rest, in half a second for all."""
        until_s = time.monotonic() + _PAUSE_S
        for store in list(_stores):
            store.pause(until_s)

    def in_parent(self) -> None:
        """Let all go on."""
        for store in list(_stores):
            store.resume()

    def in_child(self) -> None:
        """Leave what is the parent's."""
        for store in list(_stores):
            if not store.abandon():
                with suppress(OSError):
                    self.inherited.add(identity_of(Path(store.path).stat()))
        _stores.clear()


_forks: Final = _Forks()
os.register_at_fork(
    before=_forks.before, after_in_parent=_forks.in_parent, after_in_child=_forks.in_child
)


def _refuse_busy_inheritance(path: str, url: str) -> None:
    """Raise StoreForked in the child of a fork in which something is left of the file's locks."""
    if _forks.inherited and identity_of(Path(path).stat()) in _forks.inherited:
        raise StoreForked(
            url=url,
            problem="a thread of the process that this one is a fork of was in the midst of using"
            " it: fork when no thread does, or start a process of its own (spawn)",
        )
