"""How long a job was in each of its phases, one after the other."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from msgspec import Struct

from milepost.inspect.page import Column, Page, Table
from milepost.inspect.states import StateName, phase_of
from milepost.inspect.words import duration, stamp
from milepost.state.manager import StateManager

__all__ = ["MOST_STAYS", "PhaseStay", "TimelineView", "timeline", "timeline_page"]

MOST_STAYS: Final = 100
"""The most stays that a timeline has, however often a job went to and fro."""


class PhaseStay(Struct, frozen=True, kw_only=True):
    """One stay in a phase, from commit `seq` on, for `seconds`; `left_at` is None if it lasts.

    A phase in which a job has ended takes no time.
    """

    phase: StateName
    seq: int
    entered_at: datetime
    left_at: datetime | None
    seconds: float


class TimelineView(Struct, frozen=True, kw_only=True):
    """The newest stays of a job in its phases, as of commit `seq`, oldest first.

    `cut` says that there were earlier ones. A stay that lasts is counted up to `as_of`.
    """

    SCHEMA: ClassVar[str] = "milepost.timeline/1"

    job: str
    seq: int
    as_of: datetime
    cut: bool
    stays: tuple[PhaseStay, ...]


def timeline(
    manager: StateManager, job_id: str, *, now: datetime, most: int = MOST_STAYS
) -> TimelineView:
    """The newest `most` stays of the job in its phases. Raises JobAbsent, LifecycleChanged.

    Cost: the newest state, and of the log the tallies that its index does not cover and two rows
    for each event of the job.
    """
    state = manager.get_state(job_id)
    found = manager.phases_entered(job_id, limit=most + 1)
    stays: list[PhaseStay] = []
    left_at: datetime | None = None
    for entered in found[:most]:
        lasts = left_at is None and not state.finished
        until = now if lasts else left_at or entered.at
        stays.append(
            PhaseStay(
                phase=phase_of(state, entered.phase),
                seq=entered.seq,
                entered_at=entered.at,
                left_at=left_at,
                seconds=max((until - entered.at).total_seconds(), 0.0),
            )
        )
        left_at = entered.at
    return TimelineView(
        job=state.id, seq=state.seq, as_of=now, cut=len(found) > most, stays=tuple(stays[::-1])
    )


def timeline_page(view: TimelineView) -> Page:
    """A line for each stay, oldest first."""
    columns = (
        Column("PHASE"),
        Column("FROM"),
        Column("FOR", numeric=True),
        Column("SEQ", numeric=True),
    )
    rows = tuple(
        (
            stay.phase,
            stamp(stay.entered_at),
            duration(stay.seconds) if stay.left_at or stay.seconds else "",
            str(stay.seq),
        )
        for stay in view.stays
    )
    return (Table(title="phases", columns=columns, rows=rows),) if rows else ()
