"""`milepost import`: make jobs of those that another tool left behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from milepost.cli.options import examples, with_store
from milepost.cli.output import is_terminal, note
from milepost.cli.session import Session, session_of
from milepost.errors import StoreAbsent
from milepost.inspect import import_jobs as model
from milepost.state.keeping.old_homes import JobImport
from milepost.state.manager import StateManager

__all__ = ["import_jobs"]

_NOT_WHOLE = 1


@click.command(
    "import",
    epilog=examples(
        "milepost import prodigy ~/.prodigy --dry-run --db jobs.db",
        "milepost import prodigy ~/.prodigy --job mapreduce-20230301_120000 --db jobs.db",
    ),
)
@click.argument("tool", metavar="TOOL", type=click.Choice(["prodigy", "log"]))
@click.argument("home", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--job", "job_id", metavar="ID", help="Only the job of this id, as it is there.")
@click.option("--repo", metavar="NAME", help="Only the jobs of this repo.")
@click.option("--dry-run", is_flag=True, help="Say what would be imported; write nothing.")
@click.option("--notes", is_flag=True, help="Show the notes too, not only losses and warnings.")
@with_store
@click.pass_context
def import_jobs(
    context: click.Context,
    *,
    tool: str,
    home: Path,
    job_id: str | None,
    repo: str | None,
    dry_run: bool,
    notes: bool,
) -> None:
    """Make jobs of those that another tool left behind; exit 1 if anything was lost.

    TOOL is `prodigy`; PATH is its home, usually ~/.prodigy. Nothing there is changed. Each old job
    becomes a log with its old times, and can be resumed; what was imported before is left as it
    is. Or TOOL is `log`, and PATH a file of `milepost export --log`: the job in it is verified, and
    is here as it was there. The store is made if there is none.
    """
    session = session_of(context)
    if tool == "log":
        if job_id is not None or repo is not None or notes:
            raise click.UsageError("--job, --repo and --notes are for a home", context)
        with _reading(session) if dry_run else _making(session) as manager:
            one = model.import_log(manager, home, session.store, dry_run=dry_run)
        session.answer(one, lambda: model.import_jobs_page(one, notes=False))
        if dry_run:
            note("nothing was written: leave --dry-run out to import")
        return
    with (
        _reading(session) if dry_run else _making(session) as manager,
        click.progressbar(
            length=1, label="importing", file=sys.stderr, hidden=not is_terminal(sys.stderr)
        ) as bar,
    ):

        def told(_job: JobImport, total: int) -> None:
            bar.length = total
            bar.update(1)

        done = manager.upkeep.import_jobs(
            home, job_id=job_id, repo=repo, apply=not dry_run, on_job=told
        )
        view = model.import_jobs(manager, done, session.store, dry_run=dry_run)
    session.answer(view, lambda: model.import_jobs_page(view, notes=notes))
    if dry_run:
        note("nothing was written: leave --dry-run out to import")
    context.exit(0 if view.whole else _NOT_WHOLE)


@contextmanager
def _making(session: Session) -> Iterator[StateManager]:
    """The store, which is made if there is none."""
    with StateManager.open(session.store, clock=session.clock) as manager:
        yield manager


@contextmanager
def _reading(session: Session) -> Iterator[StateManager]:
    """The store for reading alone; where there is none, an empty one in memory stands for it."""
    try:
        manager = StateManager.open(
            session.store, create=False, read_only=True, clock=session.clock
        )
    except StoreAbsent:
        manager = StateManager.open("memory:", clock=session.clock)
    with manager:
        yield manager
