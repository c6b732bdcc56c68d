"""`milepost sizes`: where the bytes of a job are."""

from __future__ import annotations

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import sizes as model
from milepost.state.limits import LARGEST

__all__ = ["sizes"]


@click.command(
    "sizes",
    epilog=examples(
        "milepost sizes nightly --db jobs.db",
        "milepost sizes nightly --db jobs.db --largest 20 --json",
    ),
)
@job_argument
@click.option(
    "--largest",
    type=click.IntRange(min=0, max=MAX_COUNT),
    default=LARGEST,
    show_default=True,
    help="How many of the largest values to name.",
)
@with_store
@click.pass_context
def sizes(context: click.Context, *, job: str, largest: int) -> None:
    """Show where the bytes of a job are, and its largest values.

    Inputs, facts, payloads and checkpoints as they are stored; values as JSON. Every value of the
    job is read. JOB is the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        view = model.sizes(manager, job_id, largest=largest)
    session.answer(view, lambda: model.sizes_page(view))
