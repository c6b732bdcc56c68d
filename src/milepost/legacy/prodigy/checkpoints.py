"""The newer checkpoint: `cp-{uuid}.checkpoint.{gz|json|zst|lz4}`, the whole job in one file.

Renamed without a sync, so the newest may be torn. `integrity_hash` is a SHA-256 over a few numbers
and comes in two variants, by which part of the old tool saved the file: A covers job id, version,
phase, item counts and the lengths of the lists of completed and failed items, B the length of the
list of pending ones too. Either may be `""`: never computed. No results, values or variables are
covered. Saving by B moves items in progress to the end of the pending ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

import msgspec

from milepost.legacy.prodigy.files import FileKind, Limits, OldFile, load, read_json
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.unpack import NotReadError
from milepost.legacy.prodigy.wire import (
    AgentResult,
    AgentStatus,
    Count,
    Duration,
    Instant,
    Part,
)

__all__ = ["VERSION", "Checkpoint", "choose_checkpoint", "integrity_hashes", "peek_job_id"]

VERSION: Final = 1
"""The only version of this file that was ever written."""


class WorkItem(Part):
    """An item and its value."""

    id: str
    data: Any  # Any: JSON


class InProgress(Part):
    """An item that an agent held."""

    work_item: WorkItem
    agent_id: str
    started_at: Instant
    last_update: Instant


class Completed(Part):
    """An item with a result."""

    work_item: WorkItem
    result: AgentResult
    completed_at: Instant


class Failed(Part):
    """An item whose last attempt failed; `retry_count` is 0 in practice."""

    work_item: WorkItem
    error: str
    failed_at: Instant
    retry_count: Count


class Batch(Part):
    """The items that were handed out together."""

    batch_id: str
    items: list[str]
    started_at: Instant


class Metadata(Part):
    """What the checkpoint says of itself."""

    checkpoint_id: str
    job_id: str
    version: Count
    created_at: Instant
    phase: str
    total_work_items: Count
    completed_items: Count
    checkpoint_reason: Any = None  # Any: an enum that nothing depends on
    integrity_hash: str


class PhaseResult(Part):
    """The result of setting up, or of reducing."""

    success: bool
    outputs: list[str]
    duration: Duration


class MapResult(Part):
    """The result of mapping."""

    successful_count: Count
    failed_count: Count
    total_duration: Duration


class ExecutionState(Part):
    """How far the job had come."""

    current_phase: str
    phase_start_time: Instant
    setup_results: PhaseResult | None = None
    map_results: MapResult | None = None
    reduce_results: PhaseResult | None = None
    workflow_variables: dict[str, Any]  # Any: JSON


class WorkItemState(Part):
    """The items; each should be in one list only."""

    pending_items: list[WorkItem]
    in_progress_items: dict[str, InProgress]
    completed_items: list[Completed]
    failed_items: list[Failed]
    current_batch: Batch | None = None


class Agent(Part):
    """An agent at work."""

    agent_id: str
    worktree_path: str
    started_at: Instant
    last_heartbeat: Instant
    status: AgentStatus


class AgentState(Part):
    """Who worked on what."""

    active_agents: dict[str, Agent]
    agent_assignments: dict[str, list[str]]
    agent_results: dict[str, AgentResult]
    resource_allocation: dict[str, Any]  # Any: carried as it is


class VariableState(Part):
    """The variables of the job and of its items."""

    workflow_variables: dict[str, Any]  # Any: JSON
    captured_outputs: dict[str, Any]  # Any: JSON
    environment_variables: dict[str, str]
    item_variables: dict[str, dict[str, str]]


class ResourceState(Part):
    """What the job took up."""

    total_agents_allowed: Count
    current_agents_active: Count
    worktrees_created: list[str]
    worktrees_cleaned: list[str]
    disk_usage_bytes: Count | None = None


class DeadItem(Part):
    """An item in the dead letter queue."""

    item_id: str
    error: str
    timestamp: Instant
    retry_count: Count


class ErrorState(Part):
    """What went wrong."""

    error_count: Count
    dlq_items: list[DeadItem]
    error_threshold_reached: bool
    last_error: str | None = None


class Checkpoint(Part):
    """The whole job."""

    metadata: Metadata
    execution_state: ExecutionState
    work_item_state: WorkItemState
    agent_state: AgentState
    variable_state: VariableState
    resource_state: ResourceState
    error_state: ErrorState


class _PeekMetadata(msgspec.Struct):
    job_id: str
    created_at: str


class _Peek(msgspec.Struct):
    metadata: _PeekMetadata


def peek_job_id(file: OldFile, limits: Limits) -> str | None:
    """The job that a checkpoint says it is of, or None where that cannot be read.

    Decompresses and scans the whole file and keeps nothing else of it.
    """
    try:
        _, peek = read_json(file, limits, _Peek)
    except NotReadError:
        return None  # choosing among the job's checkpoints reports it
    return peek.metadata.job_id


def integrity_hashes(checkpoint: Checkpoint) -> tuple[str, str]:
    """The hashes A and B that the checkpoint should have, in hexadecimal."""
    metadata, items = checkpoint.metadata, checkpoint.work_item_state
    covered = (
        f"{metadata.job_id}{metadata.version}{metadata.phase}{metadata.total_work_items}"
        f"{metadata.completed_items}{len(items.completed_items)}{len(items.failed_items)}"
    )
    with_pending = f"{covered}{len(items.pending_items)}"
    return sha256(covered.encode()).hexdigest(), sha256(with_pending.encode()).hexdigest()


def choose_checkpoint(
    files: Iterable[OldFile], limits: Limits, report: Report
) -> tuple[OldFile, Checkpoint] | None:
    """The newest checkpoint, by the time in it, that can be read and verifies; or None.

    All of them are read, since a name does not tell the time; one is held at a time beside the
    newest so far. Temporary files that are whole count too.
    """
    chosen: tuple[OldFile, Checkpoint] | None = None
    passed_over: list[tuple[OldFile, Checkpoint | None]] = []
    for file in files:
        checkpoint = load(file, Checkpoint, limits, report)
        if checkpoint is None or not _verifies(file, checkpoint, report):
            passed_over.append((file, checkpoint))
        elif chosen is None or _rank(file, checkpoint) > _rank(*chosen):
            chosen = file, checkpoint
    if chosen is None:
        return None
    file, checkpoint = chosen
    _say_how_it_verified(file, checkpoint, report)
    for other, read in passed_over:
        if read is None or read.metadata.created_at >= checkpoint.metadata.created_at:
            message = f"used in place of {other.name}, which did not verify"
            report.add(Code.FELL_BACK, file.shown, message)
    if file.kind is FileKind.CHECKPOINT_TEMPORARY:
        report.add(Code.TEMPORARY_USED, file.shown, "is whole, and was never renamed")
    _check(file, checkpoint, report)
    return chosen


def _rank(file: OldFile, checkpoint: Checkpoint) -> tuple[object, ...]:
    renamed = file.kind is FileKind.CHECKPOINT
    return checkpoint.metadata.created_at, renamed, file.modified_ns, file.shown


def _verifies(file: OldFile, checkpoint: Checkpoint, report: Report) -> bool:
    metadata = checkpoint.metadata
    if metadata.version > VERSION:
        message = f"is of version {metadata.version}; known is {VERSION}"
        report.add(Code.VERSION_NEWER, file.shown, message)
        return False
    if metadata.integrity_hash and metadata.integrity_hash not in integrity_hashes(checkpoint):
        message = "its integrity hash is of neither variant: it was altered or torn"
        report.add(Code.HASH_MISMATCH, file.shown, message)
        return False
    return True


def _say_how_it_verified(file: OldFile, checkpoint: Checkpoint, report: Report) -> None:
    said = checkpoint.metadata.integrity_hash
    if not said:
        message = "its integrity hash was never computed: nothing but its form was checked"
        report.add(Code.HASH_ABSENT, file.shown, message)
        return
    variant = "A" if said == integrity_hashes(checkpoint)[0] else "B"
    covered = "job, version, phase and the numbers of items in all, completed and failed"
    covered += ", and pending" if variant == "B" else ""
    message = f"its hash matches as variant {variant}: it covers {covered}, and no value or result"
    report.add(Code.HASH_MATCHED, file.shown, message)


def _check(file: OldFile, checkpoint: Checkpoint, report: Report) -> None:
    """Report which of the rules that such a file should keep it breaks; it is used all the same."""
    metadata, items, agents = (
        checkpoint.metadata,
        checkpoint.work_item_state,
        checkpoint.agent_state,
    )
    problems: list[str] = []
    count = sum(
        map(
            len,
            (
                items.pending_items,
                items.in_progress_items,
                items.completed_items,
                items.failed_items,
            ),
        )
    )
    if metadata.total_work_items not in {0, count}:
        problems.append(f"counts {metadata.total_work_items} items and lists {count}")
    if metadata.completed_items != len(items.completed_items):
        problems.append(
            f"counts {metadata.completed_items} completed items and lists"
            f" {len(items.completed_items)}"
        )
    if metadata.phase != checkpoint.execution_state.current_phase:
        problems.append(
            f"is in phase {metadata.phase!r} and {checkpoint.execution_state.current_phase!r}"
        )
    idle = sorted(
        agent
        for agent, assigned in agents.agent_assignments.items()
        if assigned and agent not in agents.active_agents
    )
    if idle:
        problems.append(f"{len(idle)} agents have items and are not active ({idle[0]!r} first)")
    if not file.name.startswith(metadata.checkpoint_id + "."):
        problems.append(f"says that it is {metadata.checkpoint_id!r}")
    for problem in problems:
        report.add(Code.INCONSISTENT, file.shown, problem)
