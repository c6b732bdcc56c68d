"""`milepost items`: where the items of a job are, and why."""

from __future__ import annotations

import click

from milepost.cli.limits import limit_option
from milepost.cli.naming import check_names, completed_by, item_states, job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.session import find_job, session_of
from milepost.inspect import items as model
from milepost.text.wording import items_counted

__all__ = ["items"]


@click.command(
    "items",
    epilog=examples(
        "milepost items nightly --db jobs.db --failed",
        "milepost items nightly --db jobs.db --state pending --key 'eu/*' --json",
    ),
)
@job_argument
@click.option(
    "--state",
    "states",
    multiple=True,
    metavar="STATE",
    shell_complete=completed_by(item_states),
    help="Only the items in this state; may be given more than once.",
)
@click.option("--failed", is_flag=True, help="Only the items that failed or are dead.")
@click.option("--key", metavar="GLOB", help="Only the items whose key fits: *, ? and [a-z].")
@limit_option("items")
@with_store
@click.pass_context
def items(
    context: click.Context,
    *,
    job: str,
    states: tuple[str, ...],
    failed: bool,
    key: str | None,
    limit: int | None,
) -> None:
    """List the items of a job with their last failures.

    In the order in which the job was given them. JOB is the job's id, or a beginning of it that no
    other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        if states:
            lifecycle = manager.get_state(job_id).lifecycle
            check_names(states, item_states, "state of items", lifecycle)
        view = model.items(manager, job_id, states=states, failed=failed, key=key, limit=limit)
    session.answer(view, lambda: model.items_page(view))
    if len(view.items) < view.matched:
        note(f"{len(view.items)} of {items_counted(view.matched)}; --limit 0 lists all")
    elif not view.matched:
        note(f"none of {items_counted(view.total)}")
