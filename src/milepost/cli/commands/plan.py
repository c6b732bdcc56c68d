"""`milepost plan`: what is left to do of a job, and what taking it up again would do."""

from __future__ import annotations

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.scoping import scope_for, with_scope
from milepost.cli.session import find_job, session_of
from milepost.inspect import plan as model

__all__ = ["keys_option", "plan"]

keys_option = click.option(
    "--keys",
    type=click.IntRange(min=0, max=MAX_COUNT),
    default=5,
    show_default=True,
    help="How many item keys of each part to name.",
)


@click.command(
    "plan",
    epilog=examples(
        "milepost plan nightly --exit-code --db jobs.db",
        "milepost plan nightly --db jobs.db --failed --glob 'eu/*' --cause timeout --json",
    ),
)
@job_argument
@with_scope
@keys_option
@click.option("--exit-code", is_flag=True, help="Exit code 1 if there is work left, else 0.")
@with_store
@click.pass_context
def plan(context: click.Context, *, job: str, keys: int, exit_code: bool) -> None:
    """Show what is left to do of a job, and why. Nothing is changed.

    Options that choose items add up: an item is in scope if all of them say so. JOB is the job's
    id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        scope = scope_for(context, manager, job_id)
        view = model.plan(manager, job_id, scope=scope, keys=keys)
    session.answer(view, lambda: model.plan_page(view))
    if exit_code and view.work_left:
        context.exit(1)
