"""`milepost changes`: what is different in a job between two moments of it."""

from __future__ import annotations

import click

from milepost.cli.commands.plan import keys_option
from milepost.cli.moments import seq_of
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.cli.trouble import Trouble
from milepost.inspect import changes as model

__all__ = ["changes"]


@click.command(
    "changes",
    context_settings={"ignore_unknown_options": True},  # -1 is a moment
    epilog=examples(
        "milepost changes nightly 4 --db jobs.db",
        "milepost changes nightly 2023-11-14T22:13:26Z -1 --db jobs.db --json",
    ),
)
@job_argument
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", default="-0")
@keys_option
@with_store
@click.pass_context
def changes(context: click.Context, *, job: str, before: str, after: str, keys: int) -> None:
    """Show what is different in a job after B against after A.

    Its phase, context and variables, the items whose state changed and those whose attempts did.
    A and B are moments of the job, B its newest unless it is given: a commit's number, -N for N
    commits before the newest, or a time in ISO 8601, UTC unless it says otherwise, for the newest
    commit that is not after it. JOB is the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        first, last = (seq_of(manager, job_id, moment) for moment in (before, after))
        if first > last:
            raise Trouble(f"commit {first} is after commit {last}: give the earlier one first")
        view = model.changes(manager, job_id, first, last, keys=keys)
    session.answer(view, lambda: model.changes_page(view))
