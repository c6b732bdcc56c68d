"""`milepost jobs`: which jobs there are, and how far they are."""

from __future__ import annotations

import click

from milepost.cli.durations import AGE
from milepost.cli.limits import limit_option
from milepost.cli.naming import check_names, completed_by, phases
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.session import Session, session_of, tell_unreadable
from milepost.cli.trouble import Trouble, nearest
from milepost.inspect import jobs as model
from milepost.state.manager import StateManager
from milepost.text.commands import command
from milepost.text.wording import counted

__all__ = ["jobs"]


@click.command(
    "jobs",
    epilog=examples(
        "milepost jobs --outcome active --since 7d --sort left --db jobs.db",
        "milepost jobs --stuck --db jobs.db",
    ),
)
@click.option(
    "--phase",
    "among",
    multiple=True,
    metavar="PHASE",
    shell_complete=completed_by(phases),
    help="Only the jobs in this phase; more than once for several.",
)
@click.option(
    "--outcome",
    type=click.Choice(model.WANTED_OUTCOMES),
    help="Only the jobs that stand so, by the roles of their lifecycle.",
)
@click.option(
    "--of",
    "lifecycle",
    metavar="NAME",
    help="Only the jobs that run by this lifecycle.",
)
@click.option("--prefix", default="", metavar="TEXT", help="Only the jobs whose id begins so.")
@click.option(
    "--since", type=AGE, metavar="AGE", help="Only the jobs with a commit so long ago or less."
)
@click.option(
    "--sort",
    type=click.Choice(tuple(map(str, model.Sort))),
    default=str(model.Sort.CREATED),
    show_default=True,
    help="Newest, last updated, by id, or most left first.",
)
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
    among: tuple[str, ...],
    outcome: str | None,
    lifecycle: str | None,
    prefix: str,
    since: object,
    sort: str,
    stuck: bool,
    limit: int | None,
) -> None:
    """List the jobs of a store, newest first.

    Options that choose jobs add up. Jobs that are looked at and cannot be read are named on the
    error output; then the exit code is 2.
    """
    session = session_of(context)
    chosen = bool(among or outcome or lifecycle or prefix or since)
    if stuck:
        if chosen:
            raise click.UsageError("--stuck lists all jobs that are: leave the rest out", context)
        view: model.JobsView | model.StuckView = _stuck(session)
    else:
        with session.reading() as manager:
            view = model.jobs(
                manager,
                phases=among,
                outcome=outcome or "",
                lifecycle=lifecycle,
                prefix=prefix,
                since=session.before(AGE.age(since)),
                sort=model.Sort(sort),
                limit=limit,
            )
            if among and not view.jobs and not view.unreadable:
                check_names(among, phases, "phase", *manager.lifecycles)
            if lifecycle and not view.jobs and not view.unreadable:
                _check_lifecycle(manager, lifecycle)
        session.answer(view, lambda: model.jobs_page(view))
        _tell(view, chosen=chosen)
    tell_unreadable(context, view.unreadable)


def _check_lifecycle(manager: StateManager, wanted: str) -> None:
    """Raise Trouble for a lifecycle that is not at hand and that no job runs by."""
    known = sorted({each.name for each in manager.lifecycles})
    if wanted in known or manager.list_jobs(lifecycle=wanted, limit=1, on_error=lambda _: None):
        return
    advice = nearest(wanted, known) or f": there are {', '.join(known)}"
    raise Trouble(f"no lifecycle {wanted!r} is at hand, and no job runs by one{advice}")


def _tell(view: model.JobsView, *, chosen: bool) -> None:
    """Say what is not in the list, and why."""
    if view.more:
        count = len(view.jobs)
        shown = (
            f"{count} of {counted(view.total, 'jobs')}"
            if view.total
            else f"the first {counted(count, 'jobs')}"
        )
        note(f"{shown}; --limit 0 lists all")
    elif not view.jobs and not view.unreadable:
        note("no such job" if chosen else "no jobs")
    if view.unknown:
        unknown = counted(view.unknown, "jobs")
        note(f"not in the list: {unknown} of which nothing here tells the outcome")


def _stuck(session: Session) -> model.StuckView:
    with session.reading() as manager:
        view = model.stuck(manager, now=session.now())
    session.answer(view, lambda: model.stuck_page(view))
    for unknown in view.unknown:
        note(unknown)
    if view.jobs:
        note(f"`{command('recover', '--expired', '--apply')}` frees them for another executor")
    else:
        note("no lease has expired")
    return view
