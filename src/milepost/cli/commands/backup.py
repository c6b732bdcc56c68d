"""`milepost backup`: a copy of a store, as of one moment."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.options import examples, with_store
from milepost.cli.session import session_of, tell_unreadable
from milepost.errors import StateError
from milepost.inspect import backup as model

__all__ = ["backup"]


@click.command(
    "backup",
    epilog=examples(
        "milepost backup nightly.db --db jobs.db", "milepost backup nightly.db --db jobs.db --json"
    ),
)
@click.argument("copy", type=click.Path(path_type=Path))
@with_store
@click.pass_context
def backup(context: click.Context, *, copy: Path) -> None:
    """Write a copy of the store, as of this moment, to the new file COPY.

    Executors go on meanwhile. The copy is durable when this ends, and is opened like any store.
    """
    session = session_of(context)
    unreadable: list[StateError] = []
    with session.reading() as manager:
        view = model.backup(manager, copy, on_error=unreadable.append)
    session.answer(view, lambda: model.backup_page(view))
    tell_unreadable(context, map(str, unreadable))
