"""Milepost: the durable state of long-running jobs that run by a compiled lifecycle.

Names are loaded when they are first used, so that a generated module, which needs nothing but
`milepost.machine`, costs nothing but that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from milepost.aio.manager import AsyncStateManager
    from milepost.errors import (
        ArgumentInvalid,
        ImportConflict,
        ImportFailed,
        JobAbsent,
        JobExists,
        LeaseHeld,
        LeaseLost,
        MilepostError,
        RecordConflict,
        StateError,
        TooLarge,
        TransitionRefused,
    )
    from milepost.items.inputs import Item
    from milepost.job.progress import Progress
    from milepost.job.state import JobState
    from milepost.log.payloads import PayloadCodec
    from milepost.state.checkpoint import Checkpoint, CheckpointPolicy
    from milepost.state.keeping.old_homes import HomeImport, JobImport
    from milepost.state.keeping.retention import RetentionPolicy
    from milepost.state.limits import Limits
    from milepost.state.manager import StateManager
    from milepost.state.persistence import StateStore
    from milepost.state.reading.history import StateEvent
    from milepost.state.reading.travel import StateDiff
    from milepost.state.recovering.scope import Scope
    from milepost.state.recovery import RecoveryPlan
    from milepost.state.transitions import ItemEvent, JobEvent, Write
    from milepost.state.writing.lease import Lease
    from milepost.state.writing.new_jobs import JobSummary

__all__ = [
    "ArgumentInvalid",
    "AsyncStateManager",
    "Checkpoint",
    "CheckpointPolicy",
    "HomeImport",
    "ImportConflict",
    "ImportFailed",
    "Item",
    "ItemEvent",
    "JobAbsent",
    "JobEvent",
    "JobExists",
    "JobImport",
    "JobState",
    "JobSummary",
    "Lease",
    "LeaseHeld",
    "LeaseLost",
    "Limits",
    "MilepostError",
    "PayloadCodec",
    "Progress",
    "RecordConflict",
    "RecoveryPlan",
    "RetentionPolicy",
    "Scope",
    "StateDiff",
    "StateError",
    "StateEvent",
    "StateManager",
    "StateStore",
    "TooLarge",
    "TransitionRefused",
    "Write",
]

_HOMES: Final = {
    "ArgumentInvalid": "milepost.errors",
    "AsyncStateManager": "milepost.aio.manager",
    "Checkpoint": "milepost.state.checkpoint",
    "CheckpointPolicy": "milepost.state.checkpoint",
    "HomeImport": "milepost.state.keeping.old_homes",
    "ImportConflict": "milepost.errors",
    "ImportFailed": "milepost.errors",
    "Item": "milepost.items.inputs",
    "ItemEvent": "milepost.state.transitions",
    "JobAbsent": "milepost.errors",
    "JobEvent": "milepost.state.transitions",
    "JobExists": "milepost.errors",
    "JobImport": "milepost.state.keeping.old_homes",
    "JobState": "milepost.job.state",
    "JobSummary": "milepost.state.writing.new_jobs",
    "Lease": "milepost.state.writing.lease",
    "LeaseHeld": "milepost.errors",
    "LeaseLost": "milepost.errors",
    "Limits": "milepost.state.limits",
    "MilepostError": "milepost.errors",
    "PayloadCodec": "milepost.log.payloads",
    "Progress": "milepost.job.progress",
    "RecordConflict": "milepost.errors",
    "RecoveryPlan": "milepost.state.recovery",
    "RetentionPolicy": "milepost.state.keeping.retention",
    "Scope": "milepost.state.recovering.scope",
    "StateDiff": "milepost.state.reading.travel",
    "StateError": "milepost.errors",
    "StateEvent": "milepost.state.reading.history",
    "StateManager": "milepost.state.manager",
    "StateStore": "milepost.state.persistence",
    "TooLarge": "milepost.errors",
    "TransitionRefused": "milepost.errors",
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
