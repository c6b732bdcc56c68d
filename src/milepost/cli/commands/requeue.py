"""`milepost requeue`: give dead letters all their attempts again; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.commands.plan import keys_option
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.scoping import scope_for, with_items_scope
from milepost.cli.session import find_job, session_of
from milepost.inspect import requeue as model

__all__ = ["requeue"]


@click.command(
    "requeue",
    epilog=examples(
        "milepost requeue nightly --db jobs.db --cause timeout",
        "milepost requeue nightly --db jobs.db --glob 'eu/*' --apply",
    ),
)
@job_argument
@with_items_scope
@click.option("--apply", is_flag=True, help="Requeue them; without it nothing changes.")
@keys_option
@with_store
@click.pass_context
def requeue(context: click.Context, *, job: str, apply: bool, keys: int) -> None:
    """Take dead letters out of the queue, to be tried again with all attempts.

    Options that choose items add up; without any, all of them. An executor that works on the job
    goes on. Without --apply nothing is changed. JOB is the job's id, or a beginning of it that no
    other job has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        job_id = find_job(manager, job)
        scope = scope_for(context, manager, job_id)
        view = model.requeue(manager, job_id, scope=scope, keys=keys, apply=apply)
    session.answer(view, lambda: model.requeue_page(view))
    if view.requeued.count and not view.accepted:
        context.exit(1)
