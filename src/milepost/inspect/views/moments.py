"""The answers about past moments: what differs between two, and a job that goes on from one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from milepost.job import Progress

__all__ = [
    "ChangedItems",
    "ChangesView",
    "ForkView",
    "Moment",
    "ValueChange",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where a job stood after commit `seq`, written at `at`."""

    seq: int
    at: datetime
    phase: str
    owner: str | None
    fence: int
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """What became of one value: `added`, `removed` or `changed`; None stands for what is not."""

    name: str
    change: str
    before: Any  # Any: JSON, or typed by the lifecycle
    after: Any  # Any: as before


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedItems:
    """Items whose `name` went from one value to another: how many, the keys of the first."""

    name: str
    before: Any  # Any: a state, or typed by the lifecycle
    after: Any  # Any: as before
    count: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesView:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkView:
    """A job that stands, or would stand, as `source` did; `applied` says which of them."""

    SCHEMA: ClassVar[str] = "milepost.fork/1"

    job: str
    applied: bool
    source: str
    moment: Moment
