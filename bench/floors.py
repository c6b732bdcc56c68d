"""The floor of durable records: a bare SQLite table, WAL, synchronous FULL, driven by apsw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw

__all__ = ["BareTable"]


class BareTable:
    """One row an item: its ordinal, and its result as bytes that were encoded before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = apsw.Connection(str(path))
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            list(self._connection.execute(f"PRAGMA {pragma}"))
        self._connection.execute(
            "CREATE TABLE results (item INTEGER PRIMARY KEY, result BLOB NOT NULL) STRICT"
        )
        self._next = 0

    def insert_each(self, encoded: Sequence[bytes]) -> None:
        """Insert and commit one by one."""
        for result in encoded:
            self._connection.execute("INSERT INTO results VALUES (?, ?)", (self._next, result))
            self._next += 1

    def insert_together(self, encoded: Sequence[bytes]) -> None:
        """Insert all, one row each, in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO results VALUES (?, ?)", list(enumerate(encoded, self._next))
        )
        self._connection.execute("COMMIT")
        self._next += len(encoded)

    def close(self) -> None:
        self._connection.close()
