"""`milepost resume`: a job that was paused and goes on."""

from __future__ import annotations

from typing import ClassVar

from milepost.inspect.page import Page
from milepost.inspect.steering import Act, Steering, steer, steering_page
from milepost.state.manager import StateManager

__all__ = ["ResumeView", "resume", "resume_page"]


class ResumeView(Steering, frozen=True, kw_only=True):
    """The event, and whether it took place."""

    SCHEMA: ClassVar[str] = "milepost.resume/1"


def resume(manager: StateManager, job_id: str, *, apply: bool) -> ResumeView:
    """The event, fired if `apply` says so. Raises as `steer` does."""
    return steer(ResumeView, manager, job_id, Act.RESUME, apply=apply)


def resume_page(view: ResumeView) -> Page:
    """Where the job is, where it goes, and what became of it."""
    return steering_page(view, Act.RESUME)
