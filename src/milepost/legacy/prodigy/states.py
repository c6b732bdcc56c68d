"""The old job state: `checkpoint-v{N}.json`, the whole job as one JSON, newest N first.

Written after each result: `checkpoint-v{N}.tmp` is synced and renamed, then `metadata.json` the
same way, then all but the three highest N are deleted. So after a crash `metadata.json` may be one
behind, and its absolute path is wrong wherever the home has moved: the directory counts. There is
no checksum. Ids of items are their positions, `item_0` on. `completed_agents` holds failed items
too, the two counts are of events, and `pending_items` may be stale: none of them is relied on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from milepost.legacy.prodigy.accounts import Account, Claim, position_of
from milepost.legacy.prodigy.files import FileKind, Limits, OldFile, load
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.values import AttemptOutcome, ItemStatus, OldAttempt, SourceKind
from milepost.legacy.prodigy.wire import (
    AgentResult,
    Count,
    Instant,
    JobConfig,
    Part,
    outcome_of,
    result_of,
    status_of,
)

__all__ = ["FORMAT", "JobState", "ReducePhase", "account_of_state", "choose_state"]

FORMAT: Final = 1
"""The only format of this file that was ever written."""

_NAME: Final = re.compile(r"checkpoint-v([0-9]+)\.(?:json|tmp)")
_TIMED_OUT: Final = "Agent execution timed out"


class FailureRecord(Part):
    """The last failure of an item."""

    item_id: str
    attempts: Count
    last_error: str
    last_attempt: Instant
    worktree_info: Any = None  # Any: carried as it is


class ReducePhase(Part):
    """How far reducing had come."""

    started: bool
    completed: bool
    executed_commands: list[str] = Field(default_factory=list)
    output: str | None = None
    error: str | None = None
    started_at: Instant | None = None
    completed_at: Instant | None = None


class JobState(Part):
    """The whole job."""

    job_id: str
    config: JobConfig
    started_at: Instant
    updated_at: Instant
    work_items: list[Any]  # Any: JSON
    agent_results: dict[str, AgentResult]
    completed_agents: list[str]
    failed_agents: dict[str, FailureRecord]
    pending_items: list[str]
    checkpoint_version: Count
    checkpoint_format_version: Count = 1
    parent_worktree: str | None = None
    reduce_phase_state: ReducePhase | None = None
    total_items: Count
    successful_count: Count
    failed_count: Count
    is_complete: bool
    agent_template: list[Any]  # Any: carried as it is
    reduce_commands: list[Any] | None = None  # Any: carried as it is
    variables: dict[str, Any] = Field(default_factory=dict)  # Any: JSON
    setup_output: str | None = None
    setup_completed: bool = False
    item_retry_counts: dict[str, Count] = Field(default_factory=dict)


class Metadata(Part):
    """The pointer beside the states; the original reader trusts only `path`."""

    path: str
    version: Count
    created_at: Instant
    size_bytes: Count


def version_of(file: OldFile) -> int:
    """The N of the name; -1 for another name."""
    found = _NAME.fullmatch(file.name)
    return int(found[1]) if found else -1


def choose_state(
    files: Iterable[OldFile], job_id: str, limits: Limits, report: Report
) -> tuple[OldFile, JobState] | None:
    """The state with the highest N of one directory that can be read, or None.

    A temporary file that is whole counts too: it was synced before it was to be renamed. Reads
    from the newest down, and no further than it must.
    """
    of_kind: dict[FileKind, list[OldFile]] = {}
    for file in files:
        of_kind.setdefault(file.kind, []).append(file)
    written = of_kind.get(FileKind.STATE, [])
    candidates = [*written, *of_kind.get(FileKind.STATE_TEMPORARY, [])]
    candidates.sort(key=lambda file: (-version_of(file), file.kind is FileKind.STATE_TEMPORARY))
    chosen: tuple[OldFile, JobState] | None = None
    for file in candidates:
        state = load(file, JobState, limits, report)
        if state is not None and _usable(file, state, job_id, report):
            chosen = file, state
            break
    if chosen is None:
        return None
    file, state = chosen
    newest = candidates[0]
    if newest is not file:
        message = f"used in place of {newest.name}, which could not be read"
        report.add(Code.FELL_BACK, file.shown, message)
    if file.kind is FileKind.STATE_TEMPORARY:
        report.add(Code.TEMPORARY_USED, file.shown, "is whole, and was never renamed")
    _compare_metadata(of_kind.get(FileKind.METADATA, []), file, limits, report)
    _check(file, state, report)
    return chosen


def _usable(file: OldFile, state: JobState, job_id: str, report: Report) -> bool:
    if state.checkpoint_format_version > FORMAT:
        message = f"is of format {state.checkpoint_format_version}; known is {FORMAT}"
        report.add(Code.VERSION_NEWER, file.shown, message)
        return False
    if state.job_id != job_id:
        message = f"says that it is of job {state.job_id!r} and lies with {job_id!r}"
        report.add(Code.ID_DIFFERS, file.shown, message)
    return True


def _compare_metadata(
    pointers: list[OldFile], chosen: OldFile, limits: Limits, report: Report
) -> None:
    if not pointers:
        message = f"no metadata.json: {chosen.name} was chosen by its number"
        report.add(Code.METADATA_ABSENT, chosen.place, message)
        return
    metadata = load(pointers[0], Metadata, limits, report)
    if metadata is not None and metadata.version != version_of(chosen):
        message = f"names version {metadata.version}; {chosen.name} was chosen by its number"
        report.add(Code.METADATA_DIFFERS, pointers[0].shown, message)


def _check(file: OldFile, state: JobState, report: Report) -> None:
    """Report what the state says of itself that does not hold; none of it is relied on."""
    if state.checkpoint_version != version_of(file):
        message = f"says that it is version {state.checkpoint_version}; the name counts"
        report.add(Code.INCONSISTENT, file.shown, message)
    if state.total_items != len(state.work_items):
        message = f"counts {state.total_items} items and lists {len(state.work_items)}"
        report.add(Code.INCONSISTENT, file.shown, message)
    attempted = state.agent_results.keys() | state.failed_agents.keys()
    pending = {f"item_{n}" for n in range(len(state.work_items))} - attempted
    if pending != set(state.pending_items):
        message = f"lists {len(state.pending_items)} pending items; {len(pending)} have no result"
        report.add(Code.PENDING_DIFFERS, file.shown, message)
    done = sum(result.status.name == "Success" for result in state.agent_results.values())
    failed = len(_failed_ids(state))
    if (state.successful_count, state.failed_count) != (done, failed):
        message = (
            f"counts {state.successful_count} successes and {state.failed_count} failures, by"
            f" event; by item they are {done} and {failed}"
        )
        report.add(Code.COUNTS_DIFFER, file.shown, message)
    both = sorted(
        item_id
        for item_id in state.failed_agents
        if (found := state.agent_results.get(item_id)) and found.status.name == "Success"
    )
    if both:
        message = f"{len(both)} items are both done and failed ({both[0]!r} first): done counts"
        report.add(Code.SUCCESS_WINS, file.shown, message)


def _failed_ids(state: JobState) -> set[str]:
    results = state.agent_results.items()
    failed = {item_id for item_id, r in results if status_of(r.status) is ItemStatus.FAILED}
    return failed | {
        item_id
        for item_id in state.failed_agents
        if (found := state.agent_results.get(item_id)) is None or found.status.name != "Success"
    }


def account_of_state(file: OldFile, state: JobState, report: Report) -> Account:
    """What the state says of each item."""
    account = Account(
        kind=SourceKind.STATE,
        source=file.shown,
        at=state.updated_at,
        values={f"item_{n}": value for n, value in enumerate(state.work_items)},
        listed=True,
        total_items=state.total_items,
    )
    for item_id in sorted(state.agent_results, key=_in_order):
        _take_result(account, item_id, state.agent_results[item_id], state, report)
    for item_id in sorted(state.failed_agents.keys() - state.agent_results.keys(), key=_in_order):
        record = state.failed_agents[item_id]
        account.claim(
            item_id,
            Claim(status=ItemStatus.FAILED, source=file.shown, at=record.last_attempt),
        )
        account.attempt(item_id, _failure(record, None, file.shown))
    for item_id, record in state.failed_agents.items():
        account.count(item_id, record.attempts)
    for item_id, count in state.item_retry_counts.items():
        account.count(item_id, count)
    for item_id in account.values:
        if item_id not in account.claims:
            claim = Claim(status=ItemStatus.PENDING, source=file.shown, derived=True)
            account.claim(item_id, claim)
    return account


def _take_result(
    account: Account, item_id: str, result: AgentResult, state: JobState, report: Report
) -> None:
    status = status_of(result.status)
    if status is None:
        message = (
            f"item {item_id!r} has the unknown status {result.status.name!r}: taken as pending"
        )
        report.add(Code.STATUS_UNKNOWN, account.source, message)
        status = ItemStatus.PENDING
    record = state.failed_agents.get(item_id)
    at: datetime | None = None
    if status is ItemStatus.DONE:
        old = result_of(result, account.source, None)
        account.claim(item_id, Claim(status=status, source=account.source, result=old))
        account.attempt(
            item_id,
            OldAttempt(
                outcome=AttemptOutcome.SUCCEEDED,
                duration=result.duration,
                sources=(account.source,),
            ),
        )
        return
    if record is not None:
        status, at = ItemStatus.FAILED, record.last_attempt
    account.claim(item_id, Claim(status=status, source=account.source, at=at))
    if result.status.name == "Retrying" and isinstance(result.status.content, int):
        account.count(item_id, result.status.content)
    if status is not ItemStatus.PENDING:
        account.attempt(item_id, _failure(record, result, account.source))


def _failure(record: FailureRecord | None, result: AgentResult | None, source: str) -> OldAttempt:
    """The last attempt at an item that did not succeed, from its record and its result."""
    outcome = AttemptOutcome.FAILED if result is None else outcome_of(result.status)
    message = record.last_error if record else ""
    if outcome is AttemptOutcome.UNFINISHED and record is not None:
        outcome = AttemptOutcome.FAILED
    if message == _TIMED_OUT:
        outcome = AttemptOutcome.TIMED_OUT
    details: dict[str, Any] = {}
    if result is not None:
        said = result.status.content if isinstance(result.status.content, str) else ""
        message = message or said or result.error or ""
        details = dict(result_of(result, source, None).record)
    if record is not None and record.worktree_info is not None:
        details = {**details, "worktree_info": record.worktree_info}
    return OldAttempt(
        outcome=outcome,
        number=record.attempts if record else None,
        ended_at=record.last_attempt if record else None,
        duration=result.duration if result else None,
        cause=result.status.name if result else "",
        message=message,
        details=details,
        sources=(source,),
    )


def _in_order(item_id: str) -> tuple[int, str]:
    position = position_of(item_id)
    return (1 << 62 if position is None else position), item_id
