"""`milepost move`: take jobs to another store; only with --apply."""

from __future__ import annotations

import sys

import click

from milepost.cli.keys import AS_JSON, STORE
from milepost.cli.naming import complete_jobs
from milepost.cli.options import debug_option, examples, lifecycle_option, with_ways
from milepost.cli.output import is_terminal
from milepost.cli.session import find_job, session_of
from milepost.inspect import move as model
from milepost.state.manager import StateManager
from milepost.stores.opening import shown_url

__all__ = ["move"]


@click.command(
    "move",
    epilog=examples(
        "milepost move jobs.db other.db",
        "milepost move jobs.db other.db nightly --apply",
    ),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("job", metavar="[JOB]", required=False, shell_complete=complete_jobs)
@click.option("--apply", is_flag=True, help="Do it; without it nothing changes.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, with its schema.")
@lifecycle_option()
@with_ways
@debug_option()
@click.pass_context
def move(
    context: click.Context,
    *,
    source: str,
    target: str,
    job: str | None,
    apply: bool,
    as_json: bool,
) -> None:
    """Move the jobs of a store to another, or one of them; exit 1 if any has to stay.

    FROM and TO are paths or URLs; TO is made if it is not there. Each job is verified in TO before
    FROM lets go of it: its commits and their digests are as they were. One stays that somebody
    drives, or of whose id TO has another. What was cut short goes on when it is begun again. JOB
    is the job's id; without --apply a beginning of it will do that no other job has.
    """
    context.meta[STORE] = source
    context.meta[AS_JSON] = as_json
    session = session_of(context)
    with (
        session.writing() if apply else session.reading() as manager,
        click.progressbar(
            length=1, label="moving", file=sys.stderr, hidden=not is_terminal(sys.stderr)
        ) as bar,
    ):

        def told(job_id: str, commits: int, of: int) -> None:
            bar.label, bar.length, bar.pos = f"moving {job_id}", of, commits
            bar.render_progress()

        view = model.move(
            manager,
            target,
            source=session.store_named,
            target=shown_url(target),
            job_id=None if job is None else _named(context, manager, job, apply=apply),
            apply=apply,
            on_move=told,
        )
    session.answer(view, lambda: model.move_page(view))
    context.exit(0 if view.whole else 1)


def _named(context: click.Context, manager: StateManager, job: str, *, apply: bool) -> str:
    """The id of the job; one that is not there may have been moved before.

    Raises UsageError for a beginning with --apply: it would name another once the job has gone.
    """
    if manager.has_job(job) or not manager.count_jobs(job):
        return job
    found = find_job(manager, job)
    if apply:
        raise click.UsageError(f"which job? With --apply name all of it: {found}", context)
    return found
