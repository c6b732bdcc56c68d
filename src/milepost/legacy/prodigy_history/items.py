"""What one old item went through, as events of the item machine that are legal one after the other.

The old tool kept traces of attempts, not a log: some are known only as a number, their order may
be unclear, and where an item stands may be told without the attempt that led there. An item's
standing always counts; the attempts are put in front of it so that each is one here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from milepost.legacy.prodigy import AttemptOutcome, ItemStatus, OldAttempt, OldItem, OldResult
from milepost.legacy.telling.attempts import MOST_ATTEMPTS
from milepost.legacy.telling.values import Move
from milepost.lifecycles.mapreduce import Cause, ItemEventName

__all__ = ["UNTOLD", "Story", "result_of", "story_of"]

UNTOLD: Final = "the old tool counted this attempt and kept nothing else of it"
"""The message of an attempt that is known only as a number."""

_OTHER_RESULT: Final = "this attempt gave a result; the result of another counts"
_UNENDED: Final = "nothing says how this attempt ended"
_LOST: Final = frozenset({"WorktreeError", "AgentLost", "WorktreeLost"})
_SAYS_NOTHING: Final = frozenset({"", "Failed", "Timeout", "Unknown"})
_KEPT: Final = ("error_context", "stack_trace", "json_log_location", "worktree_info")
_CLOSING: Final[Mapping[ItemStatus, tuple[frozenset[AttemptOutcome], ...]]] = {
    ItemStatus.PENDING: (),
    ItemStatus.IN_FLIGHT: (frozenset({AttemptOutcome.UNFINISHED}),),
    ItemStatus.DONE: (
        frozenset({AttemptOutcome.SUCCEEDED}),
        frozenset({AttemptOutcome.UNFINISHED}),
    ),
    ItemStatus.FAILED: (
        frozenset({AttemptOutcome.FAILED, AttemptOutcome.TIMED_OUT}),
        frozenset({AttemptOutcome.UNFINISHED}),
    ),
}
_SETTLED: Final = frozenset({ItemStatus.DONE, ItemStatus.DEAD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The events of one item in order, and how its attempts were told.

    `attempts` are those that count in the end. `untold` of them were known only as a number,
    `added` had to be added for the item to stand where it does, `dropped` were too many.
    """

    moves: tuple[Move, ...]
    attempts: int
    untold: int
    added: int
    dropped: int


def story_of(item: OldItem, status: ItemStatus) -> Story:
    """The events that lead an item of this history to `status`. O(attempts).

    The attempt that led there comes last, whatever the clocks said. An attempt that is known only
    as a number comes first: it is the beginnings of histories that were lost.
    """
    closing, earlier = _closing(item, status)
    untold = max(0, item.attempts - len(item.history))
    added = 0
    if closing is None and status is not ItemStatus.PENDING:
        closing = OldAttempt(outcome=_outcome(status), message=UNTOLD)
        untold, added = (untold - 1, 0) if untold else (0, 1)
    most = MOST_ATTEMPTS if status in _SETTLED else MOST_ATTEMPTS - 1
    dropped = max(0, untold + len(earlier) + (closing is not None) - most)
    from_untold = min(untold, dropped)
    untold -= from_untold
    earlier = earlier[dropped - from_untold :]
    moves: list[Move] = []
    for attempt in (*_untold(untold), *earlier):
        moves += _passed(attempt)
    if closing is not None:
        moves += _last(closing, item, status)
    return Story(
        moves=tuple(moves),
        attempts=untold + len(earlier) + (closing is not None),
        untold=untold,
        added=added,
        dropped=dropped,
    )


def result_of(result: OldResult | None) -> dict[str, Any]:  # Any: JSON
    """The result as JSON: what the old tool kept of it; `output_known` is false where little is."""
    if result is None:
        return {"output": None, "output_known": False}
    kept = dict(result.record)
    if result.duration is not None:
        kept["duration_s"] = result.duration.total_seconds()
    if not result.complete:
        return {"output": None, **kept, "output_known": False}
    return {"output": result.output, **kept}


