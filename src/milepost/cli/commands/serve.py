"""`milepost serve`: the read-only web page of a store."""

from __future__ import annotations

from typing import Final

import click

from milepost.cli.options import examples, with_store
from milepost.cli.session import session_of
from milepost.extras import needing
from milepost.inspect import serve as model
from milepost.text.commands import reaching

__all__ = ["serve"]

_LEAST_TOKEN: Final = 16


@click.command(
    "serve",
    epilog=examples(
        "milepost serve --db jobs.db",
        "milepost serve --db jobs.db --port 9000 --show-payloads",
    ),
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen at; one that others reach needs a token.",
)
@click.option(
    "--port",
    type=click.IntRange(min=0, max=65535),
    default=8423,
    show_default=True,
    help="The port to listen at; 0 for any that is free.",
)
@click.option(
    "--token",
    envvar="MILEPOST_TOKEN",
    help="What people give as the password, of any name; better in MILEPOST_TOKEN.",
)
@click.option(
    "--show-payloads",
    is_flag=True,
    help="Show what came with events, and variables; else only their names.",
)
@with_store
@click.pass_context
def serve(
    context: click.Context, *, host: str, port: int, token: str | None, show_payloads: bool
) -> None:
    """Serve pages about the jobs of a store, for a browser; they change nothing.

    Until Ctrl-C. The address is written first. The pages are those of the other commands, each with
    its JSON: jobs, one job, its items, failures, plan, history and changes.
    """
    with needing("web", "`milepost serve`"):
        from milepost.web.guard import is_loopback  # noqa: PLC0415 with the extra
        from milepost.web.serving import listening, run  # noqa: PLC0415 with the extra
    if token is not None and len(token) < _LEAST_TOKEN:
        raise click.UsageError(f"a token has at least {_LEAST_TOKEN} characters", context)
    if not is_loopback(host) and token is None:
        raise click.UsageError(
            f"others reach {host}: give a token in the variable MILEPOST_TOKEN", context
        )
    session = session_of(context)
    with session.reading() as manager, listening(host, port) as (place, url):
        view = model.serve(url, token_needed=token is not None, payloads_shown=show_payloads)
        session.answer(view, lambda: model.serve_page(view))
        with reaching():  # the pages are for people elsewhere: they say no path of this machine
            run(manager, place, host=host, token=token, payloads=show_payloads, clock=session.clock)
