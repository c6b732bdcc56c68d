"""`milepost changes`: what is different in a job between two moments of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, Final

from msgspec import Struct

from milepost.inspect.counts import Counts, counts_of
from milepost.inspect.page import Cell, Column, Fields, Page, Table
from milepost.inspect.states import StateName, item_state, phase_of
from milepost.inspect.words import duration, stamp, value
from milepost.items.inputs import KeySet
from milepost.job.state import JobState
from milepost.state.manager import StateManager

__all__ = [
    "ChangedItems",
    "ChangesView",
    "Moment",
    "ValueChange",
    "changes",
    "changes_page",
    "moment",
]

_STATE: Final = "state"
_UNCHANGED: Final = "no item is in another state, and none has other attempts"
_CAME_OR_WENT: Final = ("added", "removed")


class Moment(Struct, frozen=True, kw_only=True):
    """Where a job stood after commit `seq`, written at `at`."""

    seq: int
    at: datetime
    phase: StateName
    owner: str | None
    fence: int
    progress: Counts


class ValueChange(Struct, frozen=True, kw_only=True):
    """What became of one value: `added`, `removed` or `changed`; None stands for what is not."""

    name: str
    change: str
    before: Any  # Any: JSON, or typed by the lifecycle
    after: Any  # Any: as before


class ChangedItems(Struct, frozen=True, kw_only=True):
    """Items whose `name` went from one value to another: how many, the keys of the first."""

    name: str
    before: Any  # Any: a state, or typed by the lifecycle
    after: Any  # Any: as before
    count: int
    keys: tuple[str, ...]


class ChangesView(Struct, frozen=True, kw_only=True):
    """What is different in a job between two moments; `commits` and `events` count what is between.

    `items` holds the items by what changed: `state`, a variable of theirs (`attempts`), or that
    they were `added` or, by a rewind, `removed`.
    `rewinds` are those between: at which commit, back to which.
    """

    SCHEMA: ClassVar[str] = "milepost.changes/1"

    job: str
    before: Moment
    after: Moment
    commits: int
    events: int
    elapsed_s: float
    context: tuple[ValueChange, ...]
    variables: tuple[ValueChange, ...]
    items: tuple[ChangedItems, ...]
    rewinds: tuple[tuple[int, int], ...]


def changes(
    manager: StateManager, job_id: str, before: int, after: int, *, keys: int
) -> ChangesView:
    """What is different after commit `after` against `before`, with the first `keys` keys.

    Raises as StateManager.diff.
    """
    diff = manager.diff(job_id, before, after)
    return ChangesView(
        job=job_id,
        before=moment(diff.before),
        after=moment(diff.after),
        commits=diff.commits,
        events=diff.events,
        elapsed_s=(diff.after.updated_at - diff.before.updated_at).total_seconds(),
        context=tuple(_changed(diff.context)),
        variables=(
            *(_value(name, "added", None, now) for name, now in diff.variables_added.items()),
            *(_value(name, "removed", was, None) for name, was in diff.variables_removed.items()),
            *_changed(diff.variables_changed),
        ),
        items=(
            *_one_kind("added", diff.items_added, keys),
            *_one_kind("removed", diff.items_removed, keys),
            *_by_value(_STATE, _named(diff.after, diff.moved), keys),
            *(
                each
                for name, by_value in diff.item_context.items()
                for each in _by_value(name, by_value, keys)
            ),
        ),
        rewinds=diff.rewinds,
    )


def changes_page(view: ChangesView) -> Page:
    """What became of the job, of its values and of its items, between two moments."""
    values = (("context", view.context), ("variable", view.variables))
    return (
        Fields(entries=tuple(_between(view))),
        Table(
            columns=(Column("VALUE"), Column("NAME"), Column("WAS"), Column("IS")),
            rows=tuple(
                (
                    kind,
                    one.name,
                    "" if one.change == "added" else value(one.before),
                    "" if one.change == "removed" else value(one.after),
                )
                for kind, changed in values
                for one in changed
            ),
        ),
        Table(
            columns=(
                Column("OF ITEMS"),
                Column("WAS"),
                Column("IS"),
                Column("ITEMS", numeric=True),
                Column("AMONG THEM"),
            ),
            rows=tuple(_items_changed(one) for one in view.items),
            empty=_UNCHANGED if view.after.progress.total else "",
        ),
    )


def moment(state: JobState) -> Moment:
    """Where a job stands in `state`."""
    return Moment(
        seq=state.seq,
        at=state.updated_at,
        phase=phase_of(state),
        owner=state.owner,
        fence=state.fence,
        progress=counts_of(state),
    )


def _named(
    state: JobState, moved: Mapping[tuple[str, str], KeySet]
) -> Mapping[tuple[StateName, StateName], KeySet]:
    """Items by the states that they left and came to, with what these mean."""
    return {
        (item_state(state, before), item_state(state, after)): hit
        for (before, after), hit in moved.items()
    }


def _value(name: str, change: str, before: Any, after: Any) -> ValueChange:
    return ValueChange(name=name, change=change, before=before, after=after)


def _changed(pairs: Mapping[str, tuple[Any, Any]]) -> Iterator[ValueChange]:
    return (_value(name, "changed", *pair) for name, pair in pairs.items())


def _by_value(
    name: str, pairs: Mapping[tuple[Any, Any], KeySet], keys: int
) -> Iterator[ChangedItems]:
    for (before, after), hit in pairs.items():
        named = tuple(islice(hit, keys))
        yield ChangedItems(name=name, before=before, after=after, count=len(hit), keys=named)


def _one_kind(name: str, hit: KeySet, keys: int) -> Iterator[ChangedItems]:
    if hit:
        named = tuple(islice(hit, keys))
        yield ChangedItems(name=name, before=None, after=None, count=len(hit), keys=named)


def _between(view: ChangesView) -> Iterator[tuple[str, Cell]]:
    before, after = view.before, view.after
    yield "job", view.job
    yield "from", _said(before)
    yield "to", _said(after)
    took = f", {duration(view.elapsed_s)}" if view.elapsed_s else ""
    commits, events = _count(view.commits, "commit"), _count(view.events, "event")
    yield "between", f"{commits}, {events}{took}"
    if before.phase == after.phase:
        yield "phase", after.phase
    else:
        yield "phase", f"{before.phase} → {after.phase}"
    if (before.owner, before.fence) != (after.owner, after.fence):
        holders = (f"{one.owner or 'nobody'} (fence {one.fence})" for one in (before, after))
        yield "holder", " → ".join(holders)
    for at, to in view.rewinds:
        yield "rewound", f"at seq {at}, to as it was at seq {to}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _said(of: Moment) -> str:
    return f"seq {of.seq} ({stamp(of.at)})"


def _items_changed(one: ChangedItems) -> tuple[Cell, ...]:
    ends: tuple[Cell, ...] = ("", "")
    if one.name not in _CAME_OR_WENT:
        ends = (value(one.before), value(one.after))
    keys = ", ".join(one.keys) + (", …" if one.keys and one.count > len(one.keys) else "")
    return (one.name, *ends, str(one.count), keys)
