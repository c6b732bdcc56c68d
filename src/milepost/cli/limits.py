"""How much of a long answer is shown, and how long the pause between two looks may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from milepost.arguments import MAX_COUNT

__all__ = ["interval_option", "limit_option"]

_F = TypeVar("_F", bound=Callable[..., Any])  # Any: what click decorates has any parameters

_LEAST_S: Final = 0.1
_MOST_S: Final = 3_600.0

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


def interval_option(help_text: str) -> Callable[[_F], _F]:
    """`--interval`: the seconds between two looks at a job."""
    return click.option(
        "--interval",
        type=_Seconds(min=_LEAST_S, max=_MOST_S),
        default=1.0,
        show_default=True,
        metavar="SECONDS",
        help=help_text,
    )


class _Seconds(click.FloatRange):
    """As its base, which takes what is no number for one in every range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value} is no number", param, ctx)
        return found
