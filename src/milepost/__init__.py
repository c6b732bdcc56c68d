"""Milepost: the durable state of long-running jobs that run by a compiled lifecycle.

Names are loaded when they are first used, so that a generated module, which needs nothing but
`milepost.machine`, costs nothing but that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from milepost.aio.manager import AsyncStateManager
    from milepost.aio.upkeep import AsyncUpkeep
    from milepost.clock import Clock
    from milepost.errors import (
        ArgumentInvalid,
        CheckpointAbsent,
        CodecAbsent,
        CommitAbsent,
        CommitUnknown,
        ContextInvalid,
        ExtraAbsent,
        ImportConflict,
        ImportFailed,
        InputChanged,
        InputInvalid,
        ItemAbsent,
        ItemExists,
        ItemKeyDuplicate,
        ItemsRefused,
        JobAbsent,
        JobExists,
        JobFailed,
        JobIdInvalid,
        JobReplaced,
        Large,
        LeaseForeign,
        LeaseHeld,
        LeaseLost,
        LifecycleAbsent,
        LifecycleChanged,
        LifecycleUnfit,
        LifecycleUnknown,
        LogCorrupt,
        MilepostError,
        NotesAbsent,
        PayloadInvalid,
        PlanStale,
        RecordConflict,
        ResultAbsent,
        RoleAbsent,
        RowUnfit,
        ScopeInvalid,
        StagingExpired,
        StateError,
        StoreAbsent,
        StoredResultAbsent,
        StoredResultDamaged,
        StoreError,
        StoreForeign,
        StoreForked,
        StoreFull,
        StoreLocked,
        StoreNewer,
        StoreReadOnly,
        StoreReplaced,
        StoreUnreadable,
        StoreUnsafe,
        TooLarge,
        TransitionRefused,
        UpdateConflict,
        ValueInvalid,
    )
    from milepost.items.inputs import Inputs, Item, KeySet
    from milepost.items.ledger import Ledger, Move
    from milepost.items.ledgers import Ledgers
    from milepost.job.progress import Progress
    from milepost.job.state import CheckpointRef, JobState
    from milepost.job.versions import Catalogue
    from milepost.log.codec import Tally
    from milepost.log.drafts import ReportLine
    from milepost.log.payloads import PayloadCodec
    from milepost.log.rows import StoredSizes, StoreFormat, Stray, Tombstone, Vacuumed
    from milepost.state.checkpoint import Checkpoint, CheckpointPolicy
    from milepost.state.keeping.collecting import Collected, PassedOver
    from milepost.state.keeping.compaction import Compaction
    from milepost.state.keeping.old_homes import HomeImport, JobImport
    from milepost.state.keeping.quarantine import QuarantinedResult, QuarantinedRow
    from milepost.state.keeping.repair import Lost, Repair, RepairStep
    from milepost.state.keeping.retention import Kept, RetentionPlan, RetentionPolicy, Verdict, Why
    from milepost.state.limits import Limits
    from milepost.state.manager import StateManager
    from milepost.state.manager.upkeep import Upkeep
    from milepost.state.manager.users import Users
    from milepost.state.reading.beside import KeptBeside
    from milepost.state.reading.comparing import InputComparison, SomeKeys
    from milepost.state.reading.failures import (
        FailedAttempt,
        Failure,
        FailureDetails,
        FailureGroup,
        Raised,
    )
    from milepost.state.reading.history import StateEvent
    from milepost.state.reading.results import Order, RecordedResult
    from milepost.state.reading.said import Deferred
    from milepost.state.reading.sizes import JobSizes
    from milepost.state.reading.travel import StateDiff
    from milepost.state.reading.verification import Problem, Soundness, Verification
    from milepost.state.recovering.dead_letters import DeadLetter
    from milepost.state.recovering.reaping import StuckJob
    from milepost.state.recovering.rewinding import WayBack
    from milepost.state.recovering.scope import Scope
    from milepost.state.recovery import RecoveryPlan
    from milepost.state.transitions import ItemEvent, JobEvent, Write
    from milepost.state.writing.lease import Holding, Lease
    from milepost.state.writing.liveness import Standing
    from milepost.state.writing.new_jobs import JobSummary
    from milepost.stores.protocol import StateStore
    from milepost.worker.beside import Keeping, Stored

__all__ = [
    "ArgumentInvalid",
    "AsyncStateManager",
    "AsyncUpkeep",
    "Catalogue",
    "Checkpoint",
    "CheckpointAbsent",
    "CheckpointPolicy",
    "CheckpointRef",
    "Clock",
    "CodecAbsent",
    "Collected",
    "CommitAbsent",
    "CommitUnknown",
    "Compaction",
    "ContextInvalid",
    "DeadLetter",
    "Deferred",
    "ExtraAbsent",
    "FailedAttempt",
    "Failure",
    "FailureDetails",
    "FailureGroup",
    "Holding",
    "HomeImport",
    "ImportConflict",
    "ImportFailed",
    "InputChanged",
    "InputComparison",
    "InputInvalid",
    "Inputs",
    "Item",
    "ItemAbsent",
    "ItemEvent",
    "ItemExists",
    "ItemKeyDuplicate",
    "ItemsRefused",
    "JobAbsent",
    "JobEvent",
    "JobExists",
    "JobFailed",
    "JobIdInvalid",
    "JobImport",
    "JobReplaced",
    "JobSizes",
    "JobState",
    "JobSummary",
    "Keeping",
    "Kept",
    "KeptBeside",
    "KeySet",
    "Large",
    "Lease",
    "LeaseForeign",
    "LeaseHeld",
    "LeaseLost",
    "Ledger",
    "Ledgers",
    "LifecycleAbsent",
    "LifecycleChanged",
    "LifecycleUnfit",
    "LifecycleUnknown",
    "Limits",
    "LogCorrupt",
    "Lost",
    "MilepostError",
    "Move",
    "NotesAbsent",
    "Order",
    "PassedOver",
    "PayloadCodec",
    "PayloadInvalid",
    "PlanStale",
    "Problem",
    "Progress",
    "QuarantinedResult",
    "QuarantinedRow",
    "Raised",
    "RecordConflict",
    "RecordedResult",
    "RecoveryPlan",
    "Repair",
    "RepairStep",
    "ReportLine",
    "ResultAbsent",
    "RetentionPlan",
    "RetentionPolicy",
    "RoleAbsent",
    "RowUnfit",
    "Scope",
    "ScopeInvalid",
    "SomeKeys",
    "Soundness",
    "StagingExpired",
    "Standing",
    "StateDiff",
    "StateError",
    "StateEvent",
    "StateManager",
    "StateStore",
    "StoreAbsent",
    "StoreError",
    "StoreForeign",
    "StoreForked",
    "StoreFormat",
    "StoreFull",
    "StoreLocked",
    "StoreNewer",
    "StoreReadOnly",
    "StoreReplaced",
    "StoreUnreadable",
    "StoreUnsafe",
    "Stored",
    "StoredResultAbsent",
    "StoredResultDamaged",
    "StoredSizes",
    "Stray",
    "StuckJob",
    "Tally",
    "Tombstone",
    "TooLarge",
    "TransitionRefused",
    "UpdateConflict",
    "Upkeep",
    "Users",
    "Vacuumed",
    "ValueInvalid",
    "Verdict",
    "Verification",
    "WayBack",
    "Why",
    "Write",
]

_HOMES: Final = {
    "ArgumentInvalid": "milepost.errors",
    "AsyncStateManager": "milepost.aio.manager",
    "AsyncUpkeep": "milepost.aio.upkeep",
    "Catalogue": "milepost.job.versions",
    "Checkpoint": "milepost.state.checkpoint",
    "CheckpointAbsent": "milepost.errors",
    "CheckpointPolicy": "milepost.state.checkpoint",
    "CheckpointRef": "milepost.job.state",
    "Clock": "milepost.clock",
    "CodecAbsent": "milepost.errors",
    "Collected": "milepost.state.keeping.collecting",
    "CommitAbsent": "milepost.errors",
    "CommitUnknown": "milepost.errors",
    "Compaction": "milepost.state.keeping.compaction",
    "ContextInvalid": "milepost.errors",
    "DeadLetter": "milepost.state.recovering.dead_letters",
    "Deferred": "milepost.state.reading.said",
    "ExtraAbsent": "milepost.errors",
    "FailedAttempt": "milepost.state.reading.failures",
    "Failure": "milepost.state.reading.failures",
    "FailureDetails": "milepost.state.reading.failures",
    "FailureGroup": "milepost.state.reading.failures",
    "Holding": "milepost.state.writing.lease",
    "HomeImport": "milepost.state.keeping.old_homes",
    "ImportConflict": "milepost.errors",
    "ImportFailed": "milepost.errors",
    "InputChanged": "milepost.errors",
    "InputComparison": "milepost.state.reading.comparing",
    "InputInvalid": "milepost.errors",
    "Inputs": "milepost.items.inputs",
    "Item": "milepost.items.inputs",
    "ItemAbsent": "milepost.errors",
    "ItemEvent": "milepost.state.transitions",
    "ItemExists": "milepost.errors",
    "ItemKeyDuplicate": "milepost.errors",
    "ItemsRefused": "milepost.errors",
    "JobAbsent": "milepost.errors",
    "JobEvent": "milepost.state.transitions",
    "JobExists": "milepost.errors",
    "JobFailed": "milepost.errors",
    "JobIdInvalid": "milepost.errors",
    "JobImport": "milepost.state.keeping.old_homes",
    "JobReplaced": "milepost.errors",
    "JobSizes": "milepost.state.reading.sizes",
    "JobState": "milepost.job.state",
    "JobSummary": "milepost.state.writing.new_jobs",
    "Keeping": "milepost.worker.beside",
    "Kept": "milepost.state.keeping.retention",
    "KeptBeside": "milepost.state.reading.beside",
    "KeySet": "milepost.items.inputs",
    "Large": "milepost.errors",
    "Lease": "milepost.state.writing.lease",
    "LeaseForeign": "milepost.errors",
    "LeaseHeld": "milepost.errors",
    "LeaseLost": "milepost.errors",
    "Ledger": "milepost.items.ledger",
    "Ledgers": "milepost.items.ledgers",
    "LifecycleAbsent": "milepost.errors",
    "LifecycleChanged": "milepost.errors",
    "LifecycleUnfit": "milepost.errors",
    "LifecycleUnknown": "milepost.errors",
    "Limits": "milepost.state.limits",
    "LogCorrupt": "milepost.errors",
    "Lost": "milepost.state.keeping.repair",
    "MilepostError": "milepost.errors",
    "Move": "milepost.items.ledger",
    "NotesAbsent": "milepost.errors",
    "Order": "milepost.state.reading.results",
    "PassedOver": "milepost.state.keeping.collecting",
    "PayloadCodec": "milepost.log.payloads",
    "PayloadInvalid": "milepost.errors",
    "PlanStale": "milepost.errors",
    "Problem": "milepost.state.reading.verification",
    "Progress": "milepost.job.progress",
    "QuarantinedResult": "milepost.state.keeping.quarantine",
    "QuarantinedRow": "milepost.state.keeping.quarantine",
    "Raised": "milepost.state.reading.failures",
    "RecordConflict": "milepost.errors",
    "RecordedResult": "milepost.state.reading.results",
    "RecoveryPlan": "milepost.state.recovery",
    "Repair": "milepost.state.keeping.repair",
    "RepairStep": "milepost.state.keeping.repair",
    "ReportLine": "milepost.log.drafts",
    "ResultAbsent": "milepost.errors",
    "RetentionPlan": "milepost.state.keeping.retention",
    "RetentionPolicy": "milepost.state.keeping.retention",
    "RoleAbsent": "milepost.errors",
    "RowUnfit": "milepost.errors",
    "Scope": "milepost.state.recovering.scope",
    "ScopeInvalid": "milepost.errors",
    "SomeKeys": "milepost.state.reading.comparing",
    "Soundness": "milepost.state.reading.verification",
    "StagingExpired": "milepost.errors",
    "Standing": "milepost.state.writing.liveness",
    "StateDiff": "milepost.state.reading.travel",
    "StateError": "milepost.errors",
    "StateEvent": "milepost.state.reading.history",
    "StateManager": "milepost.state.manager",
    "StateStore": "milepost.stores.protocol",
    "StoreAbsent": "milepost.errors",
    "StoreError": "milepost.errors",
    "StoreForeign": "milepost.errors",
    "StoreForked": "milepost.errors",
    "StoreFormat": "milepost.log.rows",
    "StoreFull": "milepost.errors",
    "StoreLocked": "milepost.errors",
    "StoreNewer": "milepost.errors",
    "StoreReadOnly": "milepost.errors",
    "StoreReplaced": "milepost.errors",
    "StoreUnreadable": "milepost.errors",
    "StoreUnsafe": "milepost.errors",
    "Stored": "milepost.worker.beside",
    "StoredResultAbsent": "milepost.errors",
    "StoredResultDamaged": "milepost.errors",
    "StoredSizes": "milepost.log.rows",
    "Stray": "milepost.log.rows",
    "StuckJob": "milepost.state.recovering.reaping",
    "Tally": "milepost.log.codec",
    "Tombstone": "milepost.log.rows",
    "TooLarge": "milepost.errors",
    "TransitionRefused": "milepost.errors",
    "UpdateConflict": "milepost.errors",
    "Upkeep": "milepost.state.manager.upkeep",
    "Users": "milepost.state.manager.users",
    "Vacuumed": "milepost.log.rows",
    "ValueInvalid": "milepost.errors",
    "Verdict": "milepost.state.keeping.retention",
    "Verification": "milepost.state.reading.verification",
    "WayBack": "milepost.state.recovering.rewinding",
    "Why": "milepost.state.keeping.retention",
    "Write": "milepost.state.transitions",
}


def __getattr__(name: str) -> object:
    """The public name, from the module that defines it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
