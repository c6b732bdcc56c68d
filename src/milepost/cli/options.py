"""The options that commands share, and the form of their help."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, Final, TypeVar

import click

from milepost.cli.keys import AS_JSON, DEBUG, LIFECYCLES, STORE, UNPAGED, UTC

__all__ = [
    "debug_option",
    "examples",
    "lifecycle_option",
    "store_option",
    "with_store",
    "with_ways",
]

_F = TypeVar("_F", bound=Callable[..., Any])  # Any: what click decorates has any parameters


def _remember(key: str) -> Callable[[click.Context, click.Parameter, object], None]:
    """A callback that keeps an option where `session_of` finds it, for a group and its commands."""

    def callback(context: click.Context, _: click.Parameter, value: object) -> None:
        if value:
            context.meta[key] = value

    return callback


def store_option(*, envvar: str | None = None) -> Callable[[_F], _F]:
    """`--db`: the store. A group also takes it from the environment variable `envvar`."""
    return click.option(
        "--db",
        metavar="STORE",
        envvar=envvar,
        expose_value=False,
        callback=_remember(STORE),
        help="Path or URL of the store (sqlite:///jobs.db); else MILEPOST_DB.",
    )


def lifecycle_option() -> Callable[[_F], _F]:
    """`--lifecycle`: where a lifecycle is; more than once for several."""

    def callback(context: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
        context.meta[LIFECYCLES] = (*context.meta.get(LIFECYCLES, ()), *value)

    return click.option(
        "--lifecycle",
        "modules",
        metavar="MODULE[:NAME]",
        multiple=True,
        expose_value=False,
        callback=callback,
        help="A lifecycle that jobs run by: its module, or FILE.py; else MILEPOST_LIFECYCLES.",
    )


def debug_option(*, envvar: str | None = None) -> Callable[[_F], _F]:
    """`--debug`: tracebacks. A group also takes it from the environment variable `envvar`."""
    return click.option(
        "--debug",
        is_flag=True,
        envvar=envvar,
        expose_value=False,
        callback=_remember(DEBUG),
        help="Show tracebacks; else MILEPOST_DEBUG=1.",
    )


_WAYS: Final = (
    click.option(
        "--no-pager",
        is_flag=True,
        expose_value=False,
        callback=_remember(UNPAGED),
        help="Never through a pager, however long the answer is on a terminal.",
    ),
    click.option(
        "--utc",
        is_flag=True,
        expose_value=False,
        callback=_remember(UTC),
        help="Times in UTC on a terminal too.",
    ),
)


def with_ways(function: _F) -> _F:
    """The options that say how a page is shown on a terminal: `--utc`, `--no-pager`."""
    return reduce(lambda decorated, option: option(decorated), _WAYS, function)


def with_store(function: _F) -> _F:
    """The options of every command that reads a store: which one, and how it answers."""
    as_json = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_remember(AS_JSON),
        help="Answer in JSON, with the name of its schema.",
    )
    options = (debug_option(), with_ways, as_json, lifecycle_option(), store_option())
    return reduce(lambda decorated, option: option(decorated), options, function)


def examples(*lines: str) -> str:
    """The end of a command's help, kept as it is written."""
    listed = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExamples:\n{listed}"
