"""`milepost items`: where the items of a job are, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import ClassVar, Final, NamedTuple

from msgspec import UNSET, Struct, UnsetType
from pyroaring import BitMap

from milepost.inspect.failures import ItemFailure, can_fail, failure_view, kind_of
from milepost.inspect.page import Column, Page, Table
from milepost.inspect.states import StateName
from milepost.items.ledger import Ledger, bitmap
from milepost.items.ledgers import united
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope

__all__ = ["Bounds", "ItemLine", "ItemsView", "items", "items_page"]


class _Failed(NamedTuple):
    """How often an item failed, and how the last time."""

    times: int
    last: ItemFailure | None


_NEVER: Final = _Failed(0, None)


class Bounds(Struct, frozen=True, kw_only=True):
    """How many attempts an item may use up, None for any number, and how many crashes."""

    max_attempts: int | None = None
    max_crashes: int = 0


class ItemLine(Struct, frozen=True, kw_only=True):
    """One item. `failures` counts its failed attempts, also those before it was requeued.

    `attempts` is None where the lifecycle counts none. `crashes` are the executors that died of
    it; a `suspect` was in flight when one died. `collection` is given where there are several.
    """

    ordinal: int
    key: str
    state: StateName
    attempts: int | None
    crashes: int
    suspect: bool
    failures: int
    last_failure: ItemFailure | None
    collection: str | UnsetType = UNSET


class ItemsView(Struct, frozen=True, kw_only=True):
    """Items in their order: the first of `matched` that were asked for, of `total` in the job.

    `max_attempts` is None where the lifecycle has no bound of them. A job with several
    `collections` has the bounds of each there.
    """

    SCHEMA: ClassVar[str] = "milepost.items/1"

    job: str
    seq: int
    total: int
    matched: int
    max_attempts: int | None
    max_crashes: int
    items: tuple[ItemLine, ...]
    collections: Mapping[str, Bounds] | UnsetType = UNSET


def items(
    manager: StateManager,
    job_id: str,
    *,
    states: Sequence[str] = (),
    failed: bool = False,
    key: str | None = None,
    span: tuple[int, int] | None = None,
    limit: int | None = None,
) -> ItemsView:
    """The first `limit` items in any of `states` (all, if none is given) whose key fits the glob.

    `span` are the first and the last ordinal that are looked at. `failed` are those that failed,
    dead ones among them, beside those in `states`. Cost: the keys are read; what failed is read
    once. Raises JobAbsent, RoleAbsent if no item can have failed.
    """
    state = manager.get_state(job_id)
    members = _members(state, states, failed=failed)
    if span is not None:
        members &= bitmap(range(span[0], min(span[1], state.items.count - 1) + 1))
    if key is not None:
        members &= state.inputs.fitting(members, key)
    matched = len(members)
    shown = list(islice(members, limit))
    failures = _failures(manager, state, shown, every=limit is None)
    bounds = {name: _bounds(ledger) for name, ledger in state.ledgers.items()}
    one = next(iter(bounds.values())) if len(bounds) == 1 else Bounds()
    return ItemsView(
        job=state.id,
        seq=state.seq,
        total=state.items.count,
        matched=matched,
        max_attempts=one.max_attempts,
        max_crashes=one.max_crashes,
        items=tuple(_lines(state, shown, failures)),
        collections=bounds if len(bounds) > 1 else UNSET,
    )


def items_page(view: ItemsView) -> Page:
    """A line for each item, in a table for each collection."""
    if not view.collections:
        bounds = Bounds(max_attempts=view.max_attempts, max_crashes=view.max_crashes)
        return (_table("", view.items, bounds),) if view.items else ()
    return tuple(
        _table(name, lines, bounds)
        for name, bounds in view.collections.items()
        if (lines := tuple(line for line in view.items if line.collection == name))
    )


def _table(title: str, lines: tuple[ItemLine, ...], bounds: Bounds) -> Table:
    counted = any(line.attempts is not None for line in lines)
    kinds = any(line.last_failure and line.last_failure.kind for line in lines)
    columns = (
        Column("ITEM"),
        Column("STATE"),
        *((Column("ATTEMPTS", numeric=True),) if counted else ()),
        *((Column("CRASHES"),) if bounds.max_crashes else ()),
        Column("FAILURES", numeric=True),
        Column("CAUSE"),
        *((Column("KIND"),) if kinds else ()),
        Column("LAST FAILURE"),
    )
    rows = tuple(
        (
            line.key,
            line.state,
            *((_attempts(line, bounds),) if counted else ()),
            *((_crashes(line, bounds),) if bounds.max_crashes else ()),
            str(line.failures),
            line.last_failure.cause if line.last_failure else "",
            *((kind_of(line.last_failure) if line.last_failure else "",) if kinds else ()),
            line.last_failure.message if line.last_failure else "",
        )
        for line in lines
    )
    return Table(title=title, columns=columns, rows=rows)


def _members(state: JobState, states: Sequence[str], *, failed: bool) -> BitMap:
    if failed:
        state.require("failure", "items --failed")
    found = [state.failed, state.dead] if failed else []
    if states or not failed:
        for ledger in state.ledgers.values():
            wanted = states or ledger.machine.states
            found.append(ledger.members(*(s for s in wanted if s in ledger.machine.states)))
    return united(found)


def _bounds(ledger: Ledger) -> Bounds:
    roles = ledger.machine.roles
    return Bounds(
        max_attempts=ledger.params.get(roles.max_attempts),
        max_crashes=ledger.params.get(roles.max_crashes, 0),
    )


def _lines(
    state: JobState, ordinals: Iterable[int], failed: Mapping[int, _Failed]
) -> Iterator[ItemLine]:
    ledgers = state.ledgers
    named = len(ledgers) > 1
    only = "".join(ledgers) if not named else ""
    names = {
        (collection, name): StateName.of(ledger.machine, name)
        for collection, ledger in ledgers.items()
        for name in ledger.machine.states
    }
    for ordinal in ordinals:
        collection = state.collection_of(ordinal) if named else only
        ledger = ledgers[collection]
        name, context = ledger.member(ordinal)
        roles = ledger.machine.roles
        key = state.inputs.key(ordinal)
        failures = failed.get(ordinal, _NEVER)
        yield ItemLine(
            ordinal=ordinal,
            key=key,
            state=names[collection, name],
            attempts=context.get(roles.attempts),
            crashes=context.get(roles.crashes, 0),
            suspect=context.get(roles.suspect, False),
            failures=failures.times,
            last_failure=failures.last,
            collection=collection if named else UNSET,
        )


def _failures(
    manager: StateManager, state: JobState, shown: Sequence[int], *, every: bool
) -> dict[int, _Failed]:
    """How often each of the items `shown` failed as of `state`, and how it did the last time."""
    found: dict[int, _Failed] = {}
    if not shown or not can_fail(state):
        return found
    scope = None if every else Scope.ordinals(shown)
    for ordinal, key, failure in manager.failed_attempts(state.id, scope, undecoded=True):
        if failure.seq <= state.seq:
            times = found.get(ordinal, _NEVER).times + 1
            found[ordinal] = _Failed(times, failure_view(key, failure))
    return found


def _attempts(item: ItemLine, bounds: Bounds) -> str:
    if item.attempts is None:
        return ""
    return str(item.attempts) + ("" if bounds.max_attempts is None else f"/{bounds.max_attempts}")


def _crashes(item: ItemLine, bounds: Bounds) -> str:
    """How many executors died of it; of one that none is known to have died of, that it may be."""
    if item.crashes:
        return f"{item.crashes}/{bounds.max_crashes}"
    return "suspected" if item.suspect else ""
