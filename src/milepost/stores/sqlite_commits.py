"""One turn at the connection that writes: a transaction, whose files are in place at its end."""

from __future__ import annotations

from types import TracebackType

import apsw

from milepost.stores.sqlite_connections import Connections
from milepost.stores.sqlite_errors import errno_of
from milepost.stores.sqlite_migration import stored_version
from milepost.stores.sqlite_outcome import outcome, roll_back
from milepost.stores.sqlite_writing import SqliteWriter

__all__ = ["Writing"]


class Writing:
    """The store's write lock while the block runs; at its end one commit, or, raised out of, none.

    Every commit passes here, and a class costs a third of nested generators.
    """

    __slots__ = ("_connection", "_connections", "_writer")

    def __init__(self, connections: Connections, connection: apsw.Connection) -> None:
        self._connections = connections
        self._connection = connection
        self._writer: SqliteWriter

    def __enter__(self) -> SqliteWriter:
        connections, connection = self._connections, self._connection
        connections.turn.acquire()
        try:
            connections.refuse()  # while we waited it may have been closed
            connections.begin(connection)
            self._writer = writer = SqliteWriter(connection, connections.url)
            if writer.mark != connections.mark:  # otherwise nobody wrote since we did
                stored_version(connection, connections.url)
        except BaseException as error:
            system_errno = errno_of(connection)
            self._end()
            if isinstance(error, apsw.Error | UnicodeDecodeError):
                raise connections.translation(error, system_errno) from error
            raise
        return writer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connections, connection = self._connections, self._connection
        if connections.forked:  # within the block: the transaction is the parent's
            if error is None:
                connections.refuse()
            return
        system_errno = 0
        ended = False
        try:
            if error is None:
                if self._writer.failure is not None:
                    raise self._writer.failure
                connection.execute("COMMIT")
                ended = True
                connections.look(committed=True)
                self._writer.mark = connections.mark = connection.data_version("main")
                connections.check_in(connection)
                return
            system_errno = errno_of(connection)
        except apsw.Error as failure:
            raise outcome(connection, failure, connections.url) from failure
        finally:
            self._end(ended=ended)
        if isinstance(error, apsw.Error | UnicodeDecodeError):
            raise connections.translation(error, system_errno) from error

    def _end(self, *, ended: bool = False) -> None:
        """Give everything back that was taken; what has not ended yet is rolled back."""
        try:
            if not ended:
                roll_back(self._connection)
        finally:
            try:
                self._connections.guard.give_turn()
            finally:
                self._connections.turn.release()
