"""`milepost migrate`: the format of a store, and what would take it to the newest."""

from __future__ import annotations

import click

from milepost.cli.options import examples, with_store
from milepost.cli.session import session_of
from milepost.inspect.upkeep import migrate_page
from milepost.inspect.views import MigrateView, MigrationStep

__all__ = ["migrate"]


@click.command(
    "migrate",
    epilog=examples(
        "milepost migrate --db jobs.db --sql",
        "milepost migrate --db jobs.db --apply",
    ),
)
@click.option("--sql", is_flag=True, help="Show the statements that each step runs.")
@click.option("--apply", is_flag=True, help="Take the steps; without it nothing changes.")
@with_store
@click.pass_context
def migrate(context: click.Context, *, sql: bool, apply: bool) -> None:
    """Show the format of a store, and take it to the newest with --apply.

    Any open for writing does the same; each step is a transaction of its own. Older versions of
    milepost cannot read the store afterwards.
    """
    session = session_of(context)
    with session.reading() as manager:
        found, url = manager.store_format(), manager.url
    taken = apply and bool(found.pending)
    now = found
    if taken:
        with session.writing() as manager:
            now = manager.store_format()
    view = MigrateView(
        store=url,
        format=now.version,
        newest=now.newest,
        applied=taken,
        steps=tuple(
            MigrationStep(
                version=step.version, title=step.title, sql=step.statements if sql else None
            )
            for step in found.pending
        ),
    )
    session.answer(view, lambda: migrate_page(view))
