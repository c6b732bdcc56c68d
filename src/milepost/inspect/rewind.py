"""`milepost rewind`: a job that goes back to one of its commits."""

from __future__ import annotations

from typing import ClassVar

from milepost.inspect.page import Page
from milepost.inspect.recover import RecoverView, recover, recover_page
from milepost.job.state import JobState
from milepost.state.recovery import RecoveryPlan

__all__ = ["RewindView", "rewind", "rewind_page"]


class RewindView(RecoverView, frozen=True, kw_only=True):
    """As RecoverView, of a plan that goes back to a commit."""

    SCHEMA: ClassVar[str] = "milepost.rewind/1"


def rewind(plan: RecoveryPlan, after: JobState | None, *, keys: int) -> RewindView:
    """`plan` with the first `keys` keys of each part, and the state that it left if applied."""
    done = recover(plan, after, keys=keys)
    return RewindView(applied=done.applied, seq=done.seq, phase=done.phase, plan=done.plan)


def rewind_page(view: RewindView) -> Page:
    """The plan, and what became of it."""
    return recover_page(view)
