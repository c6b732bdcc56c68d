"""The state that the tool Prodigy (0.4, in Rust) left on disk, read as neutral values.

`read_home(path)` gives each job as an `OldJob` with a report of every choice and every loss.
Nothing is written, no link is followed out of the tree, and every file and what it unpacks to is
bounded. Knows nothing of Milepost's own state.
"""

from milepost.legacy.prodigy.files import FileKind, Limits, OldFile
from milepost.legacy.prodigy.find import Found, OldJobFiles, find_jobs
from milepost.legacy.prodigy.reading import Reading, read_home
from milepost.legacy.prodigy.report import Code, Finding, Severity
from milepost.legacy.prodigy.values import (
    AttemptOutcome,
    ItemStatus,
    JobOutcome,
    OldAttempt,
    OldConfig,
    OldDeadLetter,
    OldItem,
    OldJob,
    OldPhase,
    OldReduce,
    OldReduceStep,
    OldResult,
    OldSetup,
    OutcomeKind,
    SourceKind,
)

__all__ = [
    "AttemptOutcome",
    "Code",
    "FileKind",
    "Finding",
    "Found",
    "ItemStatus",
    "JobOutcome",
    "Limits",
    "OldAttempt",
    "OldConfig",
    "OldDeadLetter",
    "OldFile",
    "OldItem",
    "OldJob",
    "OldJobFiles",
    "OldPhase",
    "OldReduce",
    "OldReduceStep",
    "OldResult",
    "OldSetup",
    "OutcomeKind",
    "Reading",
    "Severity",
    "SourceKind",
    "find_jobs",
    "read_home",
]
