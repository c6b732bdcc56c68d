"""A job of the old tool as neutral values: what was read, free of the format it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from milepost.legacy.prodigy.report import Finding

__all__ = [
    "AttemptOutcome",
    "ItemStatus",
    "JobOutcome",
    "OldAttempt",
    "OldConfig",
    "OldDeadLetter",
    "OldItem",
    "OldJob",
    "OldPhase",
    "OldReduce",
    "OldReduceStep",
    "OldResult",
    "OldSetup",
    "OutcomeKind",
    "SourceKind",
]


class SourceKind(StrEnum):
    """Which of the old formats a value comes from."""

    STATE = "state"
    CHECKPOINT = "checkpoint"
    EVENTS = "events"
    DEAD_LETTERS = "dead-letters"
    REDUCE = "reduce"


class OldPhase(StrEnum):
    """How far a job had come."""

    SETUP = "setup"
    MAP = "map"
    MAP_FINISHED = "map-finished"
    """Every item has an outcome, and reducing has not begun; it is due where `has_reduce`."""
    REDUCE = "reduce"
    DONE = "done"


class ItemStatus(StrEnum):
    """Where an item stood."""

    PENDING = "pending"
    IN_FLIGHT = "in-flight"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    UNFINISHED = "unfinished"
    """It was begun, and nothing says how it ended."""


class OutcomeKind(StrEnum):
    """How a job ended, or stopped."""

    COMPLETED = "completed"
    FAILED = "failed"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class OldAttempt:
    """An attempt at an item, as far as its traces tell; instants are aware UTC.

    `number` is the old tool's own and may begin anew; `cause` is its word for what went wrong,
    `""` if it has none; `details` is the rest of what it kept, as JSON. `sources` are the files.
    """

    outcome: AttemptOutcome
    number: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: timedelta | None = None
    cause: str = ""
    message: str = ""
    agent_id: str | None = None
    step: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    sources: tuple[str, ...] = ()

    @property
    def at(self) -> datetime | None:
        """When it ended, or else when it began; None if neither is known."""
        return self.ended_at or self.started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OldResult:
    """What a successful attempt left. `record` is all of it as JSON, as it was written.

    `complete` is false where only an event tells of the success: then what it gave is not known.
    """

    output: str | None = None
    commits: tuple[str, ...] = ()
    files_modified: tuple[str, ...] = ()
    duration: timedelta | None = None
    ended_at: datetime | None = None
    complete: bool = True
    record: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldDeadLetter:
    """What the dead letter queue says of an item; `worktree_artifacts` is JSON or None."""

    first_attempt_at: datetime
    last_attempt_at: datetime
    failure_count: int
    signature: str
    reprocess_eligible: bool
    manual_review_required: bool
    worktree_artifacts: Any = None  # Any: JSON
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldItem:
    """An item of the job. `value` is its JSON; without `value_known` it is None and says nothing.

    `attempts` counts those known to have been begun; `history` holds those of which anything is
    known, oldest first, and may be shorter.
    """

    old_id: str
    value: Any  # Any: JSON
    value_known: bool = True
    status: ItemStatus = ItemStatus.PENDING
    attempts: int = 0
    result: OldResult | None = None
    history: tuple[OldAttempt, ...] = ()
    dead_letter: OldDeadLetter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OldConfig:
    """How the job was set up; None is "not limited" or "not said"."""

    input: str
    json_path: str
    max_parallel: int
    agent_timeout_s: int | None
    continue_on_failure: bool
    batch_size: int | None
    enable_checkpoints: bool
    max_items: int | None
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OldSetup:
    """The setup phase. `variables` are the job's, whoever set them."""

    completed: bool = False
    output: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class OldReduceStep:
    """The outcome of one step of the reduce phase; `index` counts from 0."""

    index: int
    success: bool
    output: str | None
    error: str | None
    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class OldReduce:
    """The reduce phase. `total_steps` is None where its progress was not kept.

    `map_results` is what it worked on, as JSON, None where not kept. `source` is the file of its
    progress.
    """

    started: bool = False
    completed: bool = False
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output: str | None = None
    error: str | None = None
    steps: tuple[OldReduceStep, ...] = ()
    next_step: int = 0
    total_steps: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    map_results: tuple[Any, ...] | None = None  # Any: JSON
    saved_at: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """How the job ended or stopped, and what was said."""

    kind: OutcomeKind
    at: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldJob:
    """One job as it was found, brought together from all its files. Nothing in it changes.

    `repo` is the last part of the project's path, None where no file says it. `source` is the
    file, or the directory of files, that counts before all others, and `source_kind` its format;
    `""` and None where nothing of the job could be read. `phase` is None where nothing says how far
    the job had come. `has_reduce` is None where not known. `items`
    are in the order of the old job's input where that is known. `total_items` is the old tool's
    own count. `leftovers` holds, as JSON, what no field here is for.
    """

    job_id: str
    repo: str | None
    source: str
    source_kind: SourceKind | None
    started_at: datetime | None = None
    updated_at: datetime | None = None
    config: OldConfig | None = None
    phase: OldPhase | None = None
    outcome: JobOutcome | None = None
    setup: OldSetup = field(default_factory=OldSetup)
    reduce: OldReduce = field(default_factory=OldReduce)
    has_reduce: bool | None = None
    items: tuple[OldItem, ...] = ()
    total_items: int | None = None
    leftovers: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    report: tuple[Finding, ...] = ()
