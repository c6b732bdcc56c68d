"""What can be known of a connection: whether the server still has it, and who is in between."""

from __future__ import annotations

from contextlib import suppress

import psycopg

from milepost.stores.postgres.reading import Connection

__all__ = ["direct", "ended", "listen_to"]


def listen_to(connection: Connection) -> None:
    """Raise psycopg's OperationalError if the server has ended this connection meanwhile.

    Nothing is asked: what has arrived is read. So a server that was begun anew, or that ends idle
    sessions, is noticed before something is sent of which nobody could say what became of it.
    """
    for _ in range(2):  # its last words, and then that there are no more
        connection.pgconn.consume_input()


def direct(connection: Connection) -> bool:
    """True if it leads to one process of the server, and the client knows which.

    Behind a pooler the number that the client was told is made up, and the process may be another
    for each transaction: it can be neither ended by that number nor relied on to have prepared a
    statement.
    """
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row is not None and row[0] == connection.info.backend_pid


def ended(conninfo: str, pid: int) -> bool:
    """End the server's process `pid`, of a connection that was lost; True if it is gone for sure.

    It would otherwise still do what it was told.
    """
    gone = False
    with suppress(psycopg.Error), psycopg.connect(conninfo, autocommit=True) as other:
        if direct(other):
            ask = "SELECT pg_terminate_backend(%s, 5000) FROM pg_stat_activity WHERE pid = %s"
            row = other.execute(ask, (pid, pid)).fetchone()
            gone = row is None or row[0] is True
    return gone
