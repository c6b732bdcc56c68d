"""The answers about jobs as they stand: which there are, one of them, its history and items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from milepost.job import CheckpointRef, Progress
from milepost.state.jobs import JobSummary
from milepost.state.liveness import Standing

__all__ = [
    "AllowedEvent",
    "Entered",
    "Guarding",
    "HistoryLine",
    "HistoryView",
    "Holder",
    "ItemFailure",
    "ItemLine",
    "ItemsView",
    "JobsView",
    "PathView",
    "RefusedEvent",
    "ShowView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsView:
    """The jobs of a store, newest first: the first of `total` that were asked for.

    `unreadable` says why jobs are left out, whichever were asked for.
    """

    SCHEMA: ClassVar[str] = "milepost.jobs/1"

    jobs: tuple[JobSummary, ...]
    total: int
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """How a job came into its phase: by `event` of commit `seq`, and what came with it."""

    seq: int
    at: datetime
    event: str
    payload: Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a job. `expired` says that it may be taken over without a reason.

    `expires_at` is by its wall clock, for people.
    """

    owner: str
    fence: int
    expires_at: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFailure:
    """One attempt at an item that failed, as commit `seq` says."""

    key: str
    seq: int
    cause: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedEvent:
    """An event that the job would take now. `fields` are those that its payload must have.

    `targets` are the phases that it may lead to; several only where the payload decides.
    """

    event: str
    doc: str
    targets: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarding:
    """A transition whose guard says no now: its text, its named parts, and what it read."""

    transition: str
    target: str
    guard: str
    definitions: Mapping[str, str]
    values: Mapping[str, Any]  # Any: what guards read is typed by the lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedEvent:
    """An event that the job would refuse now. Without `guards`, its phase has no row for it."""

    event: str
    reason: str
    guards: tuple[Guarding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowView:
    """One job as of commit `seq`, looked at at `as_of`.

    `failures` are the newest of `failure_count` failed attempts, newest last. `orphaned` says
    that a holder was taken over and the job has not been recovered since. `item_events` are
    those that the phase accepts of the items. `rejected_count` counts the writes that were
    refused and kept for the record, `rewinds` are pairs: at which commit, back to which.
    `added_count` is how many of the items came after the job was created.
    """

    SCHEMA: ClassVar[str] = "milepost.show/1"

    job: str
    phase: str
    phase_doc: str
    finished: bool
    as_of: datetime
    entered: Entered
    created_at: datetime
    updated_at: datetime
    seq: int
    fence: int
    progress: Progress
    lease: Holder | None
    standing: Standing | None
    lease_left_s: float
    orphaned: bool
    context: Mapping[str, Any]  # Any: typed by the lifecycle
    item_params: Mapping[str, Any]  # Any: typed by the lifecycle
    variables: Mapping[str, Any]  # Any: JSON
    checkpoint: CheckpointRef | None
    failures: tuple[ItemFailure, ...]
    failure_count: int
    allowed: tuple[AllowedEvent, ...]
    refused: tuple[RefusedEvent, ...]
    item_events: tuple[str, ...]
    rejected_count: int
    rewinds: tuple[tuple[int, int], ...]
    added_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One thing that happened, `elapsed_s` after the one before; None where that is not known.

    `count` is how many items it touched, `keys` names the first few of them; `transitions`
    counts the transitions taken, by machine and id.
    """

    seq: int
    at: datetime
    elapsed_s: float | None
    fence: int
    owner: str | None
    kind: str
    event: str
    source: str
    target: str
    count: int
    keys: tuple[str, ...]
    transitions: Mapping[str, int]
    payload: Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """The newest events of a range of a job's log, oldest first; `cut` if older ones are left out.

    `seq` is the newest commit of the job.
    """

    SCHEMA: ClassVar[str] = "milepost.history/1"

    job: str
    seq: int
    cut: bool
    events: tuple[HistoryLine, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PathView:
    """What a job has been through in one of its machines, as of commit `seq`.

    `current` counts who is in which state now (for machine `job`, the job itself);
    `transitions` counts how often each was taken, by id.
    """

    SCHEMA: ClassVar[str] = "milepost.diagram/1"

    job: str
    lifecycle: str
    machine: str
    seq: int
    visited: tuple[str, ...]
    current: Mapping[str, int]
    transitions: Mapping[str, int]
