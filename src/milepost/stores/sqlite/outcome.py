"""The outcome of a COMMIT that failed: nothing of it was written, or nobody can say.

SQLite writes the frames of a commit behind the end of the log, the one that ends it last; it then
flushes them and notes them in the index that all processes share. No room for a frame: the last
one is not there, and no recovery will take the others for a commit. A failure after that leaves
frames that are whole but not noted: nobody sees them now, and whoever recovers the log after a
crash would. Source: `sqlite3WalFrames` in SQLite's wal.c.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import apsw

from milepost.errors import CommitUnknown, StoreError
from milepost.stores.sqlite.errors import is_full, translate

__all__ = ["outcome", "roll_back"]


def roll_back(connection: apsw.Connection) -> None:
    """End the transaction, if there is one, and nothing of it took place."""
    with suppress(apsw.Error):  # SQLite may have rolled back by itself
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def outcome(
    connection: apsw.Connection, failure: apsw.Error, url: str, begins: Callable[[], bool]
) -> StoreError:
    """StoreFull where nothing was written for want of room, else CommitUnknown.

    `begins` begins to write on `connection` within the turn; False if it did not.
    Its transaction is rolled back when this returns. What was not committed will never be, unless
    the error says that it may appear: whoever reads the log now can tell for good.
    """
    system_errno = connection.system_errno
    full = is_full(failure, system_errno)
    roll_back(connection)
    settled = _lacks_its_last_frame(failure) or _overwritten(connection, begins)
    if full and settled:
        return translate(failure, url, system_errno=system_errno)
    problem = (
        f"the outcome of a commit is unknown: {failure or type(failure).__name__}: read the job"
        " before you try again"
    )
    return CommitUnknown(url=url, problem=problem, may_appear=not settled)


def _lacks_its_last_frame(failure: apsw.Error) -> bool:
    """True if it was a frame that could not be written, and not what follows all of them."""
    if isinstance(failure, apsw.FullError):
        return True
    extended: int = getattr(failure, "extendedresult", 0)
    return extended == apsw.SQLITE_IOERR_WRITE


def _overwritten(connection: apsw.Connection, begins: Callable[[], bool]) -> bool:
    """True once frames that are whole and not noted have lost their first: it is written over.

    By a commit that changes nothing, of one frame: it needs less room in the index than they did.
    """
    try:
        if not begins():
            return False
        for (version,) in connection.execute("PRAGMA user_version"):
            connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except apsw.Error:
        roll_back(connection)
        return False
    return True
