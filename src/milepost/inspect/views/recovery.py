"""The answers about going on: checkpoints, plans, what was left, what is dead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from milepost.inspect.views.jobs import ItemFailure
from milepost.job import CheckpointRef
from milepost.state.reaping import StuckJob

__all__ = [
    "CheckpointView",
    "DeadLine",
    "DeadView",
    "PlanPart",
    "PlanView",
    "ReapView",
    "RecoverView",
    "RequeueView",
    "RewindView",
    "StuckView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView:
    """The checkpoints of a job, newest first, and the seq of the one just `taken`, if one was."""

    SCHEMA: ClassVar[str] = "milepost.checkpoint/1"

    job: str
    taken: int | None
    checkpoints: tuple[CheckpointRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPart:
    """Items that recovery treats alike: how many, why, and the keys of the first of them."""

    name: str
    reason: str
    count: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """What is left to do of a job, and what taking it up again does: `events`, in order.

    `undone` are items whose results are undone, `variables` and `results_available` what is left
    of the phases before once the plan is applied; `undone_variables` names those that are undone.
    """

    SCHEMA: ClassVar[str] = "milepost.plan/1"

    job: str
    seq: int
    fence: int
    scope: str
    phase: str
    resume_phase: str
    events: tuple[str, ...]
    item_events: Mapping[str, int]
    rewinds_to: int | None
    changes_nothing: bool
    to_work_on: int
    parts: tuple[PlanPart, ...]
    undone: PlanPart
    undone_variables: tuple[str, ...]
    undoes_result: bool
    variables: Mapping[str, Any]  # Any: JSON
    results_available: int
    fallbacks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverView:
    """A recovery plan, and whether it was carried out; `seq` and `phase` are as of after it."""

    SCHEMA: ClassVar[str] = "milepost.recover/1"

    applied: bool
    seq: int
    phase: str
    plan: PlanView


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindView(RecoverView):
    """As RecoverView, of a plan that goes back to a commit."""

    SCHEMA: ClassVar[str] = "milepost.rewind/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckView:
    """The jobs that were left by their holders, as of `as_of`.

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
    """One dead letter: the item, and every failed attempt at it, oldest first.

    `crashes` are the executors that died of it, which are among the `failures`.
    """

    ordinal: int
    key: str
    value: Any  # Any: JSON
    attempts: int
    crashes: int
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
