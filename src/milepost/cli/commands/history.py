"""`milepost history`: what happened to a job, event by event."""

from __future__ import annotations

import re

import click
from click.core import ParameterSource

from milepost.arguments import MAX_COUNT
from milepost.cli import following
from milepost.cli.durations import AGE
from milepost.cli.limits import interval_option, limit_option
from milepost.cli.naming import check_names, completed_by, events, job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.session import find_job, session_of
from milepost.cli.trouble import Trouble
from milepost.inspect import history as model
from milepost.state.manager import StateManager
from milepost.text.wording import counted

__all__ = ["history"]


def _pattern(
    context: click.Context, option: click.Parameter, value: str | None
) -> re.Pattern[str] | None:
    """The regular expression. Fails with usage."""
    if value is None:
        return None
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        told = f"{value!r} is no regular expression: {error}"
        raise click.BadParameter(told, context, option) from None


@click.command(
    "history",
    epilog=examples(
        "milepost history nightly --item eu/2 --db jobs.db",
        "milepost history nightly --since 2d --event fail --grep timeout --db jobs.db",
    ),
)
@job_argument
@click.option(
    "--after",
    type=click.IntRange(min=0, max=MAX_COUNT),
    default=0,
    metavar="SEQ",
    help="Only what came after this commit.",
)
@click.option(
    "--upto",
    type=click.IntRange(min=1, max=MAX_COUNT),
    metavar="SEQ",
    help="Only what came up to this commit.",
)
@click.option(
    "--since", type=AGE, metavar="AGE", help="Only what happened so long ago or less, as 90m or 2d."
)
@click.option(
    "--item",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Only what happened to the item of this key; may be given more than once.",
)
@click.option(
    "--glob",
    "globs",
    multiple=True,
    metavar="GLOB",
    help="Only what happened to items whose key fits: *, ? and [a-z]; adds to --item.",
)
@click.option(
    "--event",
    "named",
    multiple=True,
    metavar="EVENT",
    shell_complete=completed_by(events),
    help="Only this event, or what is of this kind; may be given more than once.",
)
@click.option(
    "--grep",
    metavar="PATTERN",
    callback=_pattern,
    help="Only events of which a text fits this regular expression.",
)
@limit_option("events, the newest")
@click.option(
    "--follow",
    is_flag=True,
    help="All of them, and what happens from now on until the job has ended, as lines of JSON.",
)
@interval_option("With --follow: look again after so long, or sooner where a server says to.")
@with_store
@click.pass_context
def history(
    context: click.Context,
    *,
    job: str,
    after: int,
    upto: int | None,
    since: object,
    keys: tuple[str, ...],
    globs: tuple[str, ...],
    named: tuple[str, ...],
    grep: re.Pattern[str] | None,
    limit: int | None,
    follow: bool,
    interval: float,
) -> None:
    """Show what happened to a job, oldest first.

    Options that choose events add up. With --follow the line names each event by `seq` and `index`,
    and whoever has read commit N whole goes on with --after N. JOB is the job's id, or a beginning
    of it that no other job has.
    """
    if follow:
        for option in ("upto", "limit"):
            if context.get_parameter_source(option) is not ParameterSource.DEFAULT:
                raise click.UsageError(f"--follow has no end: leave --{option} out", context)
    session = session_of(context)
    wanted = model.Wanted(
        keys=frozenset(keys),
        globs=globs,
        events=frozenset(named),
        since=session.before(AGE.age(since)),
        grep=grep,
    )
    with session.reading() as manager:
        job_id = find_job(manager, job)
        if follow:
            _check_names(manager, job_id, keys, named)
            following.follow(session, manager, job_id, wanted, after=after, every_s=interval)
            return
        view = model.history(manager, job_id, after=after, upto=upto, wanted=wanted, limit=limit)
        nothing = ""
        if not view.events:
            _check_names(manager, job_id, keys, named)
            newest = manager.summary(job_id)
            nothing = model.nothing_there(newest, after=after, upto=upto, wanted=wanted)
    session.answer(view, lambda: model.history_page(view))
    _tell(view, nothing)


def _check_names(
    manager: StateManager, job_id: str, keys: tuple[str, ...], named: tuple[str, ...]
) -> None:
    """Raise Trouble for an event that no lifecycle has, and a key that no item of the job has."""
    if named and manager.summary(job_id).at_hand:
        check_names(named, events, "event", *manager.lifecycles)
    for key in keys:
        try:
            manager.get_state(job_id).item(key)
        except KeyError:
            raise Trouble(f"job {job_id}: no item {key!r}") from None


def _tell(view: model.HistoryView, nothing: str) -> None:
    if view.cut:
        which = "them" if view.total is None else f"{view.total}"
        note(f"the newest {counted(len(view.events), 'events')} of {which}; --limit 0 shows all")
    elif not view.events:
        note(nothing)
