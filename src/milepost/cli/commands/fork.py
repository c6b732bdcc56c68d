"""`milepost fork`: a new job that goes on from a past moment of another; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.moments import seq_of
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import fork as model

__all__ = ["fork"]


@click.command(
    "fork",
    context_settings={"ignore_unknown_options": True},  # -1 is a moment
    epilog=examples(
        "milepost fork nightly -1 nightly-again --db jobs.db",
        "milepost fork nightly 4 nightly-again --db jobs.db --apply --reason 'another model'",
    ),
)
@job_argument
@click.argument("moment", metavar="SEQ")
@click.argument("new", metavar="NEW_ID")
@click.option("--apply", is_flag=True, help="Make the job; without it nothing changes.")
@click.option("--reason", default="by hand", show_default=True, metavar="TEXT", help="Kept in it.")
@with_store
@click.pass_context
def fork(
    context: click.Context, *, job: str, moment: str, new: str, apply: bool, reason: str
) -> None:
    """Make a new job that stands as another stood at a commit.

    It has the items, the history and the results up to there as its own, and nobody holds it. The
    other job is not changed. SEQ is a commit's number, -N for N commits before the newest, or a
    time in ISO 8601. JOB is the job's id, or a beginning of it that no other job has; NEW_ID is
    all of the new one's.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        job_id = find_job(manager, job)
        seq = seq_of(manager, job_id, moment)
        view = model.fork(manager, job_id, seq, new, reason=reason, apply=apply)
    session.answer(view, lambda: model.fork_page(view))
