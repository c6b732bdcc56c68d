"""What a newer checkpoint says of each item.

An id should be in one list only. Where it is in several, or in the lists and in the results by
agent, every claim is kept, and bringing sources together decides. Results of attempts that timed
out or were cancelled go back to pending in this format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milepost.legacy.prodigy.accounts import Account, Claim, position_of
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.values import AttemptOutcome, ItemStatus, OldAttempt, SourceKind
from milepost.legacy.prodigy.wire import AgentResult, outcome_of, result_of, status_of

if TYPE_CHECKING:
    from datetime import datetime

    from milepost.legacy.prodigy.checkpoints import Checkpoint, WorkItem
    from milepost.legacy.prodigy.files import OldFile

__all__ = ["account_of_checkpoint"]


def account_of_checkpoint(file: OldFile, checkpoint: Checkpoint, report: Report) -> Account:
    """The items by position where their ids tell it, then in the order of the lists."""
    items = checkpoint.work_item_state
    source = file.shown
    account = Account(
        kind=SourceKind.CHECKPOINT,
        source=source,
        at=checkpoint.metadata.created_at,
        total_items=checkpoint.metadata.total_work_items,
    )
    work_items = [
        *(entry.work_item for entry in items.completed_items),
        *(entry.work_item for entry in items.failed_items),
        *(entry.work_item for entry in items.in_progress_items.values()),
        *items.pending_items,
    ]
    _take_values(account, work_items, report)
    for done in items.completed_items:
        _take_result(account, done.work_item.id, done.result, done.completed_at, report)
    for failed in items.failed_items:
        item_id = failed.work_item.id
        at = failed.failed_at
        account.claim(item_id, Claim(status=ItemStatus.FAILED, source=source, at=at))
        account.attempt(item_id, _failure(failed.error, at, source))
        account.count(item_id, failed.retry_count)
    for item_id, result in sorted(checkpoint.agent_state.agent_results.items()):
        if not _known(account, item_id, success=result.status.name == "Success"):
            _take_result(account, item_id, result, None, report)
    for held in items.in_progress_items.values():
        item_id = held.work_item.id
        at = held.started_at
        account.claim(item_id, Claim(status=ItemStatus.IN_FLIGHT, source=source, at=at))
        attempt = OldAttempt(
            outcome=AttemptOutcome.UNFINISHED,
            started_at=at,
            agent_id=held.agent_id,
            sources=(source,),
        )
        account.attempt(item_id, attempt)
    for dead in checkpoint.error_state.dlq_items:
        at = dead.timestamp
        account.claim(dead.item_id, Claim(status=ItemStatus.DEAD, source=source, at=at))
        if not _known(account, dead.item_id, success=False):
            account.attempt(dead.item_id, _failure(dead.error, at, source))
        account.count(dead.item_id, dead.retry_count)
    for pending in items.pending_items:
        claim = Claim(status=ItemStatus.PENDING, source=source, at=account.at)
        account.claim(pending.id, claim)
    return account


def _known(account: Account, item_id: str, *, success: bool) -> bool:
    """True if an attempt at the item that ended this way is known already."""
    return any(
        (attempt.outcome is AttemptOutcome.SUCCEEDED) == success
        for attempt in account.attempts.get(item_id, ())
    )


def _take_values(account: Account, work_items: list[WorkItem], report: Report) -> None:
    found: dict[str, Any] = {}
    repeated: dict[str, int] = {}
    for item in work_items:
        if item.id not in found:
            found[item.id] = item.data
            continue
        repeated[item.id] = repeated.get(item.id, 1) + 1
        if found[item.id] != item.data:
            message = f"item {item.id!r} is there with two values: the first was carried"
            report.add(Code.VALUE_DIFFERS, account.source, message)
    for item_id, count in repeated.items():
        message = f"item {item_id!r} is listed {count} times"
        report.add(Code.ITEM_DUPLICATE, account.source, message)
    order = {item_id: number for number, item_id in enumerate(found)}

    def place(item_id: str) -> tuple[int, int]:
        position = position_of(item_id)
        return (1 << 62 if position is None else position), order[item_id]

    account.values = {item_id: found[item_id] for item_id in sorted(found, key=place)}


def _take_result(
    account: Account,
    item_id: str,
    result: AgentResult,
    ended_at: datetime | None,
    report: Report,
) -> None:
    status = status_of(result.status)
    if status is None:
        message = f"item {item_id!r} has the unknown status {result.status.name!r}: not used"
        report.add(Code.STATUS_UNKNOWN, account.source, message)
        return
    done = status is ItemStatus.DONE
    old = result_of(result, account.source, ended_at) if done else None
    claim = Claim(
        status=status,
        source=account.source,
        at=ended_at,
        result=old,
        derived=ended_at is None and not done,  # the lists count more than the results by agent
    )
    account.claim(item_id, claim)
    if status is ItemStatus.PENDING:
        return
    said = result.status.content if isinstance(result.status.content, str) else ""
    attempt = OldAttempt(
        outcome=outcome_of(result.status),
        ended_at=ended_at,
        duration=result.duration,
        cause="" if done else result.status.name,
        message="" if done else said or result.error or "",
        sources=(account.source,),
    )
    account.attempt(item_id, attempt)


def _failure(message: str, at: datetime, source: str) -> OldAttempt:
    return OldAttempt(
        outcome=AttemptOutcome.FAILED, ended_at=at, message=message, sources=(source,)
    )
