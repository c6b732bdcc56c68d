"""What names a job, and options that take names of its lifecycle: completed, and checked.

Which names there are is known when the job is read. A shell that completes asks the store, where
one is named and opens; otherwise what is typed stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias, get_args

import click

from milepost.cli.session import session_of
from milepost.cli.trouble import Trouble, nearest
from milepost.errors import MilepostError
from milepost.machine import Lifecycle, Machine
from milepost.state.reading.events import Kind

__all__ = [
    "Names",
    "causes",
    "check_names",
    "complete_jobs",
    "completed_by",
    "events",
    "item_states",
    "job_argument",
    "machines",
    "phases",
    "working",
]

_COMPLETED: Final = 100

Names: TypeAlias = Callable[[Lifecycle], Iterable[str]]
"""Names of one kind that a lifecycle has, in definition order."""

_Complete: TypeAlias = Callable[[click.Context, click.Parameter, str], list[str]]


def phases(lifecycle: Lifecycle) -> Iterable[str]:
    """The phases that a job can be in."""
    return lifecycle.machines[lifecycle.root].states


def working(lifecycle: Lifecycle) -> Iterable[str]:
    """The phases in which work is done."""
    return lifecycle.machines[lifecycle.root].roles.working


def item_states(lifecycle: Lifecycle) -> Iterable[str]:
    """The states that items can be in, whichever collection they are of."""
    return dict.fromkeys(state for member in _members(lifecycle) for state in member.states)


def causes(lifecycle: Lifecycle) -> Iterable[str]:
    """The causes for which items can fail."""
    return dict.fromkeys(cause for member in _members(lifecycle) for cause in _causes(member))


def events(lifecycle: Lifecycle) -> Iterable[str]:
    """The events that there are in a history: those of the machines, and the kinds of the rest."""
    own = (event for machine in lifecycle.machines.values() for event in machine.event_specs)
    return dict.fromkeys((*own, *get_args(Kind)))


def machines(lifecycle: Lifecycle) -> Iterable[str]:
    """The machines: that of the job first."""
    return dict.fromkeys((lifecycle.root, *lifecycle.machines))


def check_names(given: Iterable[str], names: Names, what: str, *of: Lifecycle) -> None:
    """Raise Trouble, with the nearest there are, for a name that no lifecycle in `of` has."""
    known = list(dict.fromkeys(name for lifecycle in of for name in names(lifecycle)))
    for name in given:
        if name not in known:
            listed = ", ".join(f"{each.name} {each.version}" for each in of)
            there = f": there are {', '.join(known)}" if known else ": there is none"
            raise Trouble(
                f"lifecycle {listed} has no {what} {name!r}{nearest(name, known) or there}"
            )


def completed_by(names: Names) -> _Complete:
    """What a shell may complete an option with: names of the lifecycle of the job on the line."""

    def complete(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
        lifecycles = _at_hand(context)
        found = dict.fromkeys(name for each in lifecycles for name in names(each))
        return [name for name in found if name.startswith(typed)]

    return complete


def complete_jobs(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """The ids of jobs that begin with what is typed, a hundred at most."""
    try:
        with session_of(context).reading() as manager:
            return manager.job_ids(typed, limit=_COMPLETED, on_error=lambda _: None)
    except (click.UsageError, MilepostError, OSError):
        return []


def _at_hand(context: click.Context) -> Iterable[Lifecycle]:
    """The lifecycle of the one job that the line names, or all that are at hand."""
    try:
        with session_of(context).reading() as manager:
            found = manager.lifecycles
            # Behind an option that has no value yet, arguments are not assigned.
            job = context.params.get("job") or next(iter(context.args), None)
            if job:
                jobs = manager.list_jobs(prefix=job, limit=_COMPLETED, on_error=lambda _: None)
                named = {each.lifecycle for each in jobs}
                found = tuple(each for each in found if each.name in named)
            return found
    except (click.UsageError, MilepostError, OSError):
        return ()


def _members(lifecycle: Lifecycle) -> Iterator[Machine]:
    for collection in lifecycle.collections.values():
        yield lifecycle.machines[collection.machine]


def _causes(member: Machine) -> Iterable[str]:
    failure = member.roles.failure
    if failure is None:
        return ()
    fields = {each.name: each for each in member.event_specs[failure.event].fields}
    return fields[failure.cause].members if failure.cause else ()


job_argument = click.argument("job", metavar="JOB", shell_complete=complete_jobs)
"""The job: its id, or a beginning of it that no other job has."""
