"""One turn at the connection that writes: a transaction, whose files are in place at its end."""

from __future__ import annotations

from functools import partial
from types import TracebackType

import apsw

from milepost.stores.sqlite.connections import Connections
from milepost.stores.sqlite.errors import errno_of
from milepost.stores.sqlite.migration import stored_version
from milepost.stores.sqlite.outcome import outcome, roll_back
from milepost.stores.sqlite.writing import SqliteWriter

__all__ = ["Writing"]


class Writing:
    """The store's write lock while the block runs; at its end one commit, or, raised out of, none.

    Every commit passes here, and a class costs a third of nested generators. An interrupt
    (KeyboardInterrupt) that meets what gives the lock back does not keep it: that is done again.
    It is tried in place, since to call a function is to be interrupted.
    """

    __slots__ = ("_connection", "_connections", "_given", "_statements", "_writer")

    def __init__(self, connections: Connections, connection: apsw.Connection) -> None:
        self._connections = connections
        self._connection = connection
        self._given = True
        self._statements: apsw.Cursor
        self._writer: SqliteWriter

    def __enter__(self) -> SqliteWriter:
        connections, connection = self._connections, self._connection
        connections.turn.acquire()
        self._given = False
        try:
            connections.refuse()  # while we waited it may have been closed
            statements = connections.statements
            assert statements is not None, "an open store has them"
            connections.begin(statements)
            self._statements = statements
            self._writer = writer = SqliteWriter(statements, connections.url)
            if writer.mark != connections.mark:  # otherwise nobody wrote since we did
                stored_version(connection, connections.url)
        except BaseException as error:
            try:
                system_errno = errno_of(connection)
            finally:
                while not self._given:
                    try:
                        self._end()
                    except KeyboardInterrupt:
                        continue
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
        system_errno = 0
        ended = False
        try:
            if connections.forked:  # within the block: the transaction is the parent's
                self._given = True
                if error is None:
                    connections.refuse()
                return
            if error is None:
                if self._writer.failure is not None:
                    raise self._writer.failure
                self._statements.execute("COMMIT")
                ended = True
                connections.look(committed=True)
                self._writer.mark = connections.mark = connection.data_version("main")
                if connections.log_is_long:
                    connections.check_in(connection)
                return
            system_errno = errno_of(connection)
        except apsw.Error as failure:
            begins = partial(connections.begins, self._statements)
            raise outcome(connection, failure, connections.url, begins) from failure
        finally:
            cut: KeyboardInterrupt | None = None
            while not self._given:
                try:
                    self._end(ended=ended)
                except KeyboardInterrupt as interrupt:
                    cut = interrupt
            if cut is not None:
                raise cut
        if isinstance(error, apsw.Error | UnicodeDecodeError):
            raise connections.translation(error, system_errno) from error

    def _end(self, *, ended: bool = False) -> None:
        """Give everything back that was taken; what has not ended yet is rolled back.

        May be repeated until it is `_given`.
        """
        try:
            try:
                if not ended:
                    roll_back(self._connection)
            finally:
                self._connections.guard.give_turn()
        except KeyboardInterrupt:
            raise  # it is done again
        except BaseException:
            self._given = True
            self._connections.turn.release()
            raise
        self._given = True
        self._connections.turn.release()
