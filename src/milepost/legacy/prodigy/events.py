"""One line of an event log as a typed event.

A line is an object with an id, an instant and, under `event`, a tag and the fields of that tag.
The tag of dead letter events is written `d_l_q_...` and documented as `dlq_...`: both are read.
Events of tags that say nothing of items or outcomes are known and not looked into.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from pydantic import Field, ValidationError

from milepost.legacy.prodigy.wire import Count, Duration, Instant, JobConfig, Part
from milepost.text.keys import key_twice

__all__ = [
    "AgentCompleted",
    "AgentFailed",
    "AgentRetrying",
    "AgentStarted",
    "DeadLetterAdded",
    "DeadLetterRemoved",
    "Event",
    "JobCompleted",
    "JobFailed",
    "JobPaused",
    "JobResumed",
    "JobStarted",
    "OtherEvent",
    "read_event",
    "repeated_key",
]


class _OfJob(Part):
    job_id: str


class JobStarted(_OfJob):
    """The job began."""

    config: JobConfig
    total_items: Count
    timestamp: Instant


class JobCompleted(_OfJob):
    """The job ended; the counts are of items."""

    duration: Duration
    success_count: Count
    failure_count: Count


class JobFailed(_OfJob):
    """The job was given up; `partial_results` counts what was done."""

    error: str
    partial_results: Any = None  # Any: a count or a list


class JobPaused(_OfJob):
    """The job was stopped."""

    checkpoint_version: Count


class JobResumed(_OfJob):
    """The job goes on."""

    checkpoint_version: Count
    pending_items: Count


class AgentStarted(_OfJob):
    """An attempt began: the only event that ties an agent to an item."""

    agent_id: str
    item_id: str
    worktree: str = ""
    attempt: Count


class AgentCompleted(_OfJob):
    """An attempt succeeded. The event does not hold what it gave."""

    agent_id: str
    duration: Duration
    commits: list[str] = Field(default_factory=list)
    json_log_location: str | None = None


class AgentFailed(_OfJob):
    """An attempt failed."""

    agent_id: str
    error: str
    retry_eligible: bool = False


class AgentRetrying(_OfJob):
    """Another attempt will be made."""

    agent_id: str
    attempt: Count
    backoff_ms: Count = 0


class DeadLetterAdded(_OfJob):
    """An item was given up."""

    item_id: str
    error_signature: str = ""
    failure_count: Count = 0


class DeadLetterRemoved(_OfJob):
    """An item was taken back."""

    item_id: str


class OtherEvent(Part):
    """An event that is known and not looked into; those of the model's own have no job."""

    job_id: str | None = None


class _Record(Part):
    id: str
    timestamp: Instant
    correlation_id: str = ""
    event: dict[str, Any]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was read; `body` is None for a tag that is not known."""

    id: str
    at: datetime
    tag: str
    job_id: str | None
    body: Part | None


_TYPED: Final[dict[str, type[Part]]] = {
    "job_started": JobStarted,
    "job_completed": JobCompleted,
    "job_failed": JobFailed,
    "job_paused": JobPaused,
    "job_resumed": JobResumed,
    "agent_started": AgentStarted,
    "agent_completed": AgentCompleted,
    "agent_failed": AgentFailed,
    "agent_retrying": AgentRetrying,
    "dlq_item_added": DeadLetterAdded,
    "dlq_item_removed": DeadLetterRemoved,
}
_KNOWN: Final = frozenset(
    {
        "agent_progress",
        "checkpoint_created",
        "checkpoint_loaded",
        "checkpoint_failed",
        "worktree_created",
        "worktree_merged",
        "worktree_cleaned",
        "queue_depth_changed",
        "memory_pressure",
        "dlq_items_reprocessed",
        "dlq_items_evicted",
        "dlq_analysis_generated",
        "claude_tool_invoked",
        "claude_token_usage",
        "claude_session_started",
        "claude_message",
    }
)


def repeated_key(line: bytes) -> str | None:
    """The key that an object in the line has twice, so that it cannot be read; None if none has."""
    try:
        return key_twice(line.decode())
    except (ValueError, RecursionError):
        return None


def read_event(line: bytes) -> Event | None:
    """The event of a line, or None where the line cannot be read as one."""
    try:
        record = _Record.model_validate(msgspec.json.decode(line))
        if repeated_key(line) is not None:
            return None
        tag = record.event["event_type"]
        if not isinstance(tag, str):
            return None
        if tag.startswith("d_l_q_"):
            tag = "dlq_" + tag.removeprefix("d_l_q_")
        model = _TYPED.get(tag, OtherEvent if tag in _KNOWN else None)
        body = None if model is None else model.model_validate(record.event)
    except (KeyError, ValidationError, msgspec.MsgspecError, ValueError, RecursionError):
        return None  # whoever reads the lines counts and reports these
    job_id = record.event.get("job_id")
    return Event(
        id=record.id,
        at=record.timestamp,
        tag=tag,
        job_id=job_id if isinstance(job_id, str) else None,
        body=body,
    )
