"""A writer's turn on a server: begun with the lock of some jobs or of all, ended by a commit.

Each is one message to the server and one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from psycopg.sql import Literal

from milepost.stores.postgres.reading import Connection
from milepost.stores.postgres.schema import NOW, statement

__all__ = ["Turns"]

_IDLE: Final = "60s"
"""How long a writer may keep others waiting and say nothing: then its transaction is undone."""

_BEGIN: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '{patience}';"
    f" SET LOCAL idle_in_transaction_session_timeout = '{_IDLE}';"
    " SET LOCAL synchronous_commit = {durable};"
)
_ALL: Final = "LOCK TABLE $tips IN EXCLUSIVE MODE;"
_BESIDE: Final = "LOCK TABLE $tips IN ROW EXCLUSIVE MODE;"
_IDS: Final = (
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT"
    " hashtextextended('$jobs/' || id, 0) AS key FROM unnest(%s::text[]) AS id ORDER BY key)"
    " AS keys;"
)
_ROWS: Final = (
    "SELECT 1 FROM $tips WHERE job IN (SELECT number FROM $jobs WHERE job_id = ANY(%s::text[]))"
    " ORDER BY job FOR UPDATE;"
)
_FOUND: Final = f"SELECT last_value, {NOW} FROM $changes"  # noqa: S608 no values in it
_COMMIT: Final = "SELECT nextval('$changes'); COMMIT"


class Turns:
    """How the writers of one store begin and end their transactions.

    Who writes for some jobs locks their ids, so that there is one who makes or takes away a job of
    each, whether it is there or not; and then the row of each that every append changes. Locks are
    taken in one order, whoever asks for which. Who writes for all has the table of these rows.
    """

    def __init__(self, schema: str, durable: str, patience: str) -> None:
        begin = _BEGIN.format(patience=patience, durable=durable)
        self._of_all = statement(schema, begin + _ALL + _FOUND)
        some = begin + _BESIDE + _IDS + _ROWS + _FOUND
        # Between these parts go the ids of the jobs.
        self._of_some = tuple(statement(schema, part) for part in some.split("%s"))
        self._commit = statement(schema, _COMMIT)

    def begin(self, connection: Connection, jobs: Sequence[str]) -> tuple[int, int]:
        """Begin one that has the lock of these jobs, of all where none is named.

        Returns the mark that it finds, 0 where others may write beside it, and the server's time.
        Raises psycopg.Error.
        """
        begin = self._of_all
        if jobs:
            ids = Literal(list(jobs)).as_bytes(connection)
            begin = ids.join(self._of_some)
        cursor = connection.execute(begin)
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        assert row is not None, "a sequence has its row"
        return 0 if jobs else int(row[0]), int(row[1])

    def commit(self, connection: Connection) -> int:
        """End it; the mark that is left. Raises psycopg.Error."""
        row = connection.execute(self._commit).fetchone()
        assert row is not None, "a sequence has its next value"
        return int(row[0])
