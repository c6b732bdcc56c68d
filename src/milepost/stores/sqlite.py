"""The SQLite store: one file, one writer at a time, readers that neither block nor are blocked."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

import apsw

from milepost.errors import (
    CommitUnknown,
    StoreAbsent,
    StoreError,
    StoreForeign,
    StoreLocked,
    StoreNewer,
    StoreReadOnly,
    StoreUnreadable,
)
from milepost.rows import Vacuumed
from milepost.stores.sqlite_queries import SqliteReader, SqliteWriter
from milepost.stores.sqlite_schema import STEPS, VERSION

__all__ = ["APPLICATION_ID", "Durability", "SqliteStore"]

Durability: TypeAlias = Literal["full", "process"]

APPLICATION_ID: Final = 0x4D504F53
"""What tells our files from those of other programs (PRAGMA application_id): "MPOS"."""

_SYNCHRONOUS: Final[dict[Durability, tuple[str, int]]] = {
    "full": ("FULL", 2),
    "process": ("NORMAL", 1),
}


class SqliteStore:
    """A store in one SQLite file. Safe for any number of threads and processes.

    `busy_timeout_s` is how long a writer waits for its turn. With durability `full` a commit has
    reached the disk when it returns; with `process` it survives the process, not the power.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = True,
        read_only: bool = False,
        durability: Durability = "full",
        busy_timeout_s: float = 30.0,
        vfs: str | None = None,
    ) -> None:
        self.url = f"sqlite:///{path}"
        self.read_only = read_only
        self._path = path
        self._durability: Durability = durability
        self._busy_timeout_ms = int(busy_timeout_s * 1000)
        self._vfs = vfs
        self._turn = threading.Lock()
        self._readers: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()
        self._closed = False
        self._writer: apsw.Connection | None = None
        with self._translated():
            self._writer = self._open(create=create and not read_only)

    def close(self) -> None:
        """Close every connection; the store cannot be used afterwards. Closing twice is fine."""
        with self._turn:
            self._closed = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            while True:
                try:
                    self._readers.get_nowait().close()
                except queue.Empty:
                    return

    @contextmanager
    def reading(self) -> Iterator[SqliteReader]:
        """Queries of one moment. Never waits for a writer."""
        with self._translated():
            connection = self._reader()
            try:
                connection.execute("BEGIN")
                yield SqliteReader(connection)
            finally:
                self._give_back(connection)

    def writing(self) -> AbstractContextManager[SqliteWriter]:
        """The store's write lock, until the block ends: then it is one commit, or none of it.

        Raises StoreLocked, StoreReadOnly, and CommitUnknown where the outcome cannot be told.
        """
        if self.read_only:
            raise StoreReadOnly(url=self.url, problem="it was opened for reading only")
        if self._writer is None:
            raise StoreError(url=self.url, problem="it has been closed")
        return _Writing(self.url, self._turn, self._writer, self._translation)

    def check(self) -> list[str]:
        """What SQLite finds wrong with the file as a file; nothing if it is sound."""
        with self._translated():
            connection = self._reader()
            try:
                found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
            except apsw.CorruptError as error:
                return [str(error)]
            finally:
                self._give_back(connection)
        return [] if found == ["ok"] else found

    def vacuum(self) -> Vacuumed:
        """Give the space of what was deleted back to the disk.

        Free pages are cut off where the file keeps track of them (auto_vacuum, set when it was
        made); otherwise it is written anew, which needs room for it twice and its write lock.
        Raises StoreLocked, StoreReadOnly.
        """
        if self.read_only:
            raise StoreReadOnly(url=self.url, problem="it was opened for reading only")
        with self._turn, self._translated():
            connection = self._writer
            if connection is None:
                raise StoreError(url=self.url, problem="it has been closed")
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
        try:
            return self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect(apsw.SQLITE_OPEN_READONLY)
            self._stand_in(connection)
            connection.execute("PRAGMA query_only = ON")
            return connection

    def _give_back(self, connection: apsw.Connection) -> None:
        _roll_back(connection)
        if self._closed:
            connection.close()
        else:
            self._readers.put(connection)

    def _connect(self, flags: int) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), flags=flags, vfs=self._vfs)
        connection.set_busy_timeout(self._busy_timeout_ms)
        return connection

    def _open(self, *, create: bool) -> apsw.Connection | None:
        """The writer's connection, once the file has been looked at."""
        self._look(create=create)
        if self.read_only:
            connection = self._connect(apsw.SQLITE_OPEN_READONLY)
            self._identify(connection, create=False)
            connection.close()
            return None
        connection = self._connect(apsw.SQLITE_OPEN_READWRITE)
        try:
            self._identify(connection, create=create)
            self._set(connection, "journal_mode", "WAL", "wal")
            self._set(connection, "synchronous", *_SYNCHRONOUS[self._durability])
            self._set(connection, "fullfsync", "1", 1)
            self._set(connection, "trusted_schema", "0", 0)
        except BaseException:
            connection.close()
            raise
        return connection

    def _look(self, *, create: bool) -> None:
        """Tell absent, foreign and unreadable files apart before SQLite touches any."""
        if self._path.is_dir():
            raise StoreForeign(url=self.url, problem="it is a folder: name a file in it")
        try:
            with self._path.open("rb") as file:
                start = file.read(16)
        except FileNotFoundError as error:
            if not self._path.parent.is_dir():
                problem = f"the folder {self._path.parent} does not exist: make it first"
                raise StoreAbsent(url=self.url, problem=problem) from error
            if not create:
                problem = "there is no such file: check the path, or create a job in it"
                raise StoreAbsent(url=self.url, problem=problem) from error
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            return
        except OSError as error:
            raise StoreUnreadable(url=self.url, problem=f"cannot be read: {error}") from error
        if start and start != b"SQLite format 3\0":
            problem = "it is not a SQLite database; it was left alone"
            raise StoreForeign(url=self.url, problem=problem)
        if not start and not create:
            raise StoreAbsent(url=self.url, problem="the file is empty")

    def _identify(self, connection: apsw.Connection, *, create: bool) -> None:
        """Make sure that the file is ours and of a version that we read, or new and made ours."""
        if not (create and self._is_new(connection)):
            if _pragma(connection, "application_id") != APPLICATION_ID:
                problem = "it is a database of another program; it was left alone"
                raise StoreForeign(url=self.url, problem=problem)
            self._check_version(connection)
        if not self.read_only:
            self._migrate(connection)

    def _check_version(self, connection: apsw.Connection) -> int:
        version: int = _pragma(connection, "user_version")
        if version > VERSION:
            problem = (
                f"its format is {version} and this version reads up to {VERSION}:"
                " install a newer milepost"
            )
            raise StoreNewer(url=self.url, problem=problem)
        return version

    def _migrate(self, connection: apsw.Connection) -> None:
        """Take the file to the newest format, one transaction a step; others may do so too."""
        while self._check_version(connection) < VERSION:
            connection.execute("BEGIN IMMEDIATE")
            try:
                for step in STEPS[self._check_version(connection) :][:1]:  # none: others did it
                    connection.execute(step.sql)
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {step.version}")
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    def _stand_in(self, connection: apsw.Connection) -> None:
        """Let an older file be read as it is: what it lacks is there, empty, beside it."""
        for step in STEPS[self._check_version(connection) :]:
            connection.execute(step.absent)

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
    def _translated(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except apsw.Error as error:
            raise self._translation(error) from error

    def _translation(self, error: apsw.Error) -> StoreError:
        match error:
            case apsw.BusyError() | apsw.LockedError():
                waited = self._busy_timeout_ms / 1000
                problem = f"others kept it busy for {waited:g} s: try again"
                return StoreLocked(url=self.url, problem=problem)
            case apsw.NotADBError():
                return StoreForeign(url=self.url, problem=f"{error}; it was left alone")
            case apsw.CorruptError():
                problem = f"SQLite finds it damaged: {error}; restore a backup"
                return StoreUnreadable(url=self.url, problem=problem)
            case apsw.ReadOnlyError():
                return StoreReadOnly(url=self.url, problem=str(error))
            case _:
                return StoreError(url=self.url, problem=f"SQLite: {error}")


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
        translation: Callable[[apsw.Error], StoreError],
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
            self._writer = SqliteWriter(self._connection)
        except BaseException as error:
            _roll_back(self._connection)
            self._turn.release()
            if isinstance(error, apsw.Error):
                raise self._translation(error) from error
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
                self._connection.execute("COMMIT")
                self._writer.mark = self._connection.data_version("main")
                return
            _roll_back(self._connection)
        except apsw.Error as failure:
            _roll_back(self._connection)
            problem = f"the outcome of a commit is unknown: {failure}"
            raise CommitUnknown(url=self._url, problem=problem) from failure
        finally:
            self._turn.release()
        if isinstance(error, apsw.Error):
            raise self._translation(error) from error


def _roll_back(connection: apsw.Connection) -> None:
    with suppress(apsw.Error):  # SQLite may have rolled back by itself
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _size_bytes(connection: apsw.Connection) -> int:
    size_bytes: int = _pragma(connection, "page_count") * _pragma(connection, "page_size")
    return size_bytes


def _pragma(connection: apsw.Connection, name: str) -> Any:  # Any: each pragma has its own type
    for row in connection.execute(f"PRAGMA {name}"):
        return row[0]
    return None
