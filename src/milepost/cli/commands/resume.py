"""`milepost resume`: let a job that was paused go on; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import resume as model

__all__ = ["resume"]


@click.command(
    "resume",
    epilog=examples(
        "milepost resume nightly --db jobs.db",
        "milepost resume nightly --apply --db jobs.db",
    ),
)
@job_argument
@click.option("--apply", is_flag=True, help="Do it; without it nothing changes.")
@with_store
@click.pass_context
def resume(context: click.Context, *, job: str, apply: bool) -> None:
    """Let a job that was paused go on in the phase that it was in.

    A run does so by itself. Of a job that failed, `milepost retry` does it. Without --apply nothing
    is changed. JOB is the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        view = model.resume(manager, find_job(manager, job), apply=apply)
    session.answer(view, lambda: model.resume_page(view))
    if not view.accepted:
        context.exit(1)
