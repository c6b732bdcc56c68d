"""`milepost watch`: how a job stands, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from milepost.inspect.counts import Counts, counts_of
from milepost.inspect.page import Cell, Fields, Page
from milepost.inspect.standing import far
from milepost.inspect.states import StateName, phase_of
from milepost.inspect.words import stamp
from milepost.job.state import JobState

__all__ = ["WatchView", "has_ended", "watch", "watch_page"]


class WatchView(Struct, frozen=True, kw_only=True):
    """How a job stands as of commit `seq`.

    `outcome` is how it ended: `succeeded`, `failed` or `cancelled`, as its lifecycle says;
    `ended` where that does not say how; empty while it goes on.
    """

    SCHEMA: ClassVar[str] = "milepost.watch/1"

    job: str
    seq: int
    phase: StateName
    outcome: str
    progress: Counts
    updated_at: datetime


def has_ended(state: JobState) -> bool:
    """True if nothing goes on by itself: it is final, or its lifecycle says how it ended."""
    return state.finished or state.phase in state.roles.outcomes


def watch(state: JobState) -> WatchView:
    """How the job of `state` stands."""
    outcome = state.roles.outcomes.get(state.phase)
    return WatchView(
        job=state.id,
        seq=state.seq,
        phase=phase_of(state),
        outcome=str(outcome) if outcome is not None else "ended" if state.finished else "",
        progress=counts_of(state),
        updated_at=state.updated_at,
    )


def watch_page(view: WatchView) -> Page:
    """A few lines: the phase, and where the items are."""
    entries: list[tuple[str, Cell]] = [("job", view.job), ("phase", view.phase)]
    if view.progress.total:
        entries += far("", view.progress)
    entries.append(("updated", f"{stamp(view.updated_at)}, seq {view.seq}"))
    return (Fields(entries=tuple(entries)),)
