"""`milepost compact`: the small commits of jobs merged into blocks; only with --apply."""

from __future__ import annotations

import sys

import click

from milepost.cli.options import examples, with_store
from milepost.cli.output import is_terminal
from milepost.cli.session import find_job, session_of, tell_unreadable
from milepost.errors import StateError
from milepost.inspect import compact as model
from milepost.state.manager import StateManager
from milepost.stores.unreadable import OnError

__all__ = ["compact"]

_NOT_ALL = 1


@click.command(
    "compact",
    epilog=examples(
        "milepost compact nightly --db jobs.db",
        "milepost compact --all --db jobs.db --apply",
    ),
)
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option("--all", "finished", is_flag=True, help="Every job that is finished.")
@click.option("--apply", is_flag=True, help="Merge; without it nothing changes.")
@with_store
@click.pass_context
def compact(context: click.Context, *, jobs: tuple[str, ...], finished: bool, apply: bool) -> None:
    """Merge the small commits of jobs into compressed blocks.

    What can be read of a job stays the same. Without --apply what would be merged is shown. A
    commit that does not verify is left as it is; then the exit code is 1. JOB is a job's id, or a
    beginning of it that no other job has.
    """
    if bool(jobs) == finished:
        raise click.UsageError("which jobs? Name them, or --all that are finished.", context)
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        unreadable: list[StateError] = []
        if finished:
            ids = _finished(manager, unreadable.append)
        else:
            ids = [find_job(manager, job) for job in jobs]
        hidden = not is_terminal(sys.stderr)
        with click.progressbar(
            dict.fromkeys(ids), label="compacting", file=sys.stderr, hidden=hidden
        ) as each:
            view = model.compact(manager, each, apply=apply)
    session.answer(view, lambda: model.compact_page(view))
    tell_unreadable(context, map(str, unreadable))
    context.exit(_NOT_ALL if any(job.problem for job in view.jobs) else 0)


def _finished(manager: StateManager, on_error: OnError) -> list[str]:
    """The jobs whose phase is one that nothing leads out of, as far as their lifecycle is known."""
    final = {each.name: each.machines[each.root].final for each in manager.lifecycles}
    jobs = manager.list_jobs(on_error=on_error)
    return [job.id for job in jobs if job.phase in final.get(job.lifecycle, ())]