def _closing(item: OldItem, status: ItemStatus) -> tuple[OldAttempt | None, list[OldAttempt]]:
    """The attempt that led the item where it stands, if one is told, and the others."""
    wanted = _CLOSING[ItemStatus.FAILED if status is ItemStatus.DEAD else status]
    for outcomes in wanted:
        for number in reversed(range(len(item.history))):
            if item.history[number].outcome in outcomes:
                others = [*item.history[:number], *item.history[number + 1 :]]
                return item.history[number], others
    return None, list(item.history)


def _outcome(status: ItemStatus) -> AttemptOutcome:
    match status:
        case ItemStatus.DONE:
            return AttemptOutcome.SUCCEEDED
        case ItemStatus.IN_FLIGHT:
            return AttemptOutcome.UNFINISHED
        case _:
            return AttemptOutcome.FAILED


def _untold(count: int) -> tuple[OldAttempt, ...]:
    return (OldAttempt(outcome=AttemptOutcome.FAILED, message=UNTOLD),) * count


def _began_at(attempt: OldAttempt) -> datetime | None:
    if attempt.started_at is not None or attempt.ended_at is None or attempt.duration is None:
        return attempt.started_at
    try:
        return attempt.ended_at - attempt.duration
    except OverflowError:
        return None


def _passed(attempt: OldAttempt) -> tuple[Move, ...]:
    """An attempt after which the item was pending again."""
    start = Move(ItemEventName.START, _began_at(attempt))
    match attempt.outcome:
        case AttemptOutcome.UNFINISHED:
            return start, _failed(attempt), Move(ItemEventName.RETRY)
        case AttemptOutcome.SUCCEEDED:
            ended = Move(ItemEventName.FAIL, attempt.ended_at, Cause.ERROR, _OTHER_RESULT)
            return start, ended, Move(ItemEventName.RETRY)
        case _:
            return start, _failed(attempt), Move(ItemEventName.RETRY)


def _last(attempt: OldAttempt, item: OldItem, status: ItemStatus) -> list[Move]:
    """The attempt after which the item stood as it does."""
    moves = [Move(ItemEventName.START, _began_at(attempt))]
    match status:
        case ItemStatus.DONE:
            ended_at = attempt.ended_at
            if ended_at is None and item.result is not None:
                ended_at = item.result.ended_at
            moves.append(Move(ItemEventName.SUCCEED, ended_at))
        case ItemStatus.FAILED:
            moves.append(_failed(attempt))
        case ItemStatus.DEAD:
            given_up_at = item.dead_letter.last_attempt_at if item.dead_letter else None
            moves += [_failed(attempt), Move(ItemEventName.GIVE_UP, given_up_at)]
    return moves


def _failed(attempt: OldAttempt) -> Move:
    cause = Cause.ERROR
    if attempt.outcome is AttemptOutcome.TIMED_OUT or attempt.cause == "Timeout":
        cause = Cause.TIMEOUT
    elif attempt.outcome is AttemptOutcome.UNFINISHED or attempt.cause in _LOST:
        cause = Cause.EXECUTOR_LOST
    return Move(ItemEventName.FAIL, attempt.ended_at, cause, _message(attempt))


def _message(attempt: OldAttempt) -> str:
    """The old message behind the old kind of error; then what else was kept, a line each."""
    said = attempt.message
    if not said and attempt.outcome is AttemptOutcome.UNFINISHED:
        said = _UNENDED
    kind = "" if attempt.cause in _SAYS_NOTHING else attempt.cause
    content = attempt.details.get("error_content")
    if kind and content is not None:
        kind = f"{kind} {_text(content)}"
    lines = [f"{kind}: {said}" if kind and said else kind or said]
    if attempt.step:
        lines.append(f"step: {attempt.step}")
    if attempt.agent_id:
        lines.append(f"agent: {attempt.agent_id}")
    lines += [
        f"{name}: {_text(attempt.details[name])}"
        for name in _KEPT
        if attempt.details.get(name) not in (None, "", [])
    ]
    return "\n".join(lines)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, RecursionError, msgspec.MsgspecError):
        return "(cannot be stored)"
