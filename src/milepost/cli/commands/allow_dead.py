"""`milepost allow-dead`: let a job complete with more dead items; only with --apply."""

from __future__ import annotations

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import allow_dead as model

__all__ = ["allow_dead"]


@click.command(
    "allow-dead",
    epilog=examples(
        "milepost allow-dead nightly 1 --db jobs.db",
        "milepost allow-dead nightly 1 --db jobs.db --apply --reason 'one page is gone'",
    ),
)
@job_argument
@click.argument("more", metavar="N", type=click.IntRange(min=1, max=MAX_COUNT))
@click.option("--apply", is_flag=True, help="Allow them; without it nothing changes.")
@click.option("--reason", default="by hand", show_default=True, metavar="TEXT", help="Kept in it.")
@with_store
@click.pass_context
def allow_dead(context: click.Context, *, job: str, more: int, apply: bool, reason: str) -> None:
    """Let a job complete with N dead items more than before, as a recorded fact.

    A job that failed because too many were dead is then taken up by recover, or by the next run.
    Without --apply nothing is changed. JOB is the job's id, or a beginning of it that no other job
    has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        job_id = find_job(manager, job)
        view = model.allow_dead(manager, job_id, more, reason=reason, apply=apply)
    session.answer(view, lambda: model.allow_dead_page(view))
    if not view.accepted:
        context.exit(1)
