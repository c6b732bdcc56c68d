"""Appending in one statement: a writer that holds nothing until a decision wants to look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from psycopg.types.numeric import Int8

from milepost.log.rows import Row
from milepost.stores.postgres.reading import Connection
from milepost.stores.postgres.schema import statement
from milepost.stores.postgres.writing import PostgresWriter
from milepost.stores.protocol import Moved

__all__ = ["PostgresAppending"]

_APPEND: Final = (
    "SELECT $append("
    + ", ".join(
        f"%s::{kind}"
        for kind in (
            *("text", "text", "bigint[]", "bigint[]", "bytea[]"),
            *("bigint[]", "bigint[]", "bigint[]", "bigint[]", "text[]"),
            *("bytea[]", "bytea[]", "bytea[]", "bytea[]", "bytea[]"),
        )
    )
    + ")"
)
_APPEND_ONE: Final = f"SELECT $append_one({', '.join(['%s'] * 15)})"
_COLUMNS: Final[Mapping[str, Callable[[Any], object]]] = (
    dict.fromkeys(("fence", "at_us", "count", "format"), Int8)
    | {"codec": str}
    | dict.fromkeys(("head", "after", "body", "body_digest", "digest"), bytes)
)
"""What a row has that `append` takes, in its order, and how that is sent."""


class PostgresAppending(PostgresWriter):
    """A writer for those who know how the logs end, and mostly only add a row to each.

    As long as nothing else is asked of it, it does nothing: one `statement` then writes all of it,
    if every log still ends as was relied on. The first other use begins a transaction with
    the store's write lock, by `begin`, in which what was relied on is looked at.
    """

    def __init__(
        self, begin: Callable[[], Connection], url: str, schema: str, waited_s: float
    ) -> None:
        super().__init__(self._opened, url, schema, waited_s)
        self._begin = begin
        self._relied: dict[int, tuple[int, bytes]] = {}
        self._added: dict[int, Row] = {}
        self.opened: Connection | None = None

    def relies_on(self, job: int, seq: int, digest: bytes) -> None:
        if self.opened is not None:
            super().relies_on(job, seq, digest)
        else:
            self._relied[job] = seq, digest

    def add_row(self, job: int, row: Row) -> None:
        """Raises nothing as long as there is no transaction: the statement will tell."""
        relied = self._relied.get(job)
        if self.opened is None and relied is not None and row.seq == relied[0] + 1:
            self._added[job] = row
        else:
            super().add_row(job, row)

    def _opened(self) -> Connection:
        """The connection, with a transaction that was begun when it was first asked for."""
        if self.opened is None:
            self.opened = self._begin()
            for job, (seq, digest) in self._relied.items():
                if self.newest(job) != (seq, digest):
                    raise Moved
            for job, row in self._added.items():
                super().add_row(job, row)
        return self.opened

    def statement(self, durable: str, patience: str) -> tuple[bytes, tuple[Any, ...]] | None:
        """What writes it, and its values, in order of jobs; None if it relied on nothing.

        It commits as `durable` as said, and waits for its rows for at most `patience`.
        """
        if not self._relied:
            return None
        if len(self._relied) == 1 == len(self._added):
            ((job, (seq, digest)),) = self._relied.items()
            row = self._added[job]
            return statement(self._schema, _APPEND_ONE), (
                *(durable, patience, Int8(job), Int8(seq), digest),
                *(Int8(row.fence), Int8(row.at_us), Int8(row.count), Int8(row.format), row.codec),
                *(row.head, row.after, row.body, row.body_digest, row.digest),
            )
        jobs = sorted(self._relied)
        rows = [self._added.get(job) for job in jobs]
        return statement(self._schema, _APPEND), (
            durable,
            patience,
            [Int8(job) for job in jobs],  # of one type always, so that it is prepared once
            [Int8(self._relied[job][0]) for job in jobs],
            [self._relied[job][1] for job in jobs],
            *(
                [None if row is None else kind(getattr(row, name)) for row in rows]
                for name, kind in _COLUMNS.items()
            ),
        )
