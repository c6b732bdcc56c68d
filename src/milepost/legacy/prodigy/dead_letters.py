"""The dead letter queue: one `items/{item_id}.json` for each item that was given up on.

Written in place without a sync, so a file may be torn. The queue of one job may lie in several
places, by which part of the old tool wrote it. Agents wrote ids like `item_3`; items refused
before the run are `item-3`, with an agent `validation-3`. An item that fails again overwrites its
file with a count of 1, and beyond 1,000 items the oldest tenth was dropped, so a queue may tell
less than there was.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from milepost.legacy.prodigy.accounts import Account, Claim, position_of
from milepost.legacy.prodigy.files import Limits, OldFile, load
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.values import (
    AttemptOutcome,
    ItemStatus,
    OldAttempt,
    OldDeadLetter,
    SourceKind,
)
from milepost.legacy.prodigy.wire import AgentStatus, Count, Instant, Part

__all__ = ["DeadLetter", "account_of_dead_letters"]


class FailureDetail(Part):
    """One failed attempt."""

    attempt_number: Count
    timestamp: Instant
    error_type: AgentStatus
    error_message: str
    error_context: list[str] | None = None
    stack_trace: str | None = None
    agent_id: str
    step_failed: str
    duration_ms: Count
    json_log_location: str | None = None


class DeadLetter(Part):
    """An item that was given up on."""

    item_id: str
    item_data: Any  # Any: JSON
    first_attempt: Instant
    last_attempt: Instant
    failure_count: Count
    failure_history: list[FailureDetail]
    error_signature: str
    worktree_artifacts: Any = None  # Any: carried as it is
    reprocess_eligible: bool
    manual_review_required: bool


def account_of_dead_letters(
    files: Iterable[OldFile], limits: Limits, report: Report
) -> Account | None:
    """What the queues of one job say, or None if nothing in them can be read.

    Of two letters for one item the one with the later attempt is carried, with the history of
    both.
    """
    letters: dict[str, list[tuple[OldFile, DeadLetter]]] = {}
    for file in files:
        letter = load(file, DeadLetter, limits, report)
        if letter is None:
            continue
        if file.name != f"{letter.item_id}.json":
            message = f"says that it is of item {letter.item_id!r}: the content counts"
            report.add(Code.ID_DIFFERS, file.shown, message)
        letters.setdefault(letter.item_id, []).append((file, letter))
    if not letters:
        return None
    first = min(file.place for found in letters.values() for file, _ in found)
    account = Account(kind=SourceKind.DEAD_LETTERS, source=first)
    for item_id in sorted(letters, key=_in_order):
        found = sorted(letters[item_id], key=lambda entry: (entry[1].last_attempt, entry[0].shown))
        _take(account, item_id, found, report)
    account.at = max(letter.last_attempt_at for letter in account.dead_letters.values())
    return account


def _take(
    account: Account, item_id: str, found: list[tuple[OldFile, DeadLetter]], report: Report
) -> None:
    file, letter = found[-1]
    for other, older in found[:-1]:
        if older.item_data == letter.item_data:
            message = f"the same item as {file.shown}, whose last attempt is later"
            report.add(Code.ITEM_DUPLICATE, other.shown, message)
        else:
            message = f"another value of item {item_id!r} than in {file.shown}: left out"
            report.add(Code.VALUE_DIFFERS, other.shown, message)
    account.values[item_id] = letter.item_data
    account.dead_letters[item_id] = OldDeadLetter(
        first_attempt_at=letter.first_attempt,
        last_attempt_at=letter.last_attempt,
        failure_count=letter.failure_count,
        signature=letter.error_signature,
        reprocess_eligible=letter.reprocess_eligible,
        manual_review_required=letter.manual_review_required,
        worktree_artifacts=letter.worktree_artifacts,
        source=file.shown,
    )
    claim = Claim(status=ItemStatus.DEAD, source=file.shown, at=letter.last_attempt)
    account.claim(item_id, claim)
    for other, older in found:
        if older.item_data == letter.item_data:
            account.count(item_id, older.failure_count)
            for detail in older.failure_history:
                account.attempt(item_id, _attempt(detail, other.shown))


def _attempt(detail: FailureDetail, source: str) -> OldAttempt:
    kind = detail.error_type
    kept = {
        "error_content": kind.content,
        "error_context": detail.error_context,
        "stack_trace": detail.stack_trace,
        "json_log_location": detail.json_log_location,
    }
    try:
        duration = timedelta(milliseconds=detail.duration_ms)
    except OverflowError:
        duration = None
    return OldAttempt(
        outcome=AttemptOutcome.TIMED_OUT if kind.name == "Timeout" else AttemptOutcome.FAILED,
        number=detail.attempt_number,
        ended_at=detail.timestamp,
        duration=duration,
        cause=kind.name,
        message=detail.error_message,
        agent_id=detail.agent_id,
        step=detail.step_failed,
        details={key: value for key, value in kept.items() if value is not None},
        sources=(source,),
    )


def _in_order(item_id: str) -> tuple[int, str]:
    position = position_of(item_id.replace("item-", "item_", 1))
    return (1 << 62 if position is None else position), item_id
