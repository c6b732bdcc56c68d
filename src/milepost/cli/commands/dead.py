"""`milepost dead`: the dead letter queue of a job, and all that went wrong with its items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import click

from milepost.cli.limits import limit_option
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import note, write_format
from milepost.cli.scoping import scope_for, with_items_scope
from milepost.cli.session import find_job, session_of
from milepost.inspect import dead as model
from milepost.inspect.json import as_json
from milepost.process.files import whole_file
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope
from milepost.text.wording import counted

__all__ = ["dead"]

_STDOUT: Final = Path("-")
_Put: TypeAlias = Callable[[str], object]


@click.command(
    "dead",
    epilog=examples(
        "milepost dead nightly --db jobs.db --cause timeout",
        "milepost dead nightly --db jobs.db --export dead.jsonl",
    ),
)
@job_argument
@click.argument("key", metavar="[KEY]", required=False)
@with_items_scope
@click.option(
    "--export",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Write all of them to this file, whole or not at all; - for stdout: a JSON object a line.",
)
@click.option(
    "--details",
    is_flag=True,
    help="Show causes and traceback of the last failure of each; with KEY, of all its failures.",
)
@limit_option("dead letters")
@with_store
@click.pass_context
def dead(
    context: click.Context,
    *,
    job: str,
    key: str | None,
    export: Path | None,
    details: bool,
    limit: int | None,
) -> None:
    """List the dead letters of a job; with KEY, every failed attempt at that item.

    Nothing is ever taken out of the queue but by requeue. Options that choose items add up. JOB is
    the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        scope = scope_for(context, manager, job_id)
        if key is not None:
            scope &= Scope.keys(key)
        if export is not None:
            return _export(manager, job_id, scope, export)
        view = model.dead(manager, job_id, scope=scope, limit=limit, detailed=key is not None)
    session.answer(view, lambda: model.dead_page(view, details=details))
    if len(view.letters) < view.matched:
        matched = counted(view.matched, "dead letters")
        note(f"{len(view.letters)} of {matched}; --limit 0 lists all")
    elif not view.total:
        note("no dead letters")
    elif not view.matched:
        there = "is 1" if view.total == 1 else f"are {view.total}"
        note(f"no such dead letter; there {there} in all")
    return None


def _export(manager: StateManager, job_id: str, scope: Scope, path: Path) -> None:
    count = 0
    with _lines(path) as put:
        for line in model.dead_lines(manager, job_id, scope=scope):
            put(model.letter_line(line))
            count += 1
    note(f"exported {counted(count, 'dead letters')} of {job_id}")


@contextmanager
def _lines(path: Path) -> Iterator[_Put]:
    if path == _STDOUT:
        yield partial(write_format, escape=as_json)
    else:
        with whole_file(path) as file:
            yield lambda line: file.write(line.encode())
