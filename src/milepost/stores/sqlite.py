"""The SQLite store: one file, one writer at a time, readers that neither block nor are blocked."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

import apsw

from milepost.errors import (
    StoreAbsent,
    StoreError,
    StoreForeign,
    StoreFull,
    StoreReadOnly,
    StoreUnreadable,
)
from milepost.rows import StoreFormat, Vacuumed
from milepost.stores.sqlite_errors import translate
from milepost.stores.sqlite_files import (
    Create,
    claim,
    make_ready,
    mount_table,
    refuse_network,
    settle,
)
from milepost.stores.sqlite_migration import (
    APPLICATION_ID,
    format_of,
    migrate,
    stand_in,
    stored_version,
)
from milepost.stores.sqlite_outcome import outcome, roll_back
from milepost.stores.sqlite_reading import SqliteReader
from milepost.stores.sqlite_schema import STEPS
from milepost.stores.sqlite_seals import enable
from milepost.stores.sqlite_still import StillConnection, connect_to_read, refuse_unwritable
from milepost.stores.sqlite_waiting import Patience
from milepost.stores.sqlite_wal import passed_over
from milepost.stores.sqlite_writing import SqliteWriter

__all__ = ["Create", "Durability", "SqliteStore"]

Durability: TypeAlias = Literal["full", "process"]

_SYNCHRONOUS: Final[dict[Durability, tuple[str, int]]] = {
    "full": ("FULL", 2),
    "process": ("NORMAL", 1),
}


class SqliteStore:
    """A store in one SQLite file. Safe for any number of threads and processes.

    `busy_timeout_s` is how long a writer waits for its turn; `patience` makes what waits, given
    that time. `mounts` gives the table of mounts; a network file system in it is refused unless
    `allow_network`. With durability `full` a commit has reached the disk when it returns; with
    `process` it survives the process, not the power.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: Create = True,
        read_only: bool = False,
        durability: Durability = "full",
        busy_timeout_s: float = 30.0,
        allow_network: bool = False,
        mounts: Callable[[], str] = mount_table,
        vfs: str | None = None,
        patience: Callable[[float], Patience] = Patience,
    ) -> None:
        self.url = f"sqlite:///{path}"
        self.read_only = read_only
        self._path = path
        self._durability: Durability = durability
        self._busy_timeout_s = busy_timeout_s
        self._vfs = vfs
        self._patience = patience
        self._turn = threading.Lock()
        self._readers: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()
        self._closed = False
        self._writer: apsw.Connection | None = None
        if not allow_network:
            refuse_network(path, self.url, mounts)
        make_ready(path, self.url, create=create if not read_only else False)
        with self._translated():
            self._writer = self._open(create=bool(create) and not read_only)

    def close(self) -> None:
        """Close every connection; the store cannot be used afterwards. Closing twice is fine."""
        with self._turn:
            self._closed = True
            with suppress(queue.Empty):
                while True:
                    self._readers.get_nowait().close()
            if self._writer is not None:  # last, for it alone can tidy the file
                self._writer.close()
                self._writer = None

    @contextmanager
    def reading(self) -> Iterator[SqliteReader]:
        """Queries of one moment. Never waits for a writer."""
        with self._translated():
            connection = self._reader()
            try:
                with self._translated(connection):
                    connection.execute("BEGIN")
                    stand_in(connection, self.url)
                    yield SqliteReader(connection, self.url)
                    if isinstance(connection, StillConnection):
                        connection.insist(self.url)
            finally:
                self._give_back(connection)

    def writing(self) -> AbstractContextManager[SqliteWriter]:
        """The store's write lock, until the block ends: then it is one commit, or none of it.

        Raises StoreLocked, StoreReadOnly, StoreNewer where another process took the file further,
        and CommitUnknown where the outcome cannot be told.
        """
        if self.read_only:
            raise StoreReadOnly(url=self.url, problem="it was opened for reading only")
        if self._writer is None:
            raise StoreError(url=self.url, problem="it has been closed")
        return _Writing(self.url, self._turn, self._writer, self._translation)

    def check(self) -> list[str]:
        """What SQLite finds wrong with the file as a file; nothing if it is sound.

        Cost: the file is read once.
        """
        try:
            with self._translated():
                connection = self._reader()
                try:
                    found = [
                        str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")
                    ]
                    if _schema(connection) != _intended(stored_version(connection, self.url)):
                        found.append("its tables, indexes and triggers are not those we made")
                    lost = passed_over(connection, self._path)
                    if lost > 1:  # one may be what a crash cut short
                        found.append(
                            f"{lost} commits in its -wal file are passed over, since something"
                            " before them is damaged: what they held is lost with the next write"
                        )
                finally:
                    self._give_back(connection)
        except StoreUnreadable as error:
            return [error.problem]
        return [problem for problem in found if problem != "ok"]

    def back_up(self, copy: Path) -> int:
        """Write a copy of this moment to a new file, durable; its size in bytes.

        Nobody waits for it. It holds what can be read and no free pages. Raises StoreError where
        there is something at `copy` already.
        """
        url = f"sqlite:///{copy}"
        claim(copy, url)
        try:
            with self._translated():
                connection = self._connect_to_read()
                try:
                    with self._translated(connection):
                        connection.execute("VACUUM INTO ?", (str(copy),))
                        if isinstance(connection, StillConnection):
                            connection.insist(self.url)
                finally:
                    connection.close()
            return settle(copy, url)
        except StoreFull as error:  # it is the copy that there is no room for
            copy.unlink(missing_ok=True)
            raise StoreFull(url=url, problem=error.problem) from error
        except BaseException:
            copy.unlink(missing_ok=True)
            raise

    def format(self) -> StoreFormat:
        """The format of the file as it is, and the steps that an open for writing would take."""
        with self._translated():
            connection = self._reader()
            try:
                with self._translated(connection):
                    return format_of(connection, self.url)
            finally:
                self._give_back(connection)

    def vacuum(self) -> Vacuumed:
        """Give the space of what was deleted back to the disk.

        Free pages are cut off where the file keeps track of them (auto_vacuum, set when it was
        made); otherwise it is written anew, which needs room for it twice and its write lock.
        Raises StoreLocked, StoreReadOnly.
        """
        if self.read_only:
            raise StoreReadOnly(url=self.url, problem="it was opened for reading only")
        with self._turn:
            connection = self._writer
            if connection is None:
                raise StoreError(url=self.url, problem="it has been closed")
            with self._translated(connection):
                before_bytes = _size_bytes(connection)
                tracked = _pragma(connection, "auto_vacuum") != 0
                list(connection.execute("PRAGMA incremental_vacuum" if tracked else "VACUUM"))
                list(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))  # readers may delay it
                return Vacuumed(
                    how="incremental" if tracked else "full",
                    before_bytes=before_bytes,
                    after_bytes=_size_bytes(connection),
                )

    def _reader(self) -> apsw.Connection:
        if self._closed:
            raise StoreError(url=self.url, problem="it has been closed")
        with suppress(queue.Empty):
            while True:
                connection = self._readers.get_nowait()
                if not isinstance(connection, StillConnection) or connection.still:
                    return connection
                connection.close()  # somebody writes there after all: look at the log as well
        connection = self._connect_to_read()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _give_back(self, connection: apsw.Connection) -> None:
        roll_back(connection)
        if self._closed:
            connection.close()
        else:
            self._readers.put(connection)

    def _connect_to_read(self) -> apsw.Connection:
        patience = self._patience(self._busy_timeout_s)

        def prepare(connection: apsw.Connection) -> None:
            enable(connection)
            connection.set_busy_handler(patience)

        return patience.insist(lambda: connect_to_read(self._path, self.url, self._vfs, prepare))

    def _open(self, *, create: bool) -> apsw.Connection | None:
        """The writer's connection, once the file has been looked at."""
        if self.read_only:
            connection = self._connect_to_read()
            try:
                with self._translated(connection):
                    self._identify(connection, create=False)
            finally:
                connection.close()
            return None
        connection = apsw.Connection(
            str(self._path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=self._vfs
        )
        patience = self._patience(self._busy_timeout_s)
        try:
            enable(connection)
            connection.set_busy_handler(patience)
            with self._translated(connection):
                patience.insist(lambda: self._prepare(connection, create=create))
        except BaseException as error:
            connection.close()
            if isinstance(error.__cause__, apsw.Error):
                refuse_unwritable(self._path, self.url, error.__cause__)
            raise
        return connection

    def _prepare(self, connection: apsw.Connection, *, create: bool) -> None:
        """Make the file ours and of the newest format, set as was promised. Can be done again."""
        self._identify(connection, create=create)
        if connection.readonly("main"):
            raise apsw.ReadOnlyError("the file cannot be written")
        self._set(connection, "journal_mode", "WAL", "wal")
        self._set(connection, "synchronous", *_SYNCHRONOUS[self._durability])
        self._set(connection, "fullfsync", "1", 1)
        self._set(connection, "trusted_schema", "0", 0)
        migrate(connection, self.url)

    def _identify(self, connection: apsw.Connection, *, create: bool) -> None:
        """Make sure that the file is ours and of a version that we read, or new."""
        new = self._is_new(connection)
        if new and not create:
            raise StoreAbsent(url=self.url, problem="there is nothing in the file yet")
        if not new and _pragma(connection, "application_id") != APPLICATION_ID:
            problem = "it is a database of another program; it was left alone"
            raise StoreForeign(url=self.url, problem=problem)
        stored_version(connection, self.url)

    def _is_new(self, connection: apsw.Connection) -> bool:
        tables = list(connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1"))
        return not tables and _pragma(connection, "application_id") == 0

    def _set(self, connection: apsw.Connection, pragma: str, value: str, expected: object) -> None:
        """Set and read back: a setting that did not take would break what is promised (INV-ACK)."""
        list(connection.execute(f"PRAGMA {pragma} = {value}"))
        found = _pragma(connection, pragma)
        if found != expected:
            raise StoreError(
                url=self.url,
                problem=f"{pragma} is {found} and {value} was asked for: durability cannot be"
                " promised here; use a local disk",
            )

    @contextmanager
    def _translated(self, connection: apsw.Connection | None = None) -> Iterator[None]:
        """SQLite's errors as ours; `connection`, open still, knows what the system said."""
        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as error:
            system_errno = 0 if connection is None else connection.system_errno
            raise self._translation(error, system_errno) from error

    def _translation(self, error: apsw.Error | UnicodeDecodeError, system_errno: int) -> StoreError:
        return translate(error, self.url, self._busy_timeout_s, system_errno)


class _Writing:
    """One turn at the connection that writes: a transaction, and SQLite's errors as ours.

    Every commit passes here, and a class costs a third of nested generators.
    """

    __slots__ = ("_connection", "_translation", "_turn", "_url", "_writer")

    def __init__(
        self,
        url: str,
        turn: threading.Lock,
        connection: apsw.Connection,
        translation: Callable[[apsw.Error | UnicodeDecodeError, int], StoreError],
    ) -> None:
        self._url = url
        self._turn = turn
        self._connection = connection
        self._translation = translation
        self._writer: SqliteWriter

    def __enter__(self) -> SqliteWriter:
        self._turn.acquire()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            stored_version(self._connection, self._url)
            self._writer = SqliteWriter(self._connection, self._url)
        except BaseException as error:
            system_errno = self._connection.system_errno
            roll_back(self._connection)
            self._turn.release()
            if isinstance(error, apsw.Error | UnicodeDecodeError):
                raise self._translation(error, system_errno) from error
            raise
        return self._writer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                if self._writer.failure is not None:
                    roll_back(self._connection)
                    raise self._writer.failure
                self._connection.execute("COMMIT")
                self._writer.mark = self._connection.data_version("main")
                return
            system_errno = self._connection.system_errno
            roll_back(self._connection)
        except apsw.Error as failure:
            raise outcome(self._connection, failure, self._url) from failure
        finally:
            self._turn.release()
        if isinstance(error, apsw.Error | UnicodeDecodeError):
            raise self._translation(error, system_errno) from error


def _size_bytes(connection: apsw.Connection) -> int:
    size_bytes: int = _pragma(connection, "page_count") * _pragma(connection, "page_size")
    return size_bytes


def _pragma(connection: apsw.Connection, name: str) -> Any:  # Any: each pragma has its own type
    for row in connection.execute(f"PRAGMA {name}"):
        return row[0]
    return None


def _schema(connection: apsw.Connection) -> list[tuple[Any, ...]]:  # Any: text, or NULL
    """What the file says that it is made of, less the pages where things begin."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM main.sqlite_schema")
    return sorted(rows, key=ascii)


def _intended(version: int) -> list[tuple[Any, ...]]:  # Any: text, or NULL
    """What a new file of that format is made of."""
    connection = apsw.Connection(":memory:")
    try:
        enable(connection)
        for step in STEPS[:version]:
            connection.execute(step.sql)
        return _schema(connection)
    finally:
        connection.close()
