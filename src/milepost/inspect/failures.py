"""`milepost failures`: what went wrong with the items of a job, in groups or one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from msgspec import UNSET, Struct, UnsetType

from milepost.arguments import MAX_COUNT
from milepost.inspect.page import Block, Cell, Column, Fields, Lines, Page, Table
from milepost.inspect.words import duration, stamp
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.reading.failures import Failure, FailureDetails, FailureGroup, Raised

if TYPE_CHECKING:
    from milepost.state.recovering.scope import Scope

__all__ = [
    "DetailsLine",
    "FailuresView",
    "GroupLine",
    "ItemFailure",
    "RaisedLine",
    "can_fail",
    "details_of",
    "failure_view",
    "failures",
    "failures_page",
    "failures_table",
    "group_line",
    "groups_table",
    "kind_of",
]


class RaisedLine(Struct, frozen=True, kw_only=True):
    """One exception: its type, and what it says."""

    type: str
    message: str


class DetailsLine(Struct, frozen=True, kw_only=True):
    """What is kept of a failure beside its message; what was not kept is empty, or null.

    `chain` is what the exception was raised from, the nearest first, `members` those of a group.
    """

    type: str
    chain: tuple[RaisedLine, ...]
    members: tuple[RaisedLine, ...]
    traceback: str
    worker: str
    attempt: int | None
    took_s: float | None


class ItemFailure(Struct, frozen=True, kw_only=True):
    """One attempt at an item that failed, as commit `seq` says.

    `kind` is empty where none was recorded. `details` are given where there are any and one item
    is looked at, or each failure is.
    """

    key: str
    seq: int
    cause: str
    message: str
    at: datetime
    kind: str = ""
    permanent: bool = False
    details: DetailsLine | UnsetType = UNSET


class GroupLine(Struct, frozen=True, kw_only=True):
    """Failures of one kind and cause: how many, of how many items, and an example of the last."""

    kind: str
    cause: str
    permanent: bool
    count: int
    items: int
    first_at: datetime
    last_at: datetime
    example_key: str
    example_message: str


class FailuresView(Struct, frozen=True, kw_only=True):
    """The failures of a job, `count` in all, deaths of executors among them.

    `groups` are all that there are. `each` is given where single ones were asked for: the newest
    of them, oldest first.
    """

    SCHEMA: ClassVar[str] = "milepost.failures/1"

    job: str
    seq: int
    count: int
    groups: tuple[GroupLine, ...]
    each: tuple[ItemFailure, ...] | UnsetType = UNSET


def failures(
    manager: StateManager,
    job_id: str,
    *,
    scope: Scope | None = None,
    each: bool = False,
    limit: int | None = None,
) -> FailuresView:
    """The failures of the items in `scope` in groups, and of `each` the newest `limit`.

    Cost: a pass over what failed. Raises JobAbsent, RoleAbsent, ScopeInvalid, ItemAbsent.
    """
    state = manager.get_state(job_id)
    found = manager.failure_summary(
        job_id,
        scope,
        newest=0 if not each else MAX_COUNT if limit is None else limit,
        upto=state.seq,
        deaths=True,
        undecoded=True,
    )
    newest = (failure_view(one.key, one.failure, detailed=True) for one in found.newest)
    return FailuresView(
        job=state.id,
        seq=state.seq,
        count=found.count,
        groups=tuple(map(group_line, found.groups)),
        each=tuple(newest) if each else UNSET,
    )


def failures_page(view: FailuresView, *, details: bool = False) -> Page:
    """A line for each group or each failure; or, of each, all that is known of it."""
    if view.each is UNSET:
        return (groups_table(view.groups),) if view.groups else ()
    if details:
        return tuple(block for one in view.each for block in details_of(one, named=True))
    return (failures_table(view.each),) if view.each else ()


def failures_table(lines: Iterable[ItemFailure], title: str = "") -> Table:
    """A line for each failure, with the item that it is of."""
    every = tuple(lines)
    kinds = any(line.kind for line in every)
    return Table(
        title=title,
        columns=(
            Column("SEQ", numeric=True),
            Column("AT", whole=True),
            Column("ITEM"),
            Column("CAUSE"),
            *((Column("KIND"),) if kinds else ()),
            Column("MESSAGE"),
        ),
        rows=tuple(
            (
                str(line.seq),
                stamp(line.at),
                line.key,
                line.cause,
                *((kind_of(line),) if kinds else ()),
                line.message,
            )
            for line in every
        ),
    )


def groups_table(groups: Iterable[GroupLine], title: str = "") -> Table:
    """A line for each group of failures, the largest first."""
    every = tuple(groups)
    return Table(
        title=title,
        columns=(
            Column("TIMES", numeric=True),
            Column("ITEMS", numeric=True),
            Column("WHAT"),
            Column("FIRST AT", whole=True),
            Column("LAST AT", whole=True),
            Column("LAST ITEM"),
            Column("LAST MESSAGE"),
        ),
        rows=tuple(
            (
                str(group.count),
                str(group.items),
                kind_of(group) or group.cause,
                stamp(group.first_at),
                stamp(group.last_at),
                group.example_key,
                group.example_message,
            )
            for group in every
        ),
    )


def kind_of(failure: ItemFailure | GroupLine) -> str:
    """The kind of the failure, and whether it is for good."""
    if not failure.permanent:
        return failure.kind
    return f"{failure.kind or failure.cause} (permanent)"


def details_of(failure: ItemFailure, *, named: bool = False) -> Iterator[Block]:
    """All that is known of one failure; `named` says of which item it is."""
    details = failure.details or None
    entries: list[tuple[str, Cell]] = [("item", failure.key)] if named else []
    entries += [("seq", str(failure.seq)), ("at", stamp(failure.at)), ("cause", failure.cause)]
    entries += [("kind", kind_of(failure))] if kind_of(failure) else []
    entries.append(("message", failure.message))
    if details is not None:
        entries += list(_about(details))
    yield Fields(entries=tuple(entries))
    if details is not None:
        raised = [("raised from", one) for one in details.chain]
        raised += [("one of them", one) for one in details.members]
        if raised:
            yield Fields(
                entries=tuple((what, f"{one.type}: {one.message}") for what, one in raised)
            )
        yield Lines(title="traceback", lines=tuple(details.traceback.splitlines()))


def group_line(group: FailureGroup) -> GroupLine:
    """A group of failures, as answers have it."""
    return GroupLine(
        kind=group.kind,
        cause=group.cause,
        permanent=group.permanent,
        count=group.count,
        items=group.item_count,
        first_at=group.first_at,
        last_at=group.last_at,
        example_key=group.example_key,
        example_message=group.example_message,
    )


def failure_view(key: str, failure: Failure, *, detailed: bool = False) -> ItemFailure:
    """A failed attempt at the item of that key, with details if there are any and it is asked."""
    return ItemFailure(
        key=key,
        seq=failure.seq,
        cause=failure.cause,
        message=failure.message,
        at=failure.at,
        kind=failure.kind,
        permanent=failure.permanent,
        details=_details(failure.details) if detailed and failure.details else UNSET,
    )


def can_fail(state: JobState) -> bool:
    """True if the lifecycle records failures of items."""
    return any(ledger.machine.roles.failure for ledger in state.ledgers.values())


def _details(details: FailureDetails) -> DetailsLine:
    return DetailsLine(
        type=details.type,
        chain=_raised(details.chain),
        members=_raised(details.members),
        traceback=details.traceback,
        worker=details.worker,
        attempt=details.attempt,
        took_s=details.took_s,
    )


def _raised(every: Iterable[Raised]) -> tuple[RaisedLine, ...]:
    return tuple(RaisedLine(type=one.type, message=one.message) for one in every)


def _said(raised: RaisedLine) -> Cell:
    return f"{raised.type}: {raised.message}" if raised.message else raised.type


def _about(details: DetailsLine) -> Iterator[tuple[str, Cell]]:
    if details.type:
        yield "type", details.type
    if details.attempt is not None:
        yield "attempt", str(details.attempt)
    if details.took_s is not None:
        yield "took", duration(details.took_s)
    if details.worker:
        yield "worker", details.worker
