"""`milepost lifecycles`: which lifecycles are found, and which a store has jobs of."""

from __future__ import annotations

import click

from milepost.cli.keys import STORE
from milepost.cli.options import examples, with_store
from milepost.cli.session import answer, discovery_of, session_of, tell_unreadable
from milepost.inspect import lifecycles as model

__all__ = ["lifecycles"]


@click.command(
    "lifecycles",
    epilog=examples(
        "milepost lifecycles",
        "milepost lifecycles --lifecycle shop.orders --db jobs.db --json",
    ),
)
@with_store
@click.pass_context
def lifecycles(context: click.Context) -> None:
    """List the lifecycles that are found, and where.

    Those that --lifecycle names, then those of the variable MILEPOST_LIFECYCLES, of the project's
    [tool.milepost], of installed packages and the built-in one; the first of a name is used. With
    a store: by which lifecycles its jobs run. Exit 2 where one of a package cannot be had.
    """
    discovery = discovery_of(context)
    if context.meta.get(STORE):
        with session_of(context).reading() as manager:
            view = model.lifecycles(discovery, manager)
    else:
        view = model.lifecycles(discovery)
    answer(context, view, lambda: model.lifecycles_page(view))
    tell_unreadable(
        context, [*(f"{one.named}: {one.problem}" for one in discovery.troubles), *view.unreadable]
    )
