"""What the methods of a manager call: each is loaded when the first of them calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.clock import SystemClock, instant, steady
    from milepost.items.ledger import Ledger, bitmap
    from milepost.items.ledgers import parts_in
    from milepost.items.parts import done_states
    from milepost.job.state import JobState
    from milepost.job.versions import catalogue_of
    from milepost.log.facts import check_job_id
    from milepost.log.payloads import codec_name
    from milepost.metrics import Metrics
    from milepost.process.identity import SystemProcesses
    from milepost.state import checkpoint as checkpoints
    from milepost.state.checkpoint import Checkpoint
    from milepost.state.keeping import carrying, moving, old_homes
    from milepost.state.keeping.collecting import collect
    from milepost.state.keeping.compaction import compact
    from milepost.state.keeping.quarantine import quarantined
    from milepost.state.keeping.repair import damaged_log, repair_job, set_strays_aside, survey
    from milepost.state.keeping.retention import (
        Kept,
        RetentionPlan,
        RetentionPolicy,
        keep_of,
        kept_of,
        plan_jobs,
        plan_retention,
    )
    from milepost.state.keeping.spanning import ALL, extend, mend
    from milepost.state.limits import Limits, checked_entries
    from milepost.state.reading import said, travel
    from milepost.state.reading.beside import check_kept
    from milepost.state.reading.comparing import compare
    from milepost.state.reading.failures import FailedAttempt, Failure, FailureSummary, Grouping
    from milepost.state.reading.folders import family, folder_for, folders_named
    from milepost.state.reading.history import history, since_newest
    from milepost.state.reading.loading import JobLog, Loader
    from milepost.state.reading.locating import Locator, ResultsFar
    from milepost.state.reading.naming import Names
    from milepost.state.reading.outline import Outline, outline
    from milepost.state.reading.passages import Passages
    from milepost.state.reading.phases import phase_entered, phases_entered
    from milepost.state.reading.recorded import fields_of, recorded, stored_of
    from milepost.state.reading.results import RecordedResult, ResultReader
    from milepost.state.reading.sizes import job_sizes
    from milepost.state.reading.taken import taken
    from milepost.state.reading.verification import store_problems, verify_job
    from milepost.state.recovering.dead_letters import dead_in, dead_letters, failures_of, requeue
    from milepost.state.recovering.reaping import reap, stuck
    from milepost.state.recovering.rewinding import WayBack
    from milepost.state.recovering.scope import Scope, select_standing
    from milepost.state.recovery import RecoveryPlan, carry_out, draw_up, plan
    from milepost.state.redoing import again, redo
    from milepost.state.skipping import left_out, skip
    from milepost.state.transitions import (
        ItemEvent,
        JobEvent,
        Write,
        decide,
        item_ordinal,
        named_item,
        prepare,
        refuse_clear_text,
    )
    from milepost.state.writing import lease as leases
    from milepost.state.writing.additions import add_items
    from milepost.state.writing.append import Appender
    from milepost.state.writing.beside import name_folder
    from milepost.state.writing.describing import describe
    from milepost.state.writing.forking import fork
    from milepost.state.writing.given import entries_for, lists_of
    from milepost.state.writing.lease import Lease, holding
    from milepost.state.writing.new_jobs import (
        NewJob,
        check_absent,
        summaries,
        summary,
    )
    from milepost.state.writing.observing import Observer
    from milepost.state.writing.staging import Staging, sweep
    from milepost.stores.opening import open_store
    from milepost.worker.beside import Beside, Keeping, Stored, fetched

__all__ = [
    "ALL",
    "Appender",
    "Beside",
    "Checkpoint",
    "FailedAttempt",
    "Failure",
    "FailureSummary",
    "Grouping",
    "ItemEvent",
    "JobEvent",
    "JobLog",
    "JobState",
    "Keeping",
    "Kept",
    "Lease",
    "Ledger",
    "Limits",
    "Loader",
    "Locator",
    "Metrics",
    "Names",
    "NewJob",
    "Observer",
    "Outline",
    "Passages",
    "RecordedResult",
    "RecoveryPlan",
    "ResultReader",
    "ResultsFar",
    "RetentionPlan",
    "RetentionPolicy",
    "Scope",
    "Staging",
    "Stored",
    "SystemClock",
    "SystemProcesses",
    "WayBack",
    "Write",
    "add_items",
    "again",
    "bitmap",
    "carry_out",
    "carrying",
    "catalogue_of",
    "check_absent",
    "check_job_id",
    "check_kept",
    "checked_entries",
    "checkpoints",
    "codec_name",
    "collect",
    "compact",
    "compare",
    "damaged_log",
    "dead_in",
    "dead_letters",
    "decide",
    "describe",
    "done_states",
    "draw_up",
    "entries_for",
    "extend",
    "failures_of",
    "family",
    "fetched",
    "fields_of",
    "folder_for",
    "folders_named",
    "fork",
    "history",
    "holding",
    "instant",
    "item_ordinal",
    "job_sizes",
    "keep_of",
    "kept_of",
    "leases",
    "left_out",
    "lists_of",
    "mend",
    "moving",
    "name_folder",
    "named_item",
    "old_homes",
    "open_store",
    "outline",
    "parts_in",
    "phase_entered",
    "phases_entered",
    "plan",
    "plan_jobs",
    "plan_retention",
    "prepare",
    "quarantined",
    "reap",
    "recorded",
    "redo",
    "refuse_clear_text",
    "repair_job",
    "requeue",
    "said",
    "select_standing",
    "set_strays_aside",
    "since_newest",
    "skip",
    "steady",
    "store_problems",
    "stored_of",
    "stuck",
    "summaries",
    "summary",
    "survey",
    "sweep",
    "taken",
    "travel",
    "verify_job",
]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "ALL": "milepost.state.keeping.spanning",
        "Appender": "milepost.state.writing.append",
        "Beside": "milepost.worker.beside",
        "Checkpoint": "milepost.state.checkpoint",
        "FailedAttempt": "milepost.state.reading.failures",
        "Failure": "milepost.state.reading.failures",
        "FailureSummary": "milepost.state.reading.failures",
        "Grouping": "milepost.state.reading.failures",
        "ItemEvent": "milepost.state.transitions",
        "JobEvent": "milepost.state.transitions",
        "JobLog": "milepost.state.reading.loading",
        "JobState": "milepost.job.state",
        "Keeping": "milepost.worker.beside",
        "Kept": "milepost.state.keeping.retention",
        "Lease": "milepost.state.writing.lease",
        "Ledger": "milepost.items.ledger",
        "Limits": "milepost.state.limits",
        "Loader": "milepost.state.reading.loading",
        "Locator": "milepost.state.reading.locating",
        "Metrics": "milepost.metrics",
        "Names": "milepost.state.reading.naming",
        "NewJob": "milepost.state.writing.new_jobs",
        "Observer": "milepost.state.writing.observing",
        "Outline": "milepost.state.reading.outline",
        "Passages": "milepost.state.reading.passages",
        "RecordedResult": "milepost.state.reading.results",
        "RecoveryPlan": "milepost.state.recovery",
        "ResultReader": "milepost.state.reading.results",
        "ResultsFar": "milepost.state.reading.locating",
        "RetentionPlan": "milepost.state.keeping.retention",
        "RetentionPolicy": "milepost.state.keeping.retention",
        "Scope": "milepost.state.recovering.scope",
        "Staging": "milepost.state.writing.staging",
        "Stored": "milepost.worker.beside",
        "SystemClock": "milepost.clock",
        "SystemProcesses": "milepost.process.identity",
        "WayBack": "milepost.state.recovering.rewinding",
        "Write": "milepost.state.transitions",
        "add_items": "milepost.state.writing.additions",
        "again": "milepost.state.redoing",
        "bitmap": "milepost.items.ledger",
        "carry_out": "milepost.state.recovery",
        "catalogue_of": "milepost.job.versions",
        "check_absent": "milepost.state.writing.new_jobs",
        "check_job_id": "milepost.log.facts",
        "check_kept": "milepost.state.reading.beside",
        "checked_entries": "milepost.state.limits",
        "codec_name": "milepost.log.payloads",
        "collect": "milepost.state.keeping.collecting",
        "compact": "milepost.state.keeping.compaction",
        "compare": "milepost.state.reading.comparing",
        "damaged_log": "milepost.state.keeping.repair",
        "dead_in": "milepost.state.recovering.dead_letters",
        "dead_letters": "milepost.state.recovering.dead_letters",
        "decide": "milepost.state.transitions",
        "describe": "milepost.state.writing.describing",
        "done_states": "milepost.items.parts",
        "draw_up": "milepost.state.recovery",
        "entries_for": "milepost.state.writing.given",
        "extend": "milepost.state.keeping.spanning",
        "failures_of": "milepost.state.recovering.dead_letters",
        "family": "milepost.state.reading.folders",
        "fetched": "milepost.worker.beside",
        "fields_of": "milepost.state.reading.recorded",
        "folder_for": "milepost.state.reading.folders",
        "folders_named": "milepost.state.reading.folders",
        "fork": "milepost.state.writing.forking",
        "history": "milepost.state.reading.history",
        "holding": "milepost.state.writing.lease",
        "instant": "milepost.clock",
        "item_ordinal": "milepost.state.transitions",
        "job_sizes": "milepost.state.reading.sizes",
        "keep_of": "milepost.state.keeping.retention",
        "kept_of": "milepost.state.keeping.retention",
        "left_out": "milepost.state.skipping",
        "lists_of": "milepost.state.writing.given",
        "mend": "milepost.state.keeping.spanning",
        "name_folder": "milepost.state.writing.beside",
        "named_item": "milepost.state.transitions",
        "open_store": "milepost.stores.opening",
        "outline": "milepost.state.reading.outline",
        "parts_in": "milepost.items.ledgers",
        "phase_entered": "milepost.state.reading.phases",
        "phases_entered": "milepost.state.reading.phases",
        "plan": "milepost.state.recovery",
        "plan_jobs": "milepost.state.keeping.retention",
        "plan_retention": "milepost.state.keeping.retention",
        "prepare": "milepost.state.transitions",
        "quarantined": "milepost.state.keeping.quarantine",
        "reap": "milepost.state.recovering.reaping",
        "recorded": "milepost.state.reading.recorded",
        "redo": "milepost.state.redoing",
        "refuse_clear_text": "milepost.state.transitions",
        "repair_job": "milepost.state.keeping.repair",
        "requeue": "milepost.state.recovering.dead_letters",
        "select_standing": "milepost.state.recovering.scope",
        "set_strays_aside": "milepost.state.keeping.repair",
        "since_newest": "milepost.state.reading.history",
        "skip": "milepost.state.skipping",
        "steady": "milepost.clock",
        "store_problems": "milepost.state.reading.verification",
        "stored_of": "milepost.state.reading.recorded",
        "stuck": "milepost.state.recovering.reaping",
        "summaries": "milepost.state.writing.new_jobs",
        "summary": "milepost.state.writing.new_jobs",
        "survey": "milepost.state.keeping.repair",
        "sweep": "milepost.state.writing.staging",
        "taken": "milepost.state.reading.taken",
        "verify_job": "milepost.state.reading.verification",
    },
    modules={
        "checkpoints": "milepost.state.checkpoint",
        "leases": "milepost.state.writing.lease",
        "carrying": "milepost.state.keeping.carrying",
        "moving": "milepost.state.keeping.moving",
        "old_homes": "milepost.state.keeping.old_homes",
        "said": "milepost.state.reading.said",
        "travel": "milepost.state.reading.travel",
    },
)
