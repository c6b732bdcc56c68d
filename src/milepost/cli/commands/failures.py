"""`milepost failures`: what went wrong with the items of a job, in groups or one by one."""

from __future__ import annotations

import click

from milepost.cli.limits import limit_option
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.scoping import scope_for, with_items_scope
from milepost.cli.session import find_job, session_of
from milepost.inspect import failures as model
from milepost.text.wording import counted

__all__ = ["failures"]


@click.command(
    "failures",
    epilog=examples(
        "milepost failures nightly --db jobs.db",
        "milepost failures nightly --each --details --item eu/2 --db jobs.db",
    ),
)
@job_argument
@with_items_scope
@click.option("--each", is_flag=True, help="List failures one by one, the newest last.")
@click.option("--details", is_flag=True, help="Show causes and traceback of each; implies --each.")
@limit_option("failures of --each")
@with_store
@click.pass_context
def failures(
    context: click.Context, *, job: str, each: bool, details: bool, limit: int | None
) -> None:
    """Show what went wrong with the items of a job, how often, first and last when.

    Failures of one kind and cause are a group. Executors that died are among them, once for each
    item that they had. Options that choose items add up. JOB is the job's id, or a beginning of it
    that no other job has.
    """
    session = session_of(context)
    each = each or details
    with session.reading() as manager:
        job_id = find_job(manager, job)
        scope = scope_for(context, manager, job_id)
        view = model.failures(manager, job_id, scope=scope, each=each, limit=limit)
    session.answer(view, lambda: model.failures_page(view, details=details))
    if not view.count:
        note("no failures")
    elif view.each and len(view.each) < view.count:
        note(
            f"the newest {len(view.each)} of {counted(view.count, 'failures')}; --limit 0 lists all"
        )
