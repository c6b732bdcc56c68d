"""The answers of the read model: frozen data, one class a command, with its schema's name."""

from __future__ import annotations

from typing import TypeAlias

from milepost.inspect.views.imports import (
    ImportedJob,
    ImportLine,
    ImportView,
)
from milepost.inspect.views.integrity import (
    QuarantineView,
    RepairView,
    SalvageView,
    VerifiedJob,
    VerifyView,
)
from milepost.inspect.views.jobs import (
    AllowedEvent,
    Entered,
    Guarding,
    HistoryLine,
    HistoryView,
    Holder,
    ItemFailure,
    ItemLine,
    ItemsView,
    JobsView,
    PathView,
    RefusedEvent,
    ShowView,
)
from milepost.inspect.views.moments import (
    ChangedItems,
    ChangesView,
    ForkView,
    Moment,
    ValueChange,
)
from milepost.inspect.views.recovery import (
    CheckpointView,
    DeadLine,
    DeadView,
    PlanPart,
    PlanView,
    ReapView,
    RecoverView,
    RequeueView,
    RewindView,
    StuckView,
)
from milepost.inspect.views.retention import (
    GcDone,
    GcLine,
    GcView,
    KeepView,
    LargeValue,
    LeftAlone,
    SizesView,
)
from milepost.inspect.views.upkeep import (
    BackupView,
    CompactedJob,
    CompactView,
    MigrateView,
    MigrationStep,
)

__all__ = [
    "AllowedEvent",
    "BackupView",
    "ChangedItems",
    "ChangesView",
    "CheckpointView",
    "CompactView",
    "CompactedJob",
    "DeadLine",
    "DeadView",
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
    "MigrateView",
    "MigrationStep",
    "Moment",
    "PathView",
    "PlanPart",
    "PlanView",
    "QuarantineView",
    "ReapView",
    "RecoverView",
    "RefusedEvent",
    "RepairView",
    "RequeueView",
    "RewindView",
    "SalvageView",
    "ShowView",
    "SizesView",
    "StuckView",
    "ValueChange",
    "VerifiedJob",
    "VerifyView",
    "View",
]

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
