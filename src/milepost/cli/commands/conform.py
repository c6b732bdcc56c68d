"""`milepost conform`: whether logs are as a definition says, and where one departs from it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import click

from milepost.cli.naming import complete_jobs
from milepost.cli.options import examples, with_store
from milepost.cli.output import is_terminal
from milepost.cli.session import session_of
from milepost.cli.trouble import TROUBLE, Trouble, nearest
from milepost.definition import Definition, Unreadable, read_definition
from milepost.discovery.project import definitions_listed
from milepost.extras import needing
from milepost.inspect import conform as model
from milepost.stores.protocol import StateStore
from milepost.text.escapes import printable

__all__ = ["conform"]

_DEPARTS = 1


@click.command(
    "conform",
    epilog=examples(
        "milepost conform --definition statemachine.yaml --db jobs.db",
        "milepost conform nightly --definition statemachine.yaml --db jobs.db --json",
    ),
)
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_jobs)
@click.option(
    "--definition",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A definition; once for each lifecycle, and each version that logs were written under.",
)
@with_store
@click.pass_context
def conform(context: click.Context, *, jobs: tuple[str, ...], files: tuple[Path, ...]) -> None:
    """Hold logs against a definition; exit 1 if any departs, 2 if that cannot be told.

    Each fact of each log from its first commit is asked of the definition as text, by a plain
    interpreter: no generated code decides. Of each job the first departure is told: the commit,
    the fact, in which state who was, what is allowed there, which guard said no with which values,
    or which assignment gives another value than a row, a checkpoint or the tables have.

    Without --definition, those that [tool.milepost] of the nearest pyproject.toml lists, with their
    earlier versions. JOB is a job's id, or a beginning of it that no other job has; without any,
    all jobs.
    """
    session = session_of(context)
    definitions, named = _definitions(files or tuple(definitions_listed(Path.cwd())))
    if not definitions:
        raise click.UsageError("which definition? Name its file with --definition.", context)
    with session.stored() as store, _progress(_ids(store, jobs)) as each:
        view = model.conform(
            store,
            each,
            definitions,
            named,
            lifecycles=session.discovery.lifecycles,
            earlier=session.discovery.earlier,
        )
    session.answer(view, lambda: model.conform_page(view))
    context.exit({True: 0, False: _DEPARTS, None: TROUBLE}[view.conforms])


def _definitions(
    files: Iterable[Path],
) -> tuple[dict[tuple[str, int], Definition], dict[tuple[str, int], str]]:
    """The definitions by lifecycle and version, and the file of each. Raises Trouble, OSError."""
    found: dict[tuple[str, int], Definition] = {}
    named: dict[tuple[str, int], str] = {}
    for file in dict.fromkeys(files):
        try:
            with needing("compile", "reading a definition"):
                one = read_definition(file)
        except Unreadable as error:
            raise Trouble(str(error)) from error
        key = one.name, one.version
        if key in found:
            raise Trouble(f"{named[key]} and {file} are both of {one.name} {one.version}")
        found[key], named[key] = one, str(file)
    return found, named


def _ids(store: StateStore, wanted: tuple[str, ...]) -> list[str]:
    """The ids that are named, all without any; from a damaged store too. Raises Trouble."""
    with store.reading() as reader:
        known = sorted(job.job_id for job in reader.entries())
    return list(dict.fromkeys(_id(store, known, one) for one in wanted)) if wanted else known


def _id(store: StateStore, known: list[str], wanted: str) -> str:
    if wanted in known:
        return wanted
    found = [job_id for job_id in known if job_id.startswith(wanted)]
    if len(found) != 1:
        told = f"{len(found)} jobs begin with" if found else "no job"
        raise Trouble(f"{told} {wanted!r} in {printable(store.url)}{nearest(wanted, known)}")
    return found[0]


def _progress(ids: list[str]) -> AbstractContextManager[Iterable[str]]:
    """The ids, one by one; a terminal sees how far it is."""
    hidden = not is_terminal(sys.stderr)
    return click.progressbar(ids, label="checking", file=sys.stderr, hidden=hidden)
