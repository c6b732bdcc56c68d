"""Who hears of entries that are left out of an answer because they cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias

from milepost.errors import StateError

__all__ = ["OnError", "ignore", "refuse"]

OnError: TypeAlias = Callable[[StateError], None]
"""Gets the error of each entry that is left out, as `onerror` of `os.walk` does; or raises it."""


def ignore(error: StateError) -> None:
    """Leave the entry out, and say nothing."""
    del error


def refuse(error: StateError) -> NoReturn:
    """Leave nothing out: raise the error."""
    raise error
