"""The format of a schema, and the steps to the newest: taken, or printed for somebody else to run.

What is printed is what is taken: one transaction under the lock by which those who open the store
at once take turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg import errors

from milepost.errors import StoreAbsent, StoreForeign, StoreNewer, StoreReadOnly
from milepost.log.rows import FormatStep, StoreFormat
from milepost.stores.postgres.address import Address
from milepost.stores.postgres.errors import translate, unreached
from milepost.stores.postgres.reading import Connection
from milepost.stores.postgres.schema import STEPS, VERSION, statement
from milepost.text.commands import command

__all__ = ["format_at", "format_of", "prepare", "stored_version"]

_MADE: Final = "milepost"
"""The comment of a schema that is ours begins with it; its format follows."""

_NAMED: Final = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = "

_PATIENT: Final = (
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"  # whoever waited sees what was made meanwhile
    " SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"
)


def stored_version(connection: Connection, schema: str, url: str) -> int | None:
    """The format of the schema, 0 of one that is made for us and empty, None where none is.

    Raises StoreForeign, StoreNewer, and PostgreSQL's errors as they are.
    """
    row = connection.execute(f"{_NAMED}%s", (schema,)).fetchone()
    if row is None:
        return None
    made, _, version = (row[0] or "").partition(" ")
    if made != _MADE or not version.isdecimal():
        problem = (
            f"its schema {schema} is not of Milepost, and was left alone: name another with"
            " ?schema="
        )
        raise StoreForeign(url=url, problem=problem)
    if int(version) > VERSION:
        problem = f"it has format {version}, later than {VERSION}: install a newer milepost"
        raise StoreNewer(url=url, problem=problem)
    return int(version)


def format_of(schema: str, version: int | None) -> StoreFormat:
    """What leads from `version` to the newest format; None where there is no schema yet."""
    pending = tuple(
        FormatStep(step.version, step.title, statement(schema, step.sql).decode())
        for step in STEPS
        if step.version > (version or 0)
    )
    script = "\n".join(_script(schema, version)) if pending else ""
    return StoreFormat(version=version or 0, newest=VERSION, pending=pending, script=script)


def format_at(address: Address, *, asked: bool = True) -> StoreFormat:
    """The format of what is at `address`, which is not changed and need not be there.

    Without `asked` the server is left alone, and there is taken to be no schema. Raises
    StoreError, StoreForeign, StoreNewer.
    """
    if not asked:
        return format_of(address.schema, None)
    try:
        with psycopg.connect(address.conninfo, autocommit=True) as connection:
            version = stored_version(connection, address.schema, address.url)
    except psycopg.Error as error:
        raise unreached(error, address.url) or translate(error, address.url) from error
    return format_of(address.schema, version)


def prepare(connection: Connection, schema: str, url: str, *, create: bool, steps: bool) -> None:
    """Make the schema if `create`, take it to the newest format if `steps`. Two take turns.

    Raises StoreAbsent, StoreForeign, StoreNewer, StoreReadOnly for a role that may not, and
    PostgreSQL's other errors as they are.
    """
    version = stored_version(connection, schema, url)
    if not version and not create:
        problem = f"it has no schema {schema} with jobs: see the URL, or let it be made"
        raise StoreAbsent(url=url, problem=problem)
    if version == VERSION or not steps:
        return
    try:
        with connection.transaction():
            connection.execute(f"{_PATIENT}; {_turn(schema)}".encode())
            version = stored_version(connection, schema, url)
            for sql in _taken(schema, version):
                connection.execute(sql.encode())
    except errors.InsufficientPrivilege as error:
        told = " ".join(str(error).split())
        problem = (
            f"{told}: this role may not take it to format {VERSION}: let one that may run what"
            f" `{command('migrate', '--sql')}` prints"
        )
        raise StoreReadOnly(url=url, problem=problem) from error


def _turn(schema: str) -> str:
    return f"SELECT pg_advisory_xact_lock(hashtextextended('{schema}', 0))"


def _taken(schema: str, version: int | None) -> Iterator[str]:
    """The statements of the steps from `version` on, each with the comment that tells of it."""
    if version is None:
        yield f"CREATE SCHEMA {schema}"
    for step in STEPS:
        if step.version > (version or 0):
            yield statement(schema, step.sql).decode().strip().removesuffix(";")
            yield f"COMMENT ON SCHEMA {schema} IS '{_MADE} {step.version}'"


def _script(schema: str, version: int | None) -> Iterator[str]:
    """The lines of the steps for any client: refused where it is not `version` by then."""
    yield "BEGIN;"
    yield f"{_PATIENT};"
    yield f"{_turn(schema)};"
    if version is not None:
        yield from (
            "DO $found$ BEGIN",
            f"    IF ({_NAMED}'{schema}')",
            f"        IS DISTINCT FROM '{_MADE} {version}' THEN",
            f"        RAISE EXCEPTION 'schema {schema} has not format {version}: print this anew';",
            "    END IF;",
            "END $found$;",
        )
    for sql in _taken(schema, version):
        yield from f"{sql};".splitlines()
    yield "COMMIT;"
