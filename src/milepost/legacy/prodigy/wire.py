"""How values are written in every old file: instants, durations, enums, and the parts they share.

Instants are RFC 3339 with up to nine digits of a second. A duration is an object of `secs` and
`nanos`, or in some events a pair of them with the seconds floored. An enum is a name, or an object
with the name as its only key. A key that is absent where null is allowed means null, and unknown
keys are ignored. Hash sets and maps are in no order.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from milepost.legacy.prodigy.values import AttemptOutcome, ItemStatus, OldConfig, OldResult

__all__ = [
    "AgentResult",
    "AgentStatus",
    "Count",
    "Duration",
    "Instant",
    "JobConfig",
    "Part",
    "Tagged",
    "config_of",
    "outcome_of",
    "result_of",
    "status_of",
]

_INSTANT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


def _instant(value: object) -> object:
    """Text as an aware UTC instant, cut off to microseconds; a leap second ends its minute."""
    if not isinstance(value, str):
        return value
    found = _INSTANT.fullmatch(value)
    if found is None:
        raise ValueError(f"{value[:40]!r} is not an RFC 3339 instant")
    *parts, fraction, zone = found.groups()
    year, month, day, hour, minute, second = map(int, parts)
    microsecond = int((fraction or "")[:6].ljust(6, "0"))
    if second == 60:
        second, microsecond = 59, 999_999
    read = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        try:
            read = read + offset if zone[0] == "-" else read - offset
        except OverflowError as error:
            raise ValueError(f"{value!r} is out of range") from error
    return read


def _duration(value: object) -> object:
    """Either form as a timedelta, cut off to microseconds."""
    match value:
        case {"secs": int(seconds), "nanos": int(nanos)}:
            pass
        case [int(seconds), int(nanos)]:
            pass
        case _:
            raise ValueError("is no duration: neither secs and nanos nor a pair of them")
    if not 0 <= nanos < 2_000_000_000:  # chrono writes a leap second as more than 1e9
        raise ValueError(f"{nanos} nanoseconds are out of range")
    try:
        return timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError as error:
        raise ValueError(f"{seconds} seconds are out of range") from error


def _tagged(value: object) -> object:
    """`"Name"` and `{"Name": content}` alike."""
    match value:
        case str(name):
            return {"name": name, "content": None}
        case dict() if len(value) == 1:
            [(name, content)] = value.items()
            return {"name": name, "content": content}
        case _:
            raise ValueError("is neither a name nor an object with a name as its only key")


class Part(BaseModel):
    """An object of the old files."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Tagged(Part):
    """A variant of an enum and what it holds."""

    name: str
    content: Any = None  # Any: JSON


Instant: TypeAlias = Annotated[datetime, BeforeValidator(_instant)]
Duration: TypeAlias = Annotated[timedelta, BeforeValidator(_duration)]
AgentStatus: TypeAlias = Annotated[Tagged, BeforeValidator(_tagged)]
Count: TypeAlias = Annotated[int, Field(ge=0)]


class JobConfig(Part):
    """How a job was set up."""

    input: str = ""
    json_path: str = ""
    max_parallel: Count = 10
    agent_timeout_secs: Count | None = None
    continue_on_failure: bool
    batch_size: Count | None = None
    enable_checkpoints: bool
    max_items: Count | None = None
    offset: Count | None = None


class AgentResult(Part):
    """The latest result of an item, whatever it was."""

    item_id: str
    status: AgentStatus
    output: str | None = None
    commits: list[str] = []
    files_modified: list[str] | None = None
    duration: Duration
    error: str | None = None
    worktree_path: str | None = None
    branch_name: str | None = None
    worktree_session_id: str | None = None
    json_log_location: str | None = None
    cleanup_status: str | dict[str, str] | None = None


def config_of(config: JobConfig) -> OldConfig:
    """The configuration as a neutral value."""
    return OldConfig(
        input=config.input,
        json_path=config.json_path,
        max_parallel=config.max_parallel,
        agent_timeout_s=config.agent_timeout_secs,
        continue_on_failure=config.continue_on_failure,
        batch_size=config.batch_size,
        enable_checkpoints=config.enable_checkpoints,
        max_items=config.max_items,
        offset=config.offset,
    )


def status_of(status: Tagged) -> ItemStatus | None:
    """Where an item with a result of this status stands; None for a status that is not known."""
    return {
        "Success": ItemStatus.DONE,
        "Failed": ItemStatus.FAILED,
        "Timeout": ItemStatus.FAILED,
        "Running": ItemStatus.IN_FLIGHT,
        "Pending": ItemStatus.PENDING,
        "Retrying": ItemStatus.PENDING,
    }.get(status.name)


def outcome_of(status: Tagged) -> AttemptOutcome:
    """How the attempt ended that left a result of this status."""
    return {
        "Success": AttemptOutcome.SUCCEEDED,
        "Failed": AttemptOutcome.FAILED,
        "Timeout": AttemptOutcome.TIMED_OUT,
    }.get(status.name, AttemptOutcome.UNFINISHED)


def result_of(result: AgentResult, source: str, ended_at: datetime | None) -> OldResult:
    """A successful result as a neutral value."""
    record = result.model_dump(mode="json", exclude={"item_id", "status", "duration"})
    return OldResult(
        output=result.output,
        commits=tuple(result.commits),
        files_modified=tuple(result.files_modified or ()),
        duration=result.duration,
        ended_at=ended_at,
        record={key: value for key, value in record.items() if value is not None},
        source=source,
    )
