"""`milepost items`: where the items of a job are, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import ClassVar, Final

from milepost.inspect.failures import ItemFailure, failures_of
from milepost.inspect.page import Badge, Column, Page, Table
from milepost.job.state import JobState
from milepost.state.manager import StateManager

__all__ = ["ItemLine", "ItemsView", "items", "items_page"]

_ITEM: Final = "item"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLine:
    """One item. `failures` counts its failed attempts, also those before it was requeued.

    `crashes` are the executors that died of it; a `suspect` was in flight when one died.
    """

    ordinal: int
    key: str
    state: str
    attempts: int
    crashes: int
    suspect: bool
    failures: int
    last_failure: ItemFailure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsView:
    """Items in their order: the first of `matched` that were asked for, of `total` in the job."""

    SCHEMA: ClassVar[str] = "milepost.items/1"

    job: str
    seq: int
    total: int
    matched: int
    max_attempts: int
    max_crashes: int
    items: tuple[ItemLine, ...]


def items(
    manager: StateManager,
    job_id: str,
    *,
    states: Sequence[str] = (),
    key: str | None = None,
    limit: int | None = None,
) -> ItemsView:
    """The first `limit` items in any of `states` (all, if none is given) whose key fits the glob.

    Cost: the keys are read; what failed is read once. Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    members = state.items.members(*(states or state.items.machine.states))
    ordinals: Iterable[int] = members
    matched = len(members)
    if key is not None:
        fitting = [o for o in members if fnmatchcase(state.inputs.key(o), key)]
        ordinals, matched = fitting, len(fitting)
    failed = failures_of(manager, state) if matched else {}
    return ItemsView(
        job=state.id,
        seq=state.seq,
        total=state.items.count,
        matched=matched,
        max_attempts=state.items.params["max_attempts"],
        max_crashes=state.items.params.get("max_crashes", 0),
        items=tuple(_item(state, ordinal, failed) for ordinal in islice(ordinals, limit)),
    )


def items_page(view: ItemsView) -> Page:
    """A line for each item."""
    columns = (
        Column("ITEM"),
        Column("STATE"),
        Column("ATTEMPTS", numeric=True),
        Column("CRASHES"),
        Column("FAILURES", numeric=True),
        Column("CAUSE"),
        Column("LAST FAILURE"),
    )
    rows = tuple(
        (
            item.key,
            Badge(_ITEM, item.state),
            f"{item.attempts}/{view.max_attempts}",
            _crashes(item, view.max_crashes),
            str(item.failures),
            item.last_failure.cause if item.last_failure else "",
            item.last_failure.message if item.last_failure else "",
        )
        for item in view.items
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def _item(state: JobState, ordinal: int, failed: dict[str, list[ItemFailure]]) -> ItemLine:
    name, context = state.items.member(ordinal)
    key = state.inputs.key(ordinal)
    failures = failed.get(key, [])
    return ItemLine(
        ordinal=ordinal,
        key=key,
        state=name,
        attempts=context["attempts"],
        crashes=context.get("crashes", 0),
        suspect=context.get("suspect", False),
        failures=len(failures),
        last_failure=failures[-1] if failures else None,
    )


def _crashes(item: ItemLine, most: int) -> str:
    """How many executors died of it; of one that none is known to have died of, that it may be."""
    if item.crashes:
        return f"{item.crashes}/{most}"
    return "suspect" if item.suspect else ""
