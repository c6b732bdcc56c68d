"""`milepost cancel`: a job that is stopped for good."""

from __future__ import annotations

from typing import ClassVar

from milepost.inspect.page import Page
from milepost.inspect.steering import Act, Steering, steer, steering_page
from milepost.state.manager import StateManager

__all__ = ["CancelView", "cancel", "cancel_page"]


class CancelView(Steering, frozen=True, kw_only=True):
    """The event, and whether it took place."""

    SCHEMA: ClassVar[str] = "milepost.cancel/1"


def cancel(manager: StateManager, job_id: str, *, reason: str, apply: bool) -> CancelView:
    """The event, fired if `apply` says so. Raises as `steer` does."""
    return steer(CancelView, manager, job_id, Act.CANCEL, reason=reason, apply=apply)


def cancel_page(view: CancelView) -> Page:
    """Where the job is, where it goes, and what became of it."""
    return steering_page(view, Act.CANCEL)
