"""The attempts of an item as its events: for tools that tell each with its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from milepost.legacy.telling.values import Move
from milepost.lifecycles.mapreduce import Cause, ItemEventName
from milepost.text.wording import short_repr

__all__ = ["MOST_ATTEMPTS", "ToldAttempt", "moves_of"]

MOST_ATTEMPTS: Final = 100
"""The most attempts that an item may use up here."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToldAttempt:
    """An attempt that gave a result, or failed with a message; times are None if not known."""

    succeeded: bool
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cause: str = Cause.ERROR.value
    message: str = ""


def moves_of(attempts: Sequence[ToldAttempt]) -> tuple[tuple[Move, ...], int]:
    """The events of the attempts, and how many of them were too many: the oldest are left out.

    An item whose last attempt failed stands as failed, with an attempt left. Only the last may
    have succeeded.
    """
    most = MOST_ATTEMPTS if attempts and attempts[-1].succeeded else MOST_ATTEMPTS - 1
    dropped = max(0, len(attempts) - most)
    moves: list[Move] = []
    for attempt in attempts[dropped:]:
        if moves:
            moves.append(Move(ItemEventName.RETRY))
        moves.append(Move(ItemEventName.START, attempt.started_at))
        if attempt.succeeded:
            moves.append(Move(ItemEventName.SUCCEED, attempt.ended_at))
        else:
            moves.append(Move(ItemEventName.FAIL, attempt.ended_at, attempt.cause, attempt.message))
    return tuple(moves), dropped
