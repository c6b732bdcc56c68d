"""`milepost redo`: let items that are done be done again; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.commands.plan import keys_option
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.scoping import scope_for, with_items_scope
from milepost.cli.session import find_job, session_of
from milepost.inspect import redo as model

__all__ = ["redo"]


@click.command(
    "redo",
    epilog=examples(
        "milepost redo nightly --db jobs.db --item eu/3",
        "milepost redo nightly --db jobs.db --glob 'eu/*' --apply --reason 'the model was wrong'",
    ),
)
@job_argument
@with_items_scope
@click.option("--apply", is_flag=True, help="Let them wait again; without it nothing changes.")
@click.option("--reason", default="by hand", show_default=True, metavar="TEXT", help="Kept in it.")
@keys_option
@with_store
@click.pass_context
def redo(context: click.Context, *, job: str, apply: bool, reason: str, keys: int) -> None:
    """Let items that are done wait for an attempt again; the history keeps their results.

    Options that choose items add up; without any, all that are done. A job that is past them goes
    back to work on them. One that has ended is refused, with the commands that lead back. Without
    --apply nothing is changed. JOB is the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        job_id = find_job(manager, job)
        scope = scope_for(context, manager, job_id)
        view = model.redo(manager, job_id, scope=scope, reason=reason, keys=keys, apply=apply)
    session.answer(view, lambda: model.redo_page(view))
    if view.redone.count and not view.accepted:
        context.exit(1)
