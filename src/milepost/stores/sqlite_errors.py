"""SQLite's errors as ours: which of them says that a file is absent, locked, foreign or damaged."""

from __future__ import annotations

import apsw

from milepost.errors import (
    StoreError,
    StoreForeign,
    StoreLocked,
    StoreReadOnly,
    StoreUnreadable,
)

__all__ = ["translate"]


def translate(
    error: apsw.Error | UnicodeDecodeError, url: str, waited_s: float = 0.0
) -> StoreError:
    """What `error` means for the store at `url`; `waited_s` is how long a busy one was given."""
    match error:
        case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
            return StoreLocked(
                url=url, problem=f"others kept it busy for {waited_s:g} s: try again"
            )
        case apsw.NotADBError():
            problem = "it is not a SQLite database; it was left alone"
            return StoreForeign(url=url, problem=problem)
        case apsw.CorruptError() | UnicodeDecodeError():
            return StoreUnreadable(
                url=url,
                problem=f"SQLite finds it damaged: {error}; `milepost salvage` copies what can be"
                " read, or restore a backup",
            )
        case apsw.CantOpenError():
            return StoreUnreadable(url=url, problem=f"cannot be opened: {error}")
        case apsw.ReadOnlyError():
            return StoreReadOnly(url=url, problem=str(error))
        case _:
            return StoreError(url=url, problem=f"SQLite: {error}")
