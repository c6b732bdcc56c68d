"""`milepost migrate`: the format of a store, and what would take it to the newest."""

from __future__ import annotations

import click

from milepost.cli.options import examples, with_store
from milepost.cli.session import session_of
from milepost.inspect import migrate as model

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
        before, url = manager.upkeep.store_format(), manager.url
    after = None
    if apply and before.pending:
        with session.writing() as manager:
            after = manager.upkeep.store_format()
    view = model.migrate(url, before, after, sql=sql)
    session.answer(view, lambda: model.migrate_page(view))
