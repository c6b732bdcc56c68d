"""`milepost retry`: take a job that failed up again; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import retry as model

__all__ = ["retry"]


@click.command(
    "retry",
    epilog=examples(
        "milepost retry nightly --db jobs.db",
        "milepost retry nightly --apply --db jobs.db",
    ),
)
@job_argument
@click.option("--apply", is_flag=True, help="Do it; without it nothing changes.")
@with_store
@click.pass_context
def retry(context: click.Context, *, job: str, apply: bool) -> None:
    """Take a job that failed up again, in the phase that failed.

    A run does so by itself. Its dead items stay dead: `milepost requeue` gives them their attempts
    again. Without --apply nothing is changed. JOB is the job's id, or a beginning of it that no
    other job has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        view = model.retry(manager, find_job(manager, job), apply=apply)
    session.answer(view, lambda: model.retry_page(view))
    if not view.accepted:
        context.exit(1)
