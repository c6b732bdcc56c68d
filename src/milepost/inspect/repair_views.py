"""The answers about what was left or is dead: frozen data, with its schema's name; and View."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

from milepost.inspect.upkeep import BackupView, CompactView, MigrateView
from milepost.inspect.views import (
    ChangesView,
    CheckpointView,
    ForkView,
    GcView,
    HistoryView,
    ImportView,
    ItemFailure,
    ItemsView,
    JobsView,
    KeepView,
    PathView,
    PlanPart,
    PlanView,
    QuarantineView,
    RecoverView,
    RepairView,
    SalvageView,
    ShowView,
    SizesView,
    VerifyView,
)
from milepost.state.reaping import StuckJob

__all__ = ["DeadLine", "DeadView", "ReapView", "RequeueView", "StuckView", "View"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckView:
    """The jobs whose lease has expired and was not given back, as of `as_of`.

    `unreadable` says which jobs cannot be told of, and why.
    """

    SCHEMA: ClassVar[str] = "milepost.jobs.stuck/1"

    as_of: datetime
    jobs: tuple[StuckJob, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReapView:
    """The stuck jobs, and whether they were freed; `alive` are those whose holders came back.

    `unreadable` says which jobs cannot be told of, and why.
    """

    SCHEMA: ClassVar[str] = "milepost.recover.expired/1"

    applied: bool
    as_of: datetime
    jobs: tuple[StuckJob, ...]
    alive: tuple[str, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLine:
    """One dead letter: the item, and every failed attempt at it, oldest first."""

    ordinal: int
    key: str
    value: Any  # Any: JSON
    attempts: int
    failures: tuple[ItemFailure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadView:
    """Dead letters: the first of `matched` that were asked for, of `total` in the job.

    `detailed` says that one was asked for by its key.
    """

    SCHEMA: ClassVar[str] = "milepost.dead/1"

    job: str
    seq: int
    total: int
    matched: int
    detailed: bool
    letters: tuple[DeadLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequeueView:
    """Dead letters that go back to be tried again, and whether they did.

    `accepted` says that the job's `phase` takes them; `seq` is as of after it.
    """

    SCHEMA: ClassVar[str] = "milepost.requeue/1"

    applied: bool
    job: str
    seq: int
    phase: str
    scope: str
    accepted: bool
    requeued: PlanPart
    left: int


View: TypeAlias = (
    JobsView
    | ShowView
    | HistoryView
    | ItemsView
    | CheckpointView
    | PlanView
    | RecoverView
    | DeadView
    | StuckView
    | ReapView
    | RequeueView
    | ChangesView
    | ForkView
    | VerifyView
    | ImportView
    | RepairView
    | QuarantineView
    | SalvageView
    | BackupView
    | MigrateView
    | CompactView
    | PathView
    | GcView
    | KeepView
    | SizesView
)
