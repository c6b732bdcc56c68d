"""`milepost verify --quarantine`: the rows that repairs took out of their places."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct

from milepost.inspect.page import Column, Page, Table
from milepost.inspect.words import stamp
from milepost.state.keeping.quarantine import QuarantinedRow
from milepost.state.manager import StateManager

__all__ = [
    "QuarantineLine",
    "QuarantineView",
    "QuarantinedPayload",
    "quarantine",
    "quarantine_page",
]


class QuarantinedPayload(Struct, frozen=True, kw_only=True):
    """A payload that can be read in a row that was set aside: what `item` would have by `event`."""

    item: str
    event: str
    payload: Any  # Any: JSON


class QuarantineLine(Struct, frozen=True, kw_only=True):
    """A row that was set aside at `at` out of `source`, with all its columns.

    `key` is its seq or first ordinal there. Bytes in `content` are in base64. `results` are the
    payloads that can be read in it.
    """

    number: int
    at: datetime
    job_id: str
    source: str
    key: int
    reason: str
    content: Any  # Any: JSON
    results: tuple[QuarantinedPayload, ...]


class QuarantineView(Struct, frozen=True, kw_only=True):
    """What repairs took out of its place, oldest first."""

    SCHEMA: ClassVar[str] = "milepost.quarantine/1"

    store: str
    rows: tuple[QuarantineLine, ...]


def quarantine(manager: StateManager, job_id: str | None) -> QuarantineView:
    """What repairs set aside, of one job or of all."""
    return QuarantineView(
        store=manager.url, rows=tuple(_line(row) for row in manager.upkeep.quarantine(job_id))
    )


def quarantine_page(view: QuarantineView) -> Page:
    """A line for each row that was set aside."""
    rows = tuple(
        (
            str(row.number),
            stamp(row.at),
            row.job_id,
            row.source,
            str(row.key),
            str(len(row.results)),
            row.reason,
        )
        for row in view.rows
    )
    columns = (
        Column("NUMBER", numeric=True),
        Column("AT", whole=True),
        Column("JOB"),
        Column("FROM"),
        Column("KEY", numeric=True),
        Column("PAYLOADS", numeric=True),
        Column("WHY"),
    )
    return (Table(columns=columns, rows=rows, empty="the quarantine is empty"),)


def _line(row: QuarantinedRow) -> QuarantineLine:
    return QuarantineLine(
        number=row.number,
        at=row.at,
        job_id=row.job_id,
        source=row.source,
        key=row.key,
        reason=row.reason,
        content=row.content,
        results=tuple(
            QuarantinedPayload(item=one.item, event=one.event, payload=one.payload)
            for one in row.results
        ),
    )
