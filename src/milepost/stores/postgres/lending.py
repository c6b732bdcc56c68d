"""Connections of a pool, each lent to one user at a time, the one that came back last first.

A pool hands out the one that has waited longest. Where one thread records, that is another each
time, whose process on the server has long lost what it needs from the processor's caches.
"""

from __future__ import annotations

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from milepost.stores.postgres.reading import Connection
from milepost.stores.postgres.sessions import listen_to

__all__ = ["Lending"]


class Lending:
    """Lends the connections of `pool`, and keeps up to `keeps` that came back. Safe for threads."""

    def __init__(self, pool: ConnectionPool[Connection], keeps: int) -> None:
        self._pool = pool
        self._keeps = keeps
        self._kept: list[Connection] = []  # appending and popping are each one act
        self._closed = False

    def close(self) -> None:
        """Keep none any more, and close the pool."""
        self._closed = True
        self._let_go()
        self._pool.close()

    def take(self) -> Connection:
        """One that the server has not ended; it is the caller's until given back.

        Raises psycopg.Error.
        """
        while self._kept:
            try:
                connection = self._kept.pop()
            except IndexError:  # another thread took it
                break
            try:
                listen_to(connection)
            except psycopg.OperationalError:
                self._pool.putconn(connection)  # which makes another in its place
            else:
                return connection
        return self._pool.getconn()

    def give_back(self, connection: Connection) -> None:
        """The caller uses it no more, whatever became of it."""
        if connection.closed:
            self._pool.putconn(connection)
            self._pool.check()  # the others may be, too: each is looked at before it is lent again
        elif (
            len(self._kept) < self._keeps
            and connection.info.transaction_status == TransactionStatus.IDLE
        ):
            self._kept.append(connection)
            if self._closed:
                self._let_go()
        else:
            self._pool.putconn(connection)

    def _let_go(self) -> None:
        while self._kept:
            self._pool.putconn(self._kept.pop())
