"""The answers of the read model: frozen data, one class a command, with its schema's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from milepost.drafts import Line
from milepost.job import CheckpointRef, Progress
from milepost.rows import StoredSizes, Stray, Vacuumed
from milepost.state.jobs import JobSummary
from milepost.state.quarantine import QuarantinedRow
from milepost.state.repair import Repair
from milepost.state.salvage import SalvagedJob
from milepost.state.verification import Problem

__all__ = [
    "AllowedEvent",
    "ChangedItems",
    "ChangesView",
    "CheckpointView",
    "Entered",
    "ForkView",
    "GcDone",
    "GcLine",
    "GcView",
    "Guarding",
    "HistoryLine",
    "HistoryView",
    "Holder",
    "ImportLine",
    "ImportView",
    "ImportedJob",
    "ItemFailure",
    "ItemLine",
    "ItemsView",
    "JobsView",
    "KeepView",
    "LargeValue",
    "LeftAlone",
    "Moment",
    "PathView",
    "PlanPart",
    "PlanView",
    "QuarantineView",
    "RecoverView",
    "RefusedEvent",
    "RepairView",
    "RewindView",
    "SalvageView",
    "ShowView",
    "SizesView",
    "ValueChange",
    "VerifiedJob",
    "VerifyView",
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
    """Who holds a job. `expired` says that it may be taken over without a reason."""

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
    """One item. `failures` counts its failed attempts, also those before it was requeued."""

    ordinal: int
    key: str
    state: str
    attempts: int
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
    items: tuple[ItemLine, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedJob:
    """What became, or would become, of one old job; `problem` says what stood in the way."""

    job: str
    old_job: str
    repo: str
    outcome: str
    source: str
    phase: str
    progress: Progress | None
    problem: str
    report: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLine:
    """A line of a report, and the job that it is about; `""` where it is of the whole home."""

    job: str
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportView:
    """What became, or would become, of the jobs of an old home; `whole` if nothing was lost."""

    SCHEMA: ClassVar[str] = "milepost.import/1"

    store: str
    home: str
    dry_run: bool
    whole: bool
    jobs: tuple[ImportedJob, ...]
    report: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedJob:
    """What was checked of one job, and what does not hold."""

    job: str
    sound: bool
    commits: int
    checkpoints: int
    items: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyView:
    """The verdict on a store: on the medium itself, and on each job that was checked."""

    SCHEMA: ClassVar[str] = "milepost.verify/1"

    store: str
    sound: bool
    store_problems: tuple[str, ...]
    jobs: tuple[VerifiedJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairView:
    """What a repair does, or did if `applied`: to each job, and to rows of no job.

    `sound` is the verdict of `verify` on what is there now.
    """

    SCHEMA: ClassVar[str] = "milepost.repair/1"

    store: str
    applied: bool
    sound: bool
    repairs: tuple[Repair, ...]
    strays: tuple[Stray, ...]
    store_problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineView:
    """What repairs took out of its place, oldest first."""

    SCHEMA: ClassVar[str] = "milepost.quarantine/1"

    store: str
    rows: tuple[QuarantinedRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageView:
    """What was copied of a damaged store into a new one, and what was lost; `whole`: nothing."""

    SCHEMA: ClassVar[str] = "milepost.salvage/1"

    old: str
    new: str
    whole: bool
    jobs: tuple[SalvagedJob, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GcLine:
    """Whether one job goes, and why.

    `kept_for_s` is how long it is kept, None for ever or as long as it is active; `reason` is that
    of whoever said so, or names its holder. `checkpoints` are those that go though the job stays.
    """

    job: str
    outcome: str
    phase: str
    age_s: float
    goes: bool
    why: str
    kept_for_s: float | None
    reason: str
    checkpoints: tuple[int, ...]
    size_bytes: int
    goes_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAlone:
    """A job of the plan that was not deleted after all, and why."""

    job: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GcDone:
    """What a collector did: see `milepost.state.collecting.Collected`."""

    deleted: tuple[str, ...]
    finished: tuple[str, ...]
    passed_over: tuple[LeftAlone, ...]
    checkpoints: int
    rows: int
    freed_bytes: int
    tombstones: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GcView:
    """What retention says of every job, and what was done about it: None if nothing was.

    `vacuum` is None where no space was given back to the disk. `left` are the ids of jobs whose
    deletion was begun and not ended when it was looked at. `unreadable` says which jobs are left
    alone because they cannot be read.
    """

    SCHEMA: ClassVar[str] = "milepost.gc/1"

    jobs: tuple[GcLine, ...]
    left: tuple[str, ...]
    goes_bytes: int
    done: GcDone | None
    vacuum: Vacuumed | None
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepView:
    """How long a job is kept after its newest commit; None for ever, or by the policy."""

    SCHEMA: ClassVar[str] = "milepost.keep/1"

    job: str
    by_policy: bool
    kept_for_s: float | None
    reason: str
    set_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeValue:
    """A value, by where it is, and the bytes of its JSON."""

    place: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizesView:
    """Where the bytes of a job are, as stored, and its largest values, as JSON."""

    SCHEMA: ClassVar[str] = "milepost.sizes/1"

    job: str
    seq: int
    total_bytes: int
    stored: StoredSizes
    largest: tuple[LargeValue, ...]
