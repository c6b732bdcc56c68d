"""What can be known of a connection: whether the server still has it, and who is in between."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psycopg

from milepost.stores.postgres.reading import Connection
from milepost.text.escapes import printable

__all__ = ["ONCE_S", "direct", "duration", "ended", "listen_to", "not_reached", "setting_up"]

_log: Final = logging.getLogger("milepost.store")

ONCE_S: Final = 2
"""How long an attempt to connect takes at most where a holder waits for it: libpq takes no less."""

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1))
_LONGEST_MS: Final = (1 << 31) - 1


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


def setting_up(
    url: str, durable: str, patience: str, *, ours: bool
) -> Callable[[Connection], None]:
    """What makes a new session ready for the store at `url`.

    Warnings of the server are logged: that an operator ended the wait of a commit for a standby is
    said by one, and by nothing else. A session that is `ours` alone gets the settings that an
    append asks for, which costs less than to set them in each transaction.
    """

    def warn(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            _log.warning("%s: PostgreSQL: %s", url, printable(notice.message_primary or ""))

    def set_up(connection: Connection) -> None:
        connection.add_notice_handler(warn)
        if not ours:
            return
        connection.execute(
            "SELECT set_config('synchronous_commit', %s, false),"
            " set_config('lock_timeout', %s, false)",
            (durable, patience),
        )

    return set_up


def duration(seconds: float) -> str:
    """The text of a time to wait as the server shows it: in the largest unit of which it is whole.

    At least 1 ms, since 0 would be for ever, and at most what a setting of the server can be.
    """
    whole_ms = int(min(max(seconds * 1000, 1), _LONGEST_MS))
    unit, of_unit = next(each for each in _UNITS if whole_ms % each[1] == 0)
    return f"{whole_ms // of_unit}{unit}"


def ended(conninfo: str, pid: int) -> bool:
    """End the server's process `pid`, of a connection that was lost; True if it is gone for sure.

    It would otherwise still do what it was told.
    """
    gone = False
    with suppress(psycopg.Error), _soon(conninfo) as other:
        if direct(other):
            ask = "SELECT pg_terminate_backend(%s, 5000) FROM pg_stat_activity WHERE pid = %s"
            row = other.execute(ask, (pid, pid)).fetchone()
            gone = row is None or row[0] is True
    return gone


def not_reached(conninfo: str) -> psycopg.Error | None:
    """Why no connection comes about just now; None if one does. Takes 2 s at most for a host."""
    try:
        _soon(conninfo).close()
    except psycopg.Error as error:
        return error
    return None


def _soon(conninfo: str) -> Connection:
    """A connection, if one comes about at once. Raises psycopg.Error."""
    return psycopg.connect(conninfo, autocommit=True, connect_timeout=ONCE_S)
