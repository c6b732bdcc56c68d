"""Who is told of what is left out of an answer because it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias

from milepost.errors import StateError

__all__ = ["OnError", "ignore", "refuse"]

OnError: TypeAlias = Callable[[StateError], None]
"""Is told of each thing that is left out, as `onerror` of `os.walk` is; or raises the error."""


def ignore(error: StateError) -> None:
    """Leave it out: whoever asks does not want to know of it."""
    del error


def refuse(error: StateError) -> NoReturn:
    """Leave nothing out: there is no answer, and the error says why."""
    raise error
