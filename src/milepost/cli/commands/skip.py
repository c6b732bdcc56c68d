"""`milepost skip`: leave items out of a job; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.commands.plan import keys_option
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.scoping import scope_for, with_items_scope
from milepost.cli.session import find_job, session_of
from milepost.inspect import skip as model
from milepost.state.recovering.scope import Scope

__all__ = ["skip"]


@click.command(
    "skip",
    epilog=examples(
        "milepost skip nightly --db jobs.db --item eu/2",
        "milepost skip nightly --db jobs.db --glob 'eu/*' --apply",
    ),
)
@job_argument
@with_items_scope
@click.option("--apply", is_flag=True, help="Leave them out; without it nothing changes.")
@keys_option
@with_store
@click.pass_context
def skip(context: click.Context, *, job: str, apply: bool, keys: int) -> None:
    """Leave items out of a job: it ends without them.

    Options that choose items add up, and one at least has to be given. What is done stays done. An
    executor that has one of them is refused its result. Without --apply nothing is changed. JOB is
    the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        job_id = find_job(manager, job)
        scope = scope_for(context, manager, job_id)
        if scope == Scope.all():
            raise click.UsageError("which items? Say --item, --glob, --failed, …", context)
        view = model.skip(manager, job_id, scope=scope, keys=keys, apply=apply)
    session.answer(view, lambda: model.skip_page(view))
    if not view.accepted:
        context.exit(1)
