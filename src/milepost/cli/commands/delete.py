"""`milepost delete`: take away one job that has ended; only with --apply."""

from __future__ import annotations

import click

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import delete as model

__all__ = ["delete"]


@click.command(
    "delete",
    epilog=examples(
        "milepost delete nightly --db jobs.db",
        "milepost delete nightly --apply --reason 'made by mistake' --db jobs.db",
    ),
)
@job_argument
@click.option("--apply", is_flag=True, help="Do it; without it nothing changes.")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the job's tombstone.")
@with_store
@click.pass_context
def delete(context: click.Context, *, job: str, apply: bool, reason: str) -> None:
    """Delete one job that has ended, whatever its age; exit 1 if it stays.

    A job stays that is active, paused or held, or that `milepost keep` says so of; what helps is
    said. Nothing brings a deleted job back. JOB is the job's id, or with --apply the whole of it:
    a beginning would name another one, once the job is gone.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        found = find_job(manager, job)
        if apply and found != job:
            raise click.UsageError(f"which job? With --apply name all of it: {found}", context)
        view = model.delete(manager, found, reason=reason, apply=apply)
    session.answer(view, lambda: model.delete_page(view))
    if not view.accepted:
        context.exit(1)
