"""`milepost show`: one job on one screen."""

from __future__ import annotations

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import show as model

__all__ = ["show"]


@click.command(
    "show",
    epilog=examples(
        "milepost show nightly --db jobs.db",
        "milepost show nightly --db jobs.db --json",
    ),
)
@job_argument
@click.option(
    "--failures",
    type=click.IntRange(min=0, max=MAX_COUNT),
    default=5,
    show_default=True,
    help="How many of the newest failed attempts to show.",
)
@with_store
@click.pass_context
def show(context: click.Context, *, job: str, failures: int) -> None:
    """Show one job: where it is and what it would take now.

    Since when, how far, who holds it, its newest checkpoint and failures. Events that it would
    refuse come with the guards that say no and the values that they read. JOB is the job's id, or a
    beginning of it that no other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        view = model.show(manager, job_id, now=session.now(), failures=failures)
    session.answer(view, lambda: model.show_page(view))
