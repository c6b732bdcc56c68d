"""`milepost checkpoint`: take a checkpoint of a job, or list those it has."""

from __future__ import annotations

import click

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.session import find_job, session_of
from milepost.inspect import checkpoint as model

__all__ = ["checkpoint"]


@click.command(
    "checkpoint",
    epilog=examples(
        "milepost checkpoint nightly --db jobs.db --reason 'before the upgrade'",
        "milepost checkpoint nightly --db jobs.db --list",
    ),
)
@job_argument
@click.option("--list", "only_list", is_flag=True, help="Take none; list those there are.")
@click.option(
    "--reason", default="by hand", show_default=True, metavar="TEXT", help="Kept with it."
)
@with_store
@click.pass_context
def checkpoint(context: click.Context, *, job: str, only_list: bool, reason: str) -> None:
    """Take a checkpoint of a job, or list those it has.

    Of its newest state; then its checkpoints are listed, newest first. JOB is the job's id, or a
    beginning of it that no other job has.
    """
    session = session_of(context)
    taken: int | None = None
    with session.reading() if only_list else session.writing() as manager:
        job_id = find_job(manager, job)
        if not only_list:
            taken = manager.create_checkpoint(job_id, reason=reason).seq
        view = model.checkpoint(manager, job_id, taken=taken)
    session.answer(view, lambda: model.checkpoint_page(view))
    if taken is not None:
        note(f"checkpoint of {job_id} taken at seq {taken}")
    elif not view.checkpoints:
        note(f"{job_id} has no checkpoints")
