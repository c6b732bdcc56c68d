"""Taking a SQLite file from the format that it has to the newest, and reading it as it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import apsw

from milepost.errors import StoreNewer
from milepost.log.rows import FormatStep, StoreFormat
from milepost.stores.sqlite.schema import STEPS, VERSION, Step

__all__ = ["APPLICATION_ID", "format_of", "migrate", "stand_in", "stored_version"]

APPLICATION_ID = 0x4D504F53
"""What tells our files from those of other programs (PRAGMA application_id): "MPOS"."""


def stored_version(connection: apsw.Connection, url: str, *, newest: int = VERSION) -> int:
    """The format of the file, 0 for one that is new. Raises StoreNewer beyond `newest`."""
    version = 0
    for row in connection.execute("PRAGMA user_version"):
        version = row[0]
    if version > newest:
        raise StoreNewer(
            url=url,
            problem=f"its format is {version} and this version reads up to {newest}:"
            " install a newer milepost",
        )
    return version


def format_of(connection: apsw.Connection, url: str) -> StoreFormat:
    """The file's format, and the steps that lead from it to the newest."""
    version = stored_version(connection, url)
    pending = tuple(FormatStep(step.version, step.title, step.sql) for step in STEPS[version:])
    return StoreFormat(version=version, newest=VERSION, pending=pending)


def migrate(connection: apsw.Connection, url: str, steps: Sequence[Step] = STEPS) -> None:
    """Take the file to the newest of `steps`, one transaction a step.

    Others may do so at once: each step is looked for again under the write lock, so that it is
    taken once; a step that fails leaves the file at the format before it. Raises StoreNewer.
    """
    newest = steps[-1].version
    while stored_version(connection, url, newest=newest) < newest:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = stored_version(connection, url, newest=newest)
            for step in steps[version:][:1]:  # none: others took it while we waited
                connection.execute(step.sql)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {step.version}")
            connection.execute("COMMIT")
        except BaseException:
            with suppress(apsw.Error):  # SQLite may have rolled back by itself
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise


def stand_in(connection: apsw.Connection, url: str) -> None:
    """Within a read transaction: let an older file be read as it is.

    What it lacks is there, empty, beside it, and is gone when the transaction is rolled back: the
    next one may find the file taken further. Costs one pragma for a file of the newest format.
    """
    version = stored_version(connection, url)
    if version < VERSION:
        connection.execute("PRAGMA query_only = OFF")
        for step in STEPS[version:]:
            connection.execute(step.absent)
        connection.execute("PRAGMA query_only = ON")
