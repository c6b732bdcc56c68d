"""The PostgreSQL store: one schema of a database, for drivers on any number of machines."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from milepost.errors import (
    CommitUnknown,
    StoreError,
    StoreForeign,
    StoreForked,
    StoreReadOnly,
    StoreUnsafe,
)
from milepost.log.rows import StoreFormat, Vacuumed
from milepost.process.forks import here
from milepost.stores.postgres.address import Address
from milepost.stores.postgres.appending import PostgresAppending
from milepost.stores.postgres.clock import ServerClock
from milepost.stores.postgres.errors import MOVED, OVERTAKEN, lost, translate, unreached
from milepost.stores.postgres.lending import Lending
from milepost.stores.postgres.migration import format_of, prepare, stored_version
from milepost.stores.postgres.notices import Notices, sending
from milepost.stores.postgres.reading import OF_A_JOB, Connection, PostgresReader
from milepost.stores.postgres.schema import NOW, statement
from milepost.stores.postgres.sessions import (
    direct,
    duration,
    ended,
    listen_to,
    not_reached,
    setting_up,
)
from milepost.stores.postgres.turns import Turns
from milepost.stores.postgres.writing import PostgresWriter
from milepost.stores.protocol import Create, Durability, Moved

__all__ = ["PostgresStore"]

_CONNECTIONS: Final = 16
_KEPT: Final = 4  # for one who appends, and some who look
_OLDEST: Final = 140_000
_DURABLE: Final[dict[Durability, str]] = {"full": "on", "process": "off"}


class PostgresStore:
    """A store in one schema of a PostgreSQL database. Safe for threads, processes and machines.

    `busy_timeout_s` is how long a writer waits for its turn. With durability `full` a commit is on
    the server's disk when it returns; with `process` it survives this process, and not a crash of
    the server. It is of the process that opens it: in the child of a fork every use raises
    StoreForked.
    """

    def __init__(
        self,
        address: Address,
        *,
        create: Create = True,
        read_only: bool = False,
        durability: Durability = "full",
        busy_timeout_s: float = 30.0,
        connections: int = _CONNECTIONS,
    ) -> None:
        self.url = address.url
        self.read_only = read_only
        self._schema = address.schema
        self._conninfo = address.conninfo
        self._durable = _DURABLE[durability]
        self._busy_timeout_s = busy_timeout_s
        self._patience = duration(busy_timeout_s)
        self._here = here()
        self._closed = False
        self._turns = Turns(address.schema, self._durable, self._patience)
        try:
            with psycopg.connect(address.conninfo, autocommit=True) as connection:
                self._look_at(connection, safe=durability == "full" and not read_only)
                writes = not read_only
                create = bool(create) and writes
                prepare(connection, self._schema, self.url, create=create, steps=writes)
                self.clock = ServerClock(f"postgresql:{self._identity(connection)}")
                self._hear(connection)
                ours = direct(connection)
        except psycopg.Error as error:
            raise unreached(error, self.url) or self._translation(error) from error
        pool: ConnectionPool[Connection] = ConnectionPool(
            address.conninfo,
            min_size=1,
            max_size=connections,
            timeout=max(busy_timeout_s, 1.0),
            num_workers=1,
            kwargs={"autocommit": True, **({} if ours else {"prepare_threshold": None})},
            configure=setting_up(self.url, self._durable, self._patience, ours=ours),
            check=listen_to,
            name="milepost",
            open=True,
        )
        self._lending = Lending(pool, _KEPT, not_reached=partial(not_reached, address.conninfo))
        self._notices = Notices(sending(pool, self._schema))
        self._finalizer = weakref.finalize(self, _close, self._lending, self._notices, self._here)

    def close(self) -> None:
        """The store cannot be used afterwards. In the child of a fork nothing happens."""
        if self._here is here() and not self._closed:
            self._closed = True
            self._finalizer()

    @contextmanager
    def reading(self) -> Iterator[PostgresReader]:
        """REPEATABLE READ: the server keeps the rows of that moment for it."""
        with self._lent() as connection:
            self._run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield PostgresReader(
                    lambda: connection, self.url, self._schema, self._busy_timeout_s
                )
            finally:
                with suppress(psycopg.Error):  # it read, and nothing hangs on how it ends
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[PostgresWriter]:
        """The lock of a job is one of its id and of its row that every append changes.

        That of all jobs is one of the table of these rows.
        """
        self._refuse_to_write()
        with self._lent() as connection:
            found = self._begin(connection, jobs)
            writer = PostgresWriter(
                lambda: connection, self.url, self._schema, self._busy_timeout_s, mark=found
            )
            try:
                yield writer
            except BaseException:
                self._roll_back(connection)
                raise
            left = self._commit(connection)
            writer.mark = 0 if jobs else left

    @contextmanager
    def appending(self, *jobs: str) -> Iterator[PostgresAppending]:
        """One statement in autocommit, where a decision looks at nothing but what is known."""
        self._refuse_to_write()
        with self._lent() as connection:

            def begin() -> Connection:
                self._begin(connection, jobs)
                return connection

            writer = PostgresAppending(begin, self.url, self._schema, self._busy_timeout_s)
            try:
                yield writer
            except BaseException:
                if writer.opened is not None:
                    self._roll_back(connection)
                raise
            if writer.opened is not None:
                self._commit(connection)
                return
            told = writer.statement(self._durable, self._patience)
            if told is not None:
                self._append(connection, *told)

    def check(self) -> list[str]:
        """What the server says of its own settings that durability rests on."""
        with self._lent() as connection:
            return self._unsafe(connection)

    def format(self) -> StoreFormat:
        with self._lent() as connection:
            try:
                version = stored_version(connection, self._schema, self.url)
            except psycopg.Error as error:
                raise self._translation(error) from error
        return format_of(self._schema, version)

    def back_up(self, copy: Path) -> int:
        """A server is backed up by its own tools. Raises StoreError."""
        raise StoreError(
            url=self.url,
            problem=f"it is on a server: nothing was put in {copy}: use"
            f" pg_dump --schema={self._schema}, or as the whole server is",
        )

    def vacuum(self) -> Vacuumed:
        """VACUUM of our tables: their space is free for other rows, and seldom for the disk."""
        self._refuse_to_write()
        with self._lent() as connection:
            before_bytes = self._size_bytes(connection)
            for table in OF_A_JOB:
                self._run(connection, f"VACUUM ${table}")
            return Vacuumed(
                how="incremental",
                before_bytes=before_bytes,
                after_bytes=self._size_bytes(connection),
            )

    def _size_bytes(self, connection: Connection) -> int:
        total = " + ".join(f"pg_total_relation_size('${table}')" for table in OF_A_JOB)
        return int(self._value(connection, f"SELECT {total}"))

    def _refuse_to_write(self) -> None:
        if self.read_only:
            raise StoreReadOnly(
                url=self.url,
                problem="it was opened for reading only: open it without read_only=True to write",
            )

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        """A connection of the pool, for the block."""
        if self._here is not here():
            raise StoreForked(url=self.url)
        if self._closed:
            raise StoreError(url=self.url, problem="it is closed: open it again")
        try:
            connection = self._lending.take()
        except (PoolTimeout, PoolClosed) as error:
            raise self._translation(error) from error
        except psycopg.Error as error:
            raise unreached(error, self.url) or self._translation(error) from error
        try:
            yield connection
        finally:
            self._lending.give_back(connection)

    def _run(self, connection: Connection, sql: str) -> psycopg.Cursor[tuple[Any, ...]]:
        try:
            return connection.execute(statement(self._schema, sql))
        except psycopg.Error as error:
            raise self._translation(error) from error

    def _value(self, connection: Connection, sql: str) -> Any:  # Any: each has its own type
        row = self._run(connection, sql).fetchone()
        return None if row is None else row[0]

    def _begin(self, connection: Connection, jobs: Sequence[str]) -> int:
        """Begin a transaction with the write lock of these jobs; the mark that it finds."""
        try:
            mark, server_us = self._turns.begin(connection, jobs)
        except BaseException as error:
            self._roll_back(connection)
            if isinstance(error, psycopg.Error):
                raise self._translation(error) from error
            raise
        self.clock.heard(server_us)
        return mark

    def _commit(self, connection: Connection) -> int:
        """Commit; the mark that is left. Whatever is raised, the transaction has ended."""
        pid = connection.info.backend_pid
        try:
            mark = self._turns.commit(connection)
        except psycopg.Error as error:
            self._roll_back(connection)
            raise self._outcome(error, pid) from error
        self._notices.committed()
        return mark

    def _roll_back(self, connection: Connection) -> None:
        with suppress(psycopg.Error):  # a connection that is lost has no transaction any more
            connection.execute("ROLLBACK")

    def _append(self, connection: Connection, sql: bytes, values: tuple[Any, ...]) -> None:
        """Run the one statement. Raises Moved, CommitUnknown, and PostgreSQL's errors as ours."""
        pid = connection.info.backend_pid
        try:
            row = connection.execute(sql, values, prepare=True).fetchone()
        except psycopg.Error as error:
            if error.sqlstate in (MOVED, OVERTAKEN):
                raise Moved from error
            raise self._outcome(error, pid) from error
        if row is not None:
            self.clock.heard(row[0])
        self._notices.committed()

    def _outcome(self, error: psycopg.Error, pid: int) -> Exception:
        """The error for a commit that failed: of unknown outcome where the connection was lost.

        The process of the server that had it is ended first, if it can be: else it might still
        do what it was told, after the log was read.
        """
        if not lost(error):
            return self._translation(error)
        told = " ".join(str(error).split())
        return CommitUnknown(
            url=self.url,
            problem=f"the connection was lost during a commit ({told}): read the job before you try"
            " again",
            may_appear=not ended(self._conninfo, pid),
        )

    def _translation(self, error: psycopg.Error) -> Exception:
        return translate(error, self.url, self._busy_timeout_s)

    def _look_at(self, connection: Connection, *, safe: bool) -> None:
        """Refuse a server that is too old, whose texts are not UTF-8, or that forgets commits."""
        version = connection.info.server_version
        if version < _OLDEST:
            problem = f"it is PostgreSQL {version // 10000}: use 14 or newer"
            raise StoreForeign(url=self.url, problem=problem)
        encoding = self._value(connection, "SHOW server_encoding")
        if encoding != "UTF8":
            problem = f"its encoding is {encoding}: make a database with ENCODING 'UTF8'"
            raise StoreForeign(url=self.url, problem=problem)
        unsafe = self._unsafe(connection) if safe else []
        if unsafe:
            raise StoreUnsafe(
                url=self.url,
                problem=f"{'; '.join(unsafe)}: turn it on, or open with durability='process'",
                file_system="",
            )

    def _unsafe(self, connection: Connection) -> list[str]:
        """The settings of the server under which a crash loses commits, or tears pages."""
        return [
            f"{setting} is off on the server, so that a crash loses what was acknowledged"
            for setting in ("fsync", "full_page_writes")
            if self._value(connection, f"SHOW {setting}") != "on"
        ]

    def _identity(self, connection: Connection) -> str:
        """The identifier that the server's data was made with."""
        return str(self._value(connection, "SELECT system_identifier FROM pg_control_system()"))

    def _hear(self, connection: Connection) -> None:
        self.clock.heard(self._value(connection, f"SELECT {NOW}"))


def _close(lending: Lending, notices: Notices, made_in: object) -> None:
    """Close what this process opened.

    The child of a fork would end the sessions of its parent, whose connections it has copies of.
    """
    if made_in is here():
        notices.close()
        lending.close()
