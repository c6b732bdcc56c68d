"""The attempts at one item as several sources tell of them, each attempt once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from milepost.legacy.prodigy.values import AttemptOutcome, OldAttempt

__all__ = ["merge_attempts"]

_SAME_WORDS: Final = timedelta(seconds=60)
_ANY_WORDS: Final = timedelta(seconds=2)
_LOOK_BACK: Final = 100
_LATE: Final = datetime.max.replace(tzinfo=UTC)


def merge_attempts(told: Iterable[OldAttempt]) -> tuple[OldAttempt, ...]:
    """The attempts in `told`, oldest first, those without a time last.

    What comes earlier in `told` counts more where two accounts of one attempt differ. One source
    never tells of an attempt twice. Two sources tell of the same one if no agent speaks against
    it, it ended the same way, and it has the same words or number within a minute, or any words
    within two seconds: attempts at one item follow each other. It is looked for among the last
    hundred only, so that a log of a million attempts costs no square of that.
    """
    merged: list[OldAttempt] = []
    for attempt in told:
        for number in reversed(range(max(0, len(merged) - _LOOK_BACK), len(merged))):
            if _same(merged[number], attempt):
                merged[number] = _joined(merged[number], attempt)
                break
        else:
            merged.append(attempt)
    return tuple(sorted(merged, key=lambda attempt: attempt.at or _LATE))


def _same(one: OldAttempt, other: OldAttempt) -> bool:
    if not set(one.sources).isdisjoint(other.sources):
        return False
    if one.agent_id is not None and other.agent_id is not None and one.agent_id != other.agent_id:
        return False
    if AttemptOutcome.UNFINISHED in {one.outcome, other.outcome}:
        known = one.agent_id is not None and one.agent_id == other.agent_id
        return known and _near(one.started_at, other.started_at, _SAME_WORDS)
    succeeded = AttemptOutcome.SUCCEEDED
    if (one.outcome is succeeded) != (other.outcome is succeeded):
        return False
    if _near(one.ended_at, other.ended_at, _SAME_WORDS) and (
        one.message == other.message or (one.number is not None and one.number == other.number)
    ):
        return True
    known = one.ended_at is not None and other.ended_at is not None
    return known and _near(one.ended_at, other.ended_at, _ANY_WORDS)


def _near(one: datetime | None, other: datetime | None, within: timedelta) -> bool:
    """True if the instants are no further apart, or one of them is not known."""
    return one is None or other is None or abs(one - other) <= within


def _joined(one: OldAttempt, other: OldAttempt) -> OldAttempt:
    outcome = one.outcome
    if outcome is AttemptOutcome.UNFINISHED or other.outcome is AttemptOutcome.TIMED_OUT:
        outcome = other.outcome
    return OldAttempt(
        outcome=outcome,
        number=other.number if one.number is None else one.number,
        started_at=one.started_at or other.started_at,
        ended_at=one.ended_at or other.ended_at,
        duration=other.duration if one.duration is None else one.duration,
        cause=one.cause or other.cause,
        message=one.message or other.message,
        agent_id=one.agent_id or other.agent_id,
        step=one.step or other.step,
        details={**other.details, **one.details},
        sources=(*one.sources, *other.sources),
    )
