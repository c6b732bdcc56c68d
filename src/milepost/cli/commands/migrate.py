"""`milepost migrate`: the format of a store, and what would take it to the newest."""

from __future__ import annotations

import click

from milepost.cli.options import examples, with_store
from milepost.cli.session import session_of
from milepost.inspect import migrate as model
from milepost.stores.opening import server_format

__all__ = ["migrate"]


@click.command(
    "migrate",
    epilog=examples(
        "milepost migrate --db jobs.db --sql",
        "milepost migrate --db jobs.db --apply",
    ),
)
@click.option("--sql", is_flag=True, help="Show the statements that each step runs.")
@click.option("--new", is_flag=True, help="With --sql: make a schema; the server is not asked.")
@click.option("--apply", is_flag=True, help="Take the steps; without it nothing changes.")
@with_store
@click.pass_context
def migrate(context: click.Context, *, sql: bool, new: bool, apply: bool) -> None:
    """Show the format of a store, and take it to the newest with --apply.

    Any open for writing does the same; each step is a transaction of its own. Older versions of
    milepost cannot read the store afterwards.

    For a store on a server --sql prints a script, all of it one transaction, which any client runs:
    for a role that may make a schema where the one of the drivers may not.
    """
    session = session_of(context)
    if new and (apply or not sql):
        raise click.UsageError("--new goes with --sql alone", context)
    at_server = server_format(session.store, asked=not new) if sql and not apply else None
    if at_server is None and new:
        raise click.UsageError("--new is for a store on a server: name it by its URL", context)
    if at_server is not None:
        view = model.migrate(session.store_named, at_server, None, sql=True)
        session.answer(view, lambda: model.script_page(view))
        return
    with session.reading() as manager:
        before, url = manager.upkeep.store_format(), manager.url
    after = None
    if apply and before.pending:
        with session.writing() as manager:
            after = manager.upkeep.store_format()
    view = model.migrate(url, before, after, sql=sql)
    session.answer(view, lambda: model.migrate_page(view))
