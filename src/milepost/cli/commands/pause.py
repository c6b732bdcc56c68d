"""`milepost pause`: stop a job for a while; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import pause as model

__all__ = ["pause"]


@click.command(
    "pause",
    epilog=examples(
        "milepost pause nightly --db jobs.db",
        "milepost pause nightly --apply --db jobs.db",
    ),
)
@job_argument
@click.option("--apply", is_flag=True, help="Do it; without it nothing changes.")
@with_store
@click.pass_context
def pause(context: click.Context, *, job: str, apply: bool) -> None:
    """Stop a job for a while; what is running may still end.

    Its executor begins no other item, and the next run, or `milepost resume`, takes it up again.
    Without --apply nothing is changed. JOB is the job's id, or a beginning of it that no other
    job has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        view = model.pause(manager, find_job(manager, job), apply=apply)
    session.answer(view, lambda: model.pause_page(view))
    if not view.accepted:
        context.exit(1)
