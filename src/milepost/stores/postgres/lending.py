"""Connections of a pool, each lent to one user at a time, the one that came back last first.

A pool hands out the one that has waited longest. Where one thread records, that is another each
time, whose process on the server has long lost what it needs from the processor's caches.

A pool says no more than that a connection was waited for in vain. Whether all are in use, which
takes patience, or the server cannot be reached, for which a holder must not wait longer than its
lease is good for, is found out by an attempt to connect.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from milepost.stores.postgres.errors import is_full
from milepost.stores.postgres.reading import Connection
from milepost.stores.postgres.sessions import listen_to

__all__ = ["UNREACHED_S", "Lending"]


UNREACHED_S: Final = 5.0
"""How long a connection is waited for before it is looked whether one can come about at all: a
server that is begun anew is back by then."""


class Lending:
    """Lends the connections of `pool`, and keeps up to `keeps` that came back. Safe for threads.

    `not_reached` tries to connect, and says why that cannot be.
    """

    def __init__(
        self,
        pool: ConnectionPool[Connection],
        keeps: int,
        not_reached: Callable[[], psycopg.Error | None],
    ) -> None:
        self._pool = pool
        self._keeps = keeps
        self._not_reached = not_reached
        self._looking = threading.Lock()
        self._looks = 0
        self._cut_off: psycopg.Error | None = None  # as the newest look had it
        self._lent: set[Connection] = set()  # adding and discarding are each one act
        self._kept: list[Connection] = []  # appending and popping are each one act
        self._closed = False

    def close(self) -> None:
        """Keep none any more, and close the pool."""
        self._closed = True
        self._let_go()
        self._pool.close()

    def take(self) -> Connection:
        """One that the server has not ended; it is the caller's until given back.

        Raises psycopg.Error: PoolTimeout where all are in use for the timeout of the pool, and the
        reason where none can be had, after a few seconds. From then on nobody waits until the
        server can be reached again.
        """
        connection = self._kept_one() or self._pooled()
        self._lent.add(connection)
        return connection

    def _kept_one(self) -> Connection | None:
        """The one that came back last and is still good."""
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
        return None

    def _pooled(self) -> Connection:
        """One of the pool."""
        looks = self._looks
        if self._cut_off is not None:
            self._look(looks)
            looks = self._looks
        patience_s = self._pool.timeout
        first_s = min(UNREACHED_S, patience_s)
        try:
            return self._pool.getconn(first_s)
        except PoolTimeout:
            self._look(looks)
            if first_s == patience_s:
                raise
        return self._pool.getconn(patience_s - first_s)

    def _look(self, looks: int) -> None:
        """See whether the server can be reached, unless somebody did after so many looks.

        Raises why not. One that is full is waited for as long as there are connections of ours that
        may come back.
        """
        with self._looking:
            if looks == self._looks:
                error = self._not_reached()
                waits = error is not None and is_full(error) and bool(self._lent)
                self._cut_off = None if waits else error
                self._looks += 1
                if error is None:
                    self._pool.check()  # it may rest for long after attempts that failed
            if self._cut_off is not None:
                raise self._cut_off.with_traceback(None)

    def give_back(self, connection: Connection) -> None:
        """The caller uses it no more, whatever became of it."""
        self._lent.discard(connection)
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
