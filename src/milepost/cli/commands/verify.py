"""`milepost verify`: whether a store and its jobs are as they were written."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager

import click

from milepost.cli.options import examples, with_store
from milepost.cli.output import is_terminal
from milepost.cli.session import find_job, session_of
from milepost.errors import StoreUnreadable
from milepost.inspect import pages, queries

__all__ = ["verify"]

_NOT_SOUND = 1


@click.command(
    "verify",
    epilog=examples(
        "milepost verify --db jobs.db",
        "milepost verify nightly --db jobs.db --json",
    ),
)
@click.argument("job", metavar="[JOB]", required=False)
@with_store
@click.pass_context
def verify(context: click.Context, *, job: str | None) -> None:
    """Check all that a store promises; exit 1 if anything is wrong.

    The medium itself; each job's log from its first commit: gapless, chained, every step legal;
    each checkpoint against the log; each value and each item against its digest. JOB is the
    job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        problems: list[str] = []
        try:
            ids = manager.job_ids() if job is None else [find_job(manager, job)]
        except StoreUnreadable as error:  # that is the answer, and no trouble on the way to it
            ids, problems = [], [error.problem]
        with _progress(ids) as each:
            view = queries.verify(manager, each, problems)
    session.answer(view, lambda: pages.verify_page(view))
    context.exit(0 if view.sound else _NOT_SOUND)


def _progress(ids: list[str]) -> AbstractContextManager[Iterable[str]]:
    """The ids, one by one; a terminal sees how far it is."""
    hidden = not is_terminal(sys.stderr)
    return click.progressbar(ids, label="verifying", file=sys.stderr, hidden=hidden)
