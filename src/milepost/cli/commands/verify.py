"""`milepost verify`: whether a store and its jobs are as they were written, and repairs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager

import click
import msgspec

from milepost.cli.naming import complete_jobs
from milepost.cli.options import examples, with_store
from milepost.cli.output import is_terminal, note, write_format
from milepost.cli.session import Session, session_of
from milepost.cli.trouble import TROUBLE, Trouble, nearest
from milepost.errors import StoreUnreadable
from milepost.inspect import quarantine as set_aside
from milepost.inspect import repair as mending
from milepost.inspect import verify as model
from milepost.inspect.json import as_json, to_json_line
from milepost.state.manager import StateManager
from milepost.text.commands import salvage_of
from milepost.text.escapes import printable

__all__ = ["verify"]

_NOT_SOUND = 1


@click.command(
    "verify",
    epilog=examples(
        "milepost verify nightly --db jobs.db --json",
        "milepost verify --repair --db jobs.db",
    ),
)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=complete_jobs)
@click.option("--repair", is_flag=True, help="Show what a repair would do; with --apply, do it.")
@click.option("--apply", is_flag=True, help="Do what --repair shows; without it nothing changes.")
@click.option("--quarantine", is_flag=True, help="List what repairs took out of its place.")
@click.option(
    "--results",
    is_flag=True,
    help="With --quarantine: the payloads in it that can be read, as JSON lines.",
)
@click.option("--beside", is_flag=True, help="Read what jobs keep beside their logs, too.")
@with_store
@click.pass_context
def verify(
    context: click.Context,
    *,
    job: str | None,
    repair: bool,
    apply: bool,
    quarantine: bool,
    results: bool,
    beside: bool,
) -> None:
    """Check all that a store promises; exit 1 if anything is wrong, 2 if that cannot be told.

    The medium itself; each job's log from its first commit: gapless, chained, every step legal;
    each checkpoint against the log; each value and each item against its digest; entries, leases,
    and rows of no job. Each problem is told with what is lost by it. Of a job whose lifecycle is
    not found, all but its steps.

    --repair makes anew what is derived, and sets aside, whole, what the log does not reach. JOB
    is the job's id, or a beginning of it that no other job has.
    """
    if (apply and not repair) or (results and not quarantine) or (repair and quarantine):
        raise click.UsageError("--apply goes with --repair, --results with --quarantine", context)
    if beside and (repair or quarantine):
        raise click.UsageError("--beside goes with neither --repair nor --quarantine", context)
    session = session_of(context)
    if quarantine:
        _quarantine(session, job, results=results)
        return
    if repair:
        context.exit(_repair(session, job, apply=apply))
    with session.reading() as manager:
        problems: list[str] = []
        try:
            ids = _ids(manager, job)
        except StoreUnreadable as error:  # that is the answer, and no trouble on the way to it
            ids, problems = [], [error.problem]
        with _progress(ids) as each:
            view = model.verify(manager, each, problems, beside=beside)
    session.answer(view, lambda: model.verify_page(view))
    context.exit(_exit_code(view.sound))


def _repair(session: Session, job: str | None, *, apply: bool) -> int:
    with session.writing() if apply else session.reading() as manager:
        view = mending.repair(manager, _ids(manager, job), apply=apply)
    session.answer(view, lambda: mending.repair_page(view))
    if view.store_problems and not apply and view.store.startswith("sqlite:"):
        note(f"if the medium is damaged: `{salvage_of(view.store)}` copies what can be read")
    for unknown in view.unknown:
        note(unknown)
    return _exit_code(view.sound)


def _exit_code(sound: bool | None) -> int:  # noqa: FBT001 the verdict itself
    if sound is None:
        return TROUBLE
    return 0 if sound else _NOT_SOUND


def _quarantine(session: Session, job: str | None, *, results: bool) -> None:
    with session.reading() as manager:
        job_id = _ids(manager, job)[0] if job else None
        view = set_aside.quarantine(manager, job_id)
    if results:
        write_format("".join(_lines(view)), as_json)
    else:
        session.answer(view, lambda: set_aside.quarantine_page(view))


def _lines(view: set_aside.QuarantineView) -> Iterable[str]:
    for row in view.rows:
        for result in row.results:
            line = {"job": row.job_id, "seq": row.key, **msgspec.to_builtins(result)}
            yield to_json_line(line)


def _ids(manager: StateManager, wanted: str | None) -> list[str]:
    """The ids that `wanted` names, from a damaged store too. Raises Trouble."""
    known = sorted(manager.upkeep.stored_ids())
    if wanted is None or wanted in known:
        return known if wanted is None else [wanted]
    found = [job_id for job_id in known if job_id.startswith(wanted)]
    if len(found) != 1:
        told = f"{len(found)} jobs begin with" if found else "no job"
        raise Trouble(f"{told} {wanted!r} in {printable(manager.url)}{nearest(wanted, known)}")
    return found


def _progress(ids: list[str]) -> AbstractContextManager[Iterable[str]]:
    """The ids, one by one; a terminal sees how far it is."""
    hidden = not is_terminal(sys.stderr)
    return click.progressbar(ids, label="verifying", file=sys.stderr, hidden=hidden)
