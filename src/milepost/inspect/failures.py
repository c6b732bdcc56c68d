"""Failed attempts at items, as answers have them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.reading.failures import Failure

__all__ = ["ItemFailure", "failure_view", "failures_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFailure:
    """One attempt at an item that failed, as commit `seq` says."""

    key: str
    seq: int
    cause: str
    message: str
    at: datetime


def failure_view(key: str, failure: Failure) -> ItemFailure:
    """A failed attempt at the item of that key."""
    return ItemFailure(
        key=key, seq=failure.seq, cause=failure.cause, message=failure.message, at=failure.at
    )


def failures_of(manager: StateManager, state: JobState) -> dict[str, list[ItemFailure]]:
    """The failed attempts by item key, oldest first, as of `state`; none if items cannot fail."""
    roles = [ledger.machine.roles for ledger in state.ledgers.values()]
    if not any(one.failure or one.crash for one in roles):
        return {}
    return {
        key: [failure_view(key, failure) for failure in failures if failure.seq <= state.seq]
        for key, failures in manager.failures(state.id, undecoded=True).items()
    }
