"""`milepost cancel`: stop a job for good; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import cancel as model

__all__ = ["cancel"]


@click.command(
    "cancel",
    epilog=examples(
        "milepost cancel nightly --db jobs.db",
        "milepost cancel nightly --apply --reason 'the inputs were wrong' --db jobs.db",
    ),
)
@job_argument
@click.option("--apply", is_flag=True, help="Do it; without it nothing changes.")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the history.")
@with_store
@click.pass_context
def cancel(context: click.Context, *, job: str, apply: bool, reason: str) -> None:
    """Stop a job for good; what is done stays done.

    Items that are left are left out, and nothing takes it up again but `milepost rewind`. Without
    --apply nothing is changed. JOB is the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        view = model.cancel(manager, find_job(manager, job), reason=reason, apply=apply)
    session.answer(view, lambda: model.cancel_page(view))
    if not view.accepted:
        context.exit(1)
