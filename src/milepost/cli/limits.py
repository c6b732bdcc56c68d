"""How much of a long answer is shown, and how long the pause between two looks may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from milepost.arguments import MAX_COUNT

__all__ = ["LEAST_S", "MOST_S", "limit_option"]

_F = TypeVar("_F", bound=Callable[..., Any])  # Any: what click decorates has any parameters

LEAST_S: Final = 0.1
MOST_S: Final = 3_600.0
"""The seconds between two looks at a job that may be asked for."""

_LIMIT: Final = 50


def limit_option(what: str) -> Callable[[_F], _F]:
    """`--limit`: how many `what` at most; None for no limit."""
    return click.option(
        "--limit",
        type=click.IntRange(min=0, max=MAX_COUNT),
        default=_LIMIT,
        show_default=True,
        callback=lambda _context, _option, value: value or None,
        help=f"At most so many {what}; 0 for all.",
    )
