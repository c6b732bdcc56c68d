"""The SQLite store: one file, one writer at a time, readers that neither block nor are blocked."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import apsw

from milepost.clock import SteadyClock
from milepost.errors import (
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnreadable,
)
from milepost.log.rows import StoreFormat, Vacuumed
from milepost.stores.protocol import Create, Durability
from milepost.stores.sqlite.commits import Writing
from milepost.stores.sqlite.connections import Connections
from milepost.stores.sqlite.files import (
    make_ready,
    mount_table,
    new_file,
    refuse_network,
)
from milepost.stores.sqlite.guard import Guard, Guarding
from milepost.stores.sqlite.migration import (
    format_of,
    migrate,
    stand_in,
    stored_version,
)
from milepost.stores.sqlite.reading import SqliteReader
from milepost.stores.sqlite.still import StillConnection, refuse_unwritable
from milepost.stores.sqlite.trust import alterations, identify
from milepost.stores.sqlite.waiting import Patience
from milepost.stores.sqlite.wal import passed_over
from milepost.stores.sqlite.writing import SqliteWriter

__all__ = ["SqliteStore"]

_SYNCHRONOUS: Final[dict[Durability, tuple[str, int]]] = {
    "full": ("FULL", 2),
    "process": ("NORMAL", 1),
}

_LOG_BYTES: Final = 8 * 1024 * 1024
"""What the `-wal` file is cut to once a log that had to be longer is begun anew."""


class MakeGuard(Protocol):
    """Makes the guard of the store at `path`, which is absolute."""

    def __call__(self, path: str, url: str, *, read_only: bool) -> Guarding:
        """Raises StoreError."""
        ...


class SqliteStore:
    """A store in one SQLite file. Safe for any number of threads and processes.

    `busy_timeout_s` is how long a writer waits for its turn; `patience` makes what waits, given
    that time. `mounts` gives the table of mounts; a network file system in it is refused unless
    `allow_network`. With durability `full` a commit has reached the disk when it returns; with
    `process` it survives the process, not the power. `guard` makes what keeps the files in place.

    It is of the files that `path` names when it is opened, and of the process that opens it: once
    other files are there every use raises StoreReplaced, and in the child of a fork StoreForked.
    """

    clock: SteadyClock | None = None

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
        guard: MakeGuard = Guard,
    ) -> None:
        self.url = f"sqlite:///{path}"
        self.read_only = read_only
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 as SQLite does: links stay, and ".." is taken out
        self._durability: Durability = durability
        if not allow_network:
            refuse_network(path, self.url, mounts)
        make_ready(path, self.url, create=create if not read_only else False)
        self._connections = Connections(
            str(self._path),
            self.url,
            guard(str(self._path), self.url, read_only=read_only),
            vfs=vfs,
            busy_timeout_s=busy_timeout_s,
            patience=patience,
        )
        try:
            with self._translated():
                self._open(create=bool(create) and not read_only)
        except BaseException:
            self._connections.close()
            raise
        weakref.finalize(self, self._connections.close_at_exit)

    def close(self) -> None:
        """The store cannot be used afterwards.

        In the child of a fork nothing happens: what is inherited is the parent's.
        """
        self._connections.close()

    @contextmanager
    def reading(self) -> Iterator[SqliteReader]:
        with (
            self._translated(),
            self._connections.reading() as connection,
            self._translated(connection),
        ):
            connection.execute("BEGIN")
            stand_in(connection, self.url)
            yield SqliteReader(connection, self.url)
            if isinstance(connection, StillConnection):
                connection.insist(self.url)

    def writing(self, *_jobs: str) -> AbstractContextManager[SqliteWriter]:
        """The store's one write lock, until the block ends: then it is one commit, or none of it.

        Raises StoreLocked, StoreReadOnly, StoreReplaced, StoreForked, StoreNewer where another
        process took the file further, and CommitUnknown where the outcome cannot be told.
        """
        return Writing(self._connections, self._writer())

    appending = writing

    def check(self) -> list[str]:
        """The problems of the file as a file, by SQLite.

        Cost: the file is read once.
        """
        try:
            with self._translated(), self._connections.reading() as connection:
                found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
                found += alterations(connection, stored_version(connection, self.url))
                lost = passed_over(connection, self._path)
                if lost > 1:  # one may be what a crash cut short
                    found.append(
                        f"{lost} commits in its -wal file are passed over, since something"
                        " before them is damaged: what they held is lost with the next write"
                    )
        except StoreUnreadable as error:
            return [error.problem]
        return [problem for problem in found if problem != "ok"]

    def back_up(self, copy: Path) -> int:
        """The copy holds what can be read and no free pages."""
        url = f"sqlite:///{copy}"
        with new_file(copy, url) as part:
            try:
                self._copy_into(part)
            except StoreFull as error:  # it is the copy that there is no room for
                raise StoreFull(url=url, problem=error.problem) from error
        return copy.stat().st_size

    def _copy_into(self, copy: Path) -> None:
        with self._translated():
            connection = self._connections.connect_to_read()
            try:
                with self._translated(connection), self._connections.guard.reading():
                    connection.execute("VACUUM INTO ?", (str(copy),))
                    if isinstance(connection, StillConnection):
                        connection.insist(self.url)
            finally:
                self._connections.end(connection)

    def format(self) -> StoreFormat:
        with (
            self._translated(),
            self._connections.reading() as connection,
            self._translated(connection),
        ):
            return format_of(connection, self.url)

    def vacuum(self) -> Vacuumed:
        """Free pages are cut off where the file keeps track of them (auto_vacuum).

        That is set when a file is made; without it, the file is written anew. Raises StoreReplaced
        too.
        """
        connection = self._writer()
        with (
            self._translated(connection),
            self._connections.writing_turn(self._connections.patience),
        ):
            before_bytes = _size_bytes(connection)
            tracked = _pragma(connection, "auto_vacuum") != 0
            with self._connections.turn_kept(connection):
                list(connection.execute("PRAGMA incremental_vacuum" if tracked else "VACUUM"))
            self._connections.look(committed=True)
            self._connections.guard.leave_log()
            list(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))  # readers may delay it
            return Vacuumed(
                how="incremental" if tracked else "full",
                before_bytes=before_bytes,
                after_bytes=_size_bytes(connection),
            )

    def _writer(self) -> apsw.Connection:
        """The connection that writes. Raises what keeps the store from being written to."""
        if self.read_only:
            raise StoreReadOnly(
                url=self.url,
                problem="it was opened for reading only: open it without read_only=True to write",
            )
        self._connections.refuse()
        connection = self._connections.writer
        assert connection is not None, "an open store has one"
        return connection

    def _open(self, *, create: bool) -> None:
        """Look at the file and have it guarded, then open the connections that are to stay.

        What keeps a log is guarded from before the first of them is opened, so that the log which
        they have open is the one beside the file.
        """
        connections = self._connections
        if self.read_only:
            connection = connections.connect_to_read()
            with _closed_if_refused(connection), self._translated(connection):
                identify(connection, self.url)
            connections.read_with(connection)
            return
        try:
            if not connections.guard.has_log or self._is_unfinished:
                self._begin_log(create=create)
            connections.guard.hold(connections.patience)
            connection, patience = connections.connect_to_write()
            with _closed_if_refused(connection), self._translated(connection):
                patience.insist(lambda: self._prepare(connection, patience, create=create))
            connections.write_with(connection, patience)
        except StoreError as error:
            if isinstance(error.__cause__, apsw.Error):
                refuse_unwritable(self._path, self.url, error.__cause__)
            raise

    @property
    def _is_unfinished(self) -> bool:
        """True if a crash left a journal beside the file: what it undoes nobody may have guarded.

        There is one for as long as a file is being made, or set to keep a log.
        """
        return self._path.with_name(f"{self._path.name}-journal").exists()

    def _begin_log(self, *, create: bool) -> None:
        """Have the file keep a log, for which nobody may have it guarded."""
        connection, patience = self._connections.connect_to_write()

        def begin() -> None:
            identify(connection, self.url, create=create)
            _refuse_to_read_alone(connection)
            self._set(connection, "journal_mode", "WAL", "wal")

        try:
            with self._translated(connection):
                patience.insist(begin)
        finally:
            connection.close()

    def _prepare(self, connection: apsw.Connection, patience: Patience, *, create: bool) -> None:
        """Make the file ours and of the newest format, set as was promised. Can be done again."""
        identify(connection, self.url, create=create)
        _refuse_to_read_alone(connection)
        self._connections.guard.watch()
        self._set(connection, "journal_mode", "WAL", "wal")
        self._set(connection, "synchronous", *_SYNCHRONOUS[self._durability])
        self._set(connection, "fullfsync", "1", 1)
        self._set(connection, "trusted_schema", "0", 0)
        self._set(connection, "journal_size_limit", str(_LOG_BYTES), _LOG_BYTES)
        with self._connections.writing_turn(patience):
            migrate(connection, self.url)

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

    def _translated(
        self, connection: apsw.Connection | None = None
    ) -> AbstractContextManager[None]:
        return self._connections.translated(connection)


@contextmanager
def _closed_if_refused(connection: apsw.Connection) -> Iterator[None]:
    """Close a connection that is not to be used, as what the block raises says."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _refuse_to_read_alone(connection: apsw.Connection) -> None:
    """Raise ReadOnlyError where SQLite opened for reading what was to be written."""
    if connection.readonly("main"):
        raise apsw.ReadOnlyError("the file cannot be written")


def _size_bytes(connection: apsw.Connection) -> int:
    size_bytes: int = _pragma(connection, "page_count") * _pragma(connection, "page_size")
    return size_bytes


def _pragma(connection: apsw.Connection, name: str) -> Any:  # Any: each pragma has its own type
    for row in connection.execute(f"PRAGMA {name}"):
        return row[0]
    return None
