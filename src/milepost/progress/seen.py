"""What a run tells of itself to whoever looks, between its commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from milepost.job.state import JobState

__all__ = ["Seen"]


class Seen(NamedTuple):
    """One look at a run: the newest state of its job, and what the run did so far.

    `waiting_count` items wait for a time, the next of which comes in `next_due_s`, None where none
    is known. `cost` is what the function reported, in its own unit. `halted` says why nothing is
    left to do, `stopping` why the run is to stop; both are empty while it goes on.
    """

    state: JobState
    done_count: int
    failure_count: int
    waiting_count: int = 0
    next_due_s: float | None = None
    cost: float = 0.0
    halted: str = ""
    stopping: str = ""
