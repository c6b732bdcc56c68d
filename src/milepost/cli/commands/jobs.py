"""`milepost jobs`: which jobs there are, and how far they are."""

from __future__ import annotations

import click

from milepost.cli.limits import limit_option
from milepost.cli.naming import check_names, completed_by, phases
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.session import Session, session_of, tell_unreadable
from milepost.inspect import jobs as model

__all__ = ["jobs"]


@click.command(
    "jobs",
    epilog=examples(
        "milepost jobs --db jobs.db --of mapreduce --phase failed --json",
        "milepost jobs --db jobs.db --stuck",
    ),
)
@click.option(
    "--phase",
    metavar="PHASE",
    shell_complete=completed_by(phases),
    help="Only the jobs in this phase.",
)
@click.option(
    "--of",
    "lifecycle",
    metavar="NAME",
    help="Only the jobs that run by this lifecycle.",
)
@click.option("--prefix", default="", metavar="TEXT", help="Only the jobs whose id begins so.")
@click.option(
    "--stuck",
    is_flag=True,
    help="The jobs whose holder has ended, or does not renew its lease: who held them, and why.",
)
@limit_option("jobs")
@with_store
@click.pass_context
def jobs(
    context: click.Context,
    *,
    phase: str | None,
    lifecycle: str | None,
    prefix: str,
    stuck: bool,
    limit: int | None,
) -> None:
    """List the jobs of a store, newest first.

    Jobs that are looked at and cannot be read are named on the error output; then the exit code
    is 2.
    """
    session = session_of(context)
    if stuck:
        if phase or lifecycle or prefix:
            raise click.UsageError("--stuck lists all jobs that are: leave the rest out", context)
        view: model.JobsView | model.StuckView = _stuck(session)
    else:
        view = _jobs(session, phase=phase, lifecycle=lifecycle, prefix=prefix, limit=limit)
    tell_unreadable(context, view.unreadable)


def _jobs(
    session: Session,
    *,
    phase: str | None,
    lifecycle: str | None,
    prefix: str,
    limit: int | None,
) -> model.JobsView:
    with session.reading() as manager:
        view = model.jobs(manager, phase=phase, lifecycle=lifecycle, prefix=prefix, limit=limit)
        if phase and not view.jobs and not view.unreadable:
            check_names([phase], phases, "phase", *manager.lifecycles)
    session.answer(view, lambda: model.jobs_page(view))
    if view.more:
        of = "the newest" if view.total is None else f"of {view.total}"
        shown = f"{len(view.jobs)} {of} jobs" if view.total else f"{of} {len(view.jobs)} jobs"
        note(f"{shown}; --limit 0 lists all")
    elif not view.jobs and not view.unreadable:
        note("no such job" if phase or lifecycle or prefix else "no jobs")
    return view


def _stuck(session: Session) -> model.StuckView:
    with session.reading() as manager:
        view = model.stuck(manager, now=session.now())
    session.answer(view, lambda: model.stuck_page(view))
    for unknown in view.unknown:
        note(unknown)
    if view.jobs:
        note("`milepost recover --expired --apply` frees them for another executor")
    else:
        note("no lease has expired")
    return view
