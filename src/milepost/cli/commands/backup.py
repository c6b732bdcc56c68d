"""`milepost backup`: a copy of a store, as of one moment."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.options import examples, with_store
from milepost.cli.session import session_of, tell_unreadable
from milepost.errors import StateError
from milepost.inspect.upkeep import backup_page
from milepost.inspect.views import BackupView
from milepost.state.manager import StateManager

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
    with session.reading() as manager:
        size_bytes = manager.back_up(copy)
        store = manager.url
    with StateManager.open(copy, create=False, read_only=True) as copied:
        unreadable: list[StateError] = []
        jobs = len(copied.job_ids(on_error=unreadable.append))
    view = BackupView(store=store, copy=str(copy), size_bytes=size_bytes, jobs=jobs)
    session.answer(view, lambda: backup_page(view))
    tell_unreadable(context, map(str, unreadable))
