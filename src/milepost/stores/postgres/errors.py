"""PostgreSQL's errors as ours: not there, kept busy, no room, refused."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from milepost.errors import (
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnreadable,
    ValueInvalid,
)

__all__ = ["MOVED", "OVERTAKEN", "is_full", "lost", "translate", "unreached"]

MOVED: Final = "MP001"
"""The SQLSTATE that the function `append` raises where a log is not as the writer believed."""

OVERTAKEN: Final = "40001"
"""serialization_failure: the same, where the role's transactions are above READ COMMITTED."""

_NO_ROOM: Final = ("53100", "53400")  # disk_full, configuration_limit_exceeded
_DAMAGED: Final = ("XX001", "XX002", "58030", "58P01")
"""data_corrupted, index_corrupted; io_error and undefined_file: the server cannot read its own."""
_READ_ONLY: Final = "25006"
_ENDED: Final = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.IdleInTransactionSessionTimeout,
)

_FULL: Final = (
    "too many clients already",
    "too many connections",
    "remaining connection slots are reserved",
    "no more connections allowed",  # PgBouncer
)
"""What is said where a connection is refused because there are too many: libpq keeps no state."""

_LAST_WORDS: Final = ("FATAL", "PANIC")
"""Of a server or a pooler that closes the connection. They may be said in another language: then
the state tells, of a pooler a connection_exception, 08."""


def lost(error: BaseException) -> bool:
    """True if the connection or the server went away, so that nobody said how a statement ended."""
    if not isinstance(error, psycopg.Error):
        return False
    if isinstance(error, _ENDED) or error.diag.severity in _LAST_WORDS:
        return True
    state = error.sqlstate
    return state.startswith("08") if state else isinstance(error, psycopg.OperationalError)


def is_full(error: psycopg.Error) -> bool:
    """True if the server, or a pooler, is there and has no connection free."""
    return any(words in str(error) for words in _FULL)


def unreached(error: psycopg.Error, url: str) -> StoreError | None:
    """What to raise for `error` where no connection came about; None where one did."""
    if error.sqlstate is not None:
        return None
    told = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, psycopg.ProgrammingError):
        problem = f"libpq does not take this address ({told}): see the parameters behind its ?"
    elif is_full(error):
        problem = (
            f"the server has no connection free ({told}): use fewer processes, with fewer"
            " threads each, put a pooler before it, or raise its max_connections"
        )
    else:
        problem = f"cannot be reached ({told}): see the URL, and whether the server runs"
    return StoreError(url=url, problem=problem)


def translate(error: psycopg.Error, url: str, waited_s: float = 0.0) -> StoreError | ValueInvalid:
    """The error of ours for `error`, for the store at `url`.

    `waited_s` is how long what was locked was waited for. The server's own words are kept: they
    name no secret, since it is never told a password in a statement.
    """
    told = " ".join(str(error).split()) or type(error).__name__
    state = error.sqlstate or ""
    if isinstance(error, PoolTimeout):
        problem = (
            f"all connections of this process were in use for {waited_s:g} s: try again, with fewer"
            " threads at a time"
        )
        return StoreLocked(url=url, problem=problem)
    if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
        return StoreLocked(url=url, problem=f"others kept it busy for {waited_s:g} s: try again")
    if isinstance(error, errors.ProgramLimitExceeded):
        return ValueInvalid(what="what was to be stored", path="$", problem=told)
    if state in _NO_ROOM:
        problem = (
            f"there is no room left for it ({told}): nothing of it was written, and what was there"
            " stays; free some space on the server's disk and try again"
        )
        return StoreFull(url=url, problem=problem)
    if state == _READ_ONLY:
        problem = f"{told}: it is a standby, or set to read only; name the primary to write"
        return StoreReadOnly(url=url, problem=problem)
    if isinstance(error, errors.InsufficientPrivilege):
        problem = f"{told}: use a role that may write"
        return StoreReadOnly(url=url, problem=problem)
    if state in _DAMAGED:
        todo = "restore a backup of the server, and see to its disk"
        return StoreUnreadable(url=url, problem=f"PostgreSQL finds it damaged: {told}", todo=todo)
    if lost(error):
        return StoreError(
            url=url,
            problem=f"the connection was lost ({told}): nothing of it was written; try again",
        )
    return StoreError(
        url=url, problem=f"PostgreSQL: {told}: try again; if it stays, see the server's log"
    )
