"""`milepost salvage`: copy what can be had of a damaged store into a new one."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.keys import AS_JSON, STORE
from milepost.cli.options import debug_option, examples, lifecycle_option, with_ways
from milepost.cli.session import session_of
from milepost.inspect import salvage as model

__all__ = ["salvage"]

_NOT_WHOLE = 1


@click.command(
    "salvage",
    epilog=examples(
        "milepost salvage jobs.db whole.db",
        "milepost salvage jobs.db whole.db --json",
    ),
)
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, with its schema.")
@lifecycle_option()
@with_ways
@debug_option()
@click.pass_context
def salvage(context: click.Context, *, old: Path, new: Path, as_json: bool) -> None:
    """Copy what can be had of a damaged store into a new one; exit 1 if that is not all.

    OLD is only read. Every job that verifies is copied as it is; of the others, what can be read,
    repaired as `verify --repair` does. What was lost is listed.
    """
    context.meta[STORE] = str(old)
    context.meta[AS_JSON] = as_json
    session = session_of(context)
    view = model.salvage(old, new, discovery=session.discovery, clock=session.clock)
    session.answer(view, lambda: model.salvage_page(view))
    context.exit(0 if view.whole else _NOT_WHOLE)
