"""`milepost keep`: how long one job is kept."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Note, Page
from milepost.inspect.words import duration, stamp
from milepost.state.manager import StateManager

__all__ = ["KeepView", "keep", "keep_page"]


class KeepView(Struct, frozen=True, kw_only=True):
    """How long a job is kept after its newest commit; None for ever, or by the policy."""

    SCHEMA: ClassVar[str] = "milepost.keep/1"

    job: str
    by_policy: bool
    kept_for_s: float | None
    reason: str
    set_at: datetime | None


def keep(manager: StateManager, job_id: str) -> KeepView:
    """How long one job is kept. Raises JobAbsent."""
    kept = manager.kept(job_id)
    return KeepView(
        job=job_id,
        by_policy=kept is None,
        kept_for_s=kept.for_.total_seconds() if kept and kept.for_ is not None else None,
        reason=kept.reason if kept else "",
        set_at=kept.set_at if kept else None,
    )


def keep_page(view: KeepView) -> Page:
    """One line."""
    if view.by_policy:
        return (Note(f"{view.job} is kept as the policy says"),)
    how_long = "for ever" if view.kept_for_s is None else duration(view.kept_for_s)
    because = f": {view.reason}" if view.reason else ""
    after = "" if view.kept_for_s is None else " after its newest commit"
    since = f" (since {stamp(view.set_at)})" if view.set_at else ""
    return (Note(f"{view.job} is kept {how_long}{after}{since}{because}"),)
