"""The options that commands share, and the form of their help."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, Final, TypeVar

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.naming import complete_jobs
from milepost.cli.session import AS_JSON, DEBUG, LIFECYCLES, STORE

__all__ = [
    "debug_option",
    "examples",
    "job_argument",
    "lifecycle_option",
    "limit_option",
    "store_option",
    "with_store",
]

_F = TypeVar("_F", bound=Callable[..., Any])  # Any: what click decorates has any parameters

_LIMIT: Final = 50


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


def with_store(function: _F) -> _F:
    """The options of every command that reads a store: `--db`, `--json`, `--debug`."""
    as_json = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_remember(AS_JSON),
        help="Answer in JSON, with the name of its schema.",
    )
    options = (debug_option(), as_json, lifecycle_option(), store_option())
    return reduce(lambda decorated, option: option(decorated), options, function)


job_argument = click.argument("job", metavar="JOB", shell_complete=complete_jobs)
"""The job: its id, or a beginning of it that no other job has."""


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


def examples(*lines: str) -> str:
    """The end of a command's help, kept as it is written."""
    listed = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExamples:\n{listed}"
