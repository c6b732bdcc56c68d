"""A file may be made by somebody else: none of its code runs, and its schema is ours to the letter.

Triggers, views, checks, generated columns and indexes on expressions are code that SQLite runs as
soon as a table is used. So a fresh connection is set, before its first statement, to run none of
it and to bear nothing that is larger than ours; then what the file says that it is made of is
compared with what a new file of its format is made of. Source: sqlite.org/security.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import apsw

from milepost.errors import StoreAbsent, StoreForeign
from milepost.stores.sqlite.migration import APPLICATION_ID, stored_version
from milepost.stores.sqlite.outcome import roll_back
from milepost.stores.sqlite.schema import SCHEMA_DIGESTS, STEPS
from milepost.stores.sqlite.seals import enable
from milepost.text.commands import salvage_of
from milepost.text.escapes import printable

__all__ = ["alterations", "digest_of_schema", "distrust", "identify"]

_OFF_AND_ON: Final = (
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),  # those of the file; ours are temporary
    (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0),
)
_LIMITS: Final = (
    (apsw.SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (apsw.SQLITE_LIMIT_COLUMN, 100),
    (apsw.SQLITE_LIMIT_EXPR_DEPTH, 100),
    (apsw.SQLITE_LIMIT_COMPOUND_SELECT, 20),
    (apsw.SQLITE_LIMIT_VDBE_OP, 100_000),
    (apsw.SQLITE_LIMIT_FUNCTION_ARG, 20),
    (apsw.SQLITE_LIMIT_ATTACHED, 2),  # a vacuum takes one
    (apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (apsw.SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (apsw.SQLITE_LIMIT_TRIGGER_DEPTH, 5),
    (apsw.SQLITE_LIMIT_WORKER_THREADS, 0),
)
"""What our own statements and tables keep far below. Values are as large as `Limits` lets them."""

_SCHEMA_BYTES: Final = 1_000_000
_ROWS: Final = 100
_SHOWN: Final = 60

_BY_ANALYZE: Final = frozenset(
    {
        ("table", "sqlite_stat1", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
        (
            "table",
            "sqlite_stat4",
            "sqlite_stat4",
            "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
        ),
    }
)
"""Tables that SQLite's own ANALYZE adds, which nobody has to mind."""


class _Made(NamedTuple):
    """One table, index, view or trigger, as the file tells of it."""

    type: Any  # Any: what is there, which should be text
    name: Any
    table: Any
    sql: Any


def distrust(connection: apsw.Connection, *, lenient: bool = False) -> None:
    """Have a fresh connection run nothing of the file; to be called before any statement.

    With `lenient` its schema may be read although it is damaged, for what is salvaged of it.
    """
    for setting, value in _OFF_AND_ON:
        if not (lenient and setting == apsw.SQLITE_DBCONFIG_DEFENSIVE):
            connection.config(setting, value)
    for limit, value in _LIMITS:
        connection.limit(limit, value)


def identify(connection: apsw.Connection, url: str, *, create: bool = False) -> int:
    """The format of a file that is ours to the letter, 0 for a new one, which `create` allows.

    From then on the triggers of the file run. Cost: two values of its header, and its schema, in
    one transaction. Raises StoreForeign, StoreAbsent, StoreNewer, apsw.Error where the file is
    damaged or busy.
    """
    longest = connection.limit(apsw.SQLITE_LIMIT_LENGTH, _SCHEMA_BYTES)
    try:
        connection.execute("BEGIN")
        try:
            version = _identified(connection, url, create=create)
        finally:
            roll_back(connection)
    except (apsw.SQLError, apsw.TooBigError, apsw.NoMemError, MemoryError, OverflowError) as error:
        raise _foreign(url, f"SQLite says of its schema: {_short(error)}") from error
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, longest)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
    return version


def alterations(connection: apsw.Connection, version: int) -> list[str]:
    """In what the file differs from a new one of that format; nothing if it does not.

    Cost: one query. What a new file is made of is made only where that is not known by a digest.
    """
    rows = list(
        connection.execute(
            "SELECT type, name, tbl_name, sql, rootpage FROM main.sqlite_schema LIMIT ?", (_ROWS,)
        )
    )
    pages: set[object] = set()
    problems: list[str] = []
    for *columns, page in rows:
        made = _Made(*columns)
        begins = type(page) is int and page > 1 and page not in pages
        if page != 0 if made.type == "trigger" else not begins:
            problems.append(f"{_named(made)} begins where it cannot, or where another does")
        pages.add(page)
    found = [_Made(*row[:4]) for row in rows if row[:4] not in _BY_ANALYZE]
    if digest_of_schema(found) == SCHEMA_DIGESTS.get(version):
        return problems
    intended = _intended(version)
    problems += [
        f"{_named(made)} is not as we make it, or not of ours"
        for made in found
        if made not in intended
    ]
    problems += [
        f"{_named(made)} is there twice" for made in {m for m in found if found.count(m) > 1}
    ]
    return problems + [f"{_named(made)} is missing" for made in intended if made not in found]


def digest_of_schema(rows: Iterable[tuple[object, ...]]) -> str:
    """The digest of what a file is made of, in whatever order."""
    lines = sorted(map(ascii, map(tuple, rows)))
    return blake2b("\n".join(lines).encode("ascii"), digest_size=16).hexdigest()


def _identified(connection: apsw.Connection, url: str, *, create: bool) -> int:
    ours = _value(connection, "application_id")
    if ours not in (0, APPLICATION_ID):
        raise _foreign(url, "it is a database of another program")
    tables = list(connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1"))
    if not tables and ours == 0:
        if not create:
            raise StoreAbsent(
                url=url,
                problem="there is nothing in the file yet: check the path, or create a job in it",
            )
        return 0
    if ours == 0:
        raise _foreign(url, "it is a database of another program")
    version = stored_version(connection, url)
    if version < 1:
        raise _foreign(url, f"it says that its format is {version}")
    problems = alterations(connection, version)
    if problems:
        raise _foreign(
            url,
            f"its schema is not that of format {version}: {problems[0]}",
            "it may be altered or damaged: restore a backup, or copy what can be had of it with"
            f" `{salvage_of(url)}`",
        )
    return version


def _foreign(url: str, what: str, advice: str = "name another file") -> StoreForeign:
    return StoreForeign(url=url, problem=f"{what}; it was left alone: {advice}")


def _value(connection: apsw.Connection, pragma: str) -> int:
    for (value,) in connection.execute(f"PRAGMA {pragma}"):
        return int(value)
    return 0


def _named(made: _Made) -> str:
    kind = made.type if made.type in ("table", "index", "view", "trigger") else "what is named"
    return f"{kind} {_short(made.name)}"


def _short(what: object) -> str:
    text = str(what)[: 4 * _SHOWN]
    shown = printable(text)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


@cache
def _intended(version: int) -> frozenset[_Made]:
    """The statements that make a new file of that format."""
    connection = apsw.Connection(":memory:")
    try:
        enable(connection)
        for step in STEPS[:version]:
            connection.execute(step.sql)
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM main.sqlite_schema")
        return frozenset(_Made(*row) for row in rows)
    finally:
        connection.close()
