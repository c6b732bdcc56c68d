"""`milepost history`: what happened to a job, event by event."""

from __future__ import annotations

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.limits import limit_option
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.session import find_job, session_of
from milepost.inspect import history as model

__all__ = ["history"]


@click.command(
    "history",
    epilog=examples(
        "milepost history nightly --db jobs.db",
        "milepost history nightly --db jobs.db --after 12 --limit 0 --json",
    ),
)
@job_argument
@click.option(
    "--after",
    type=click.IntRange(min=0, max=MAX_COUNT),
    default=0,
    metavar="SEQ",
    help="Only what came after this commit.",
)
@click.option(
    "--upto",
    type=click.IntRange(min=1, max=MAX_COUNT),
    metavar="SEQ",
    help="Only what came up to this commit.",
)
@limit_option("events, the newest")
@with_store
@click.pass_context
def history(
    context: click.Context, *, job: str, after: int, upto: int | None, limit: int | None
) -> None:
    """Show what happened to a job, oldest first.

    JOB is the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        view = model.history(manager, job_id, after=after, upto=upto, limit=limit)
    session.answer(view, lambda: model.history_page(view))
    if view.cut:
        note(f"the newest {len(view.events)} events of them; --limit 0 shows all")
    elif not view.events:
        note(f"no commit there: the job is at seq {view.seq}")
