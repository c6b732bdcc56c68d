"""What cannot be read: who hears of entries that are left out for it, and what is no damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias

from milepost.errors import CodecAbsent, MilepostError, StateError, StoreError, StoreUnreadable

__all__ = ["OnError", "ignore", "is_of_content", "refuse"]

OnError: TypeAlias = Callable[[StateError], None]
"""Gets the error of each entry that is left out, as `onerror` of `os.walk` does; or raises it."""


def is_of_content(error: MilepostError) -> bool:
    """True if it tells of what is stored; False if only that it cannot be looked at now.

    A connection that was lost, a lock that others hold, or a right that lacks is no damage.
    """
    return not isinstance(error, StoreError) or isinstance(error, StoreUnreadable | CodecAbsent)


def ignore(error: StateError) -> None:
    """Leave the entry out, and say nothing."""
    del error


def refuse(error: StateError) -> NoReturn:
    """Leave nothing out: raise the error."""
    raise error
