"""`milepost import`: make jobs of those that another tool left behind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from milepost.cli.options import examples, with_store
from milepost.cli.output import is_terminal, note
from milepost.cli.session import Session, session_of
from milepost.errors import StoreAbsent
from milepost.inspect import import_jobs as model
from milepost.state.keeping.old_homes import JobImport, guessed, old_home
from milepost.state.manager import StateManager

__all__ = ["import_jobs"]

_NOT_WHOLE = 1
_LOG = "log"


def _complete(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The tools that begin like this; where none does, the files of this place."""
    del context, parameter
    from milepost.legacy.importers import tools  # noqa: PLC0415 only for this command

    named = [CompletionItem(each) for each in (*tools(), _LOG) if each.startswith(incomplete)]
    return named or [CompletionItem(incomplete, type="file")]


@click.command(
    "import",
    epilog=examples(
        "milepost import prodigy ~/.prodigy --dry-run --db jobs.db",
        "milepost import prodigy ~/.prodigy --job mapreduce-20230301_120000 --db jobs.db",
    ),
)
@click.argument(
    "what",
    metavar="[TOOL] PATH",
    nargs=-1,
    required=True,
    shell_complete=_complete,
)
@click.option("--job", "job_id", metavar="ID", help="Only the job of this id, as it is there.")
@click.option("--repo", metavar="NAME", help="Only the jobs of this repo.")
@click.option("--dry-run", is_flag=True, help="Say what would be imported; write nothing.")
@click.option("--notes", is_flag=True, help="Show the notes too, not only losses and warnings.")
@with_store
@click.pass_context
def import_jobs(
    context: click.Context,
    *,
    what: tuple[str, ...],
    job_id: str | None,
    repo: str | None,
    dry_run: bool,
    notes: bool,
) -> None:
    """Make jobs of those that another tool left behind; exit 1 if anything was lost.

    TOOL is `prodigy`, PATH its home, usually ~/.prodigy; or `curator`, PATH its working folder or
    that of one job, usually in ~/.cache/curator. Packages may bring others. Without TOOL, it is
    told by what is in PATH. Nothing there is changed. Each old job becomes a log with its old
    times, and can be resumed; what was imported before is left as it is. Or TOOL is `log`, and PATH
    a file of `milepost export --log`: the job in it is verified, and is here as it was there. A
    store that is not there is made once there is a job to keep in it.
    """
    session = session_of(context)
    tool, home = _asked(context, what)
    if tool == _LOG:
        if job_id is not None or repo is not None or notes:
            raise click.UsageError("--job, --repo and --notes are for a home", context)
        with _opened(session, lambda empty: _verifies(empty, home), dry_run=dry_run) as manager:
            one = model.import_log(manager, home, session.store_named, dry_run=dry_run)
        session.answer(one, lambda: model.import_jobs_page(one, notes=False))
        if dry_run:
            note("nothing was written: leave --dry-run out to import")
        return
    with (
        _opened(
            session, lambda empty: _gives_any(empty, tool, home, job_id, repo), dry_run=dry_run
        ) as manager,
        click.progressbar(
            length=1, label="importing", file=sys.stderr, hidden=not is_terminal(sys.stderr)
        ) as bar,
    ):

        def told(_job: JobImport, total: int) -> None:
            bar.length = total
            bar.update(1)

        done = manager.upkeep.import_jobs(
            home, tool=tool, job_id=job_id, repo=repo, apply=not dry_run, on_job=told
        )
        view = model.import_jobs(manager, done, session.store_named, dry_run=dry_run)
    session.answer(view, lambda: model.import_jobs_page(view, notes=notes))
    if dry_run:
        note("nothing was written: leave --dry-run out to import")
    context.exit(0 if view.whole else _NOT_WHOLE)


def _asked(context: click.Context, what: tuple[str, ...]) -> tuple[str, Path]:
    """The tool and the path that were asked for; a tool that was not is told by what is there."""
    from milepost.legacy.importers import tools  # noqa: PLC0415 only for this command

    *named, path = what
    if not path:
        raise click.UsageError("PATH is empty: name the folder, `.` for this one", context)
    if len(named) > 1:
        raise click.UsageError(f"give a TOOL and a PATH, or a PATH alone: not {len(what)}", context)
    for each in named:
        known = (*tools(), _LOG)
        if each not in known:
            problem = f"{each!r} is not one of {', '.join(map(repr, known))}"
            raise click.UsageError(problem, context)
        return each, Path(path)
    home = old_home(path)
    tool = guessed(home)
    if tool is None:
        raise StoreAbsent(
            url=str(home),
            problem="it does not show which tool left it: name one of"
            f" {', '.join(tools())} before it",
        )
    note(f"this is taken for a folder of {tool}")
    return tool, home


@contextmanager
def _opened(
    session: Session, fits: Callable[[StateManager], bool], *, dry_run: bool
) -> Iterator[StateManager]:
    """The store; one that is not there is made only if something `fits` into an empty one.

    Else, and for a dry run, an empty one in memory stands for it.
    """
    try:
        manager = StateManager.open(
            session.store, create=False, read_only=dry_run, clock=session.clock_given
        )
    except StoreAbsent:
        manager = StateManager.open("memory:", clock=session.clock)
        absent = True
    else:
        absent = False
    with manager:
        if not absent or dry_run or not fits(manager):
            yield manager
            return
    with StateManager.open(session.store, clock=session.clock_given) as made:
        yield made


def _verifies(empty: StateManager, file: Path) -> bool:
    """True if the log in `file` can be imported. Raises as Upkeep.import_log does if not."""
    empty.upkeep.import_log(file)
    return True


class _Any(Exception):
    """There is a job to import."""


def _gives_any(
    empty: StateManager, tool: str, home: Path, job_id: str | None, repo: str | None
) -> bool:
    """True if there is a job to import; reads old jobs up to the first. Raises as import_jobs."""

    def told(job: JobImport, _total: int) -> None:
        if job.error is None:
            raise _Any

    try:
        empty.upkeep.import_jobs(home, tool=tool, job_id=job_id, repo=repo, on_job=told)
    except _Any:
        return True
    return False
