"""`milepost pause`: a job that is stopped for a while."""

from __future__ import annotations

from typing import ClassVar

from milepost.inspect.page import Page
from milepost.inspect.steering import Act, Steering, steer, steering_page
from milepost.state.manager import StateManager

__all__ = ["PauseView", "pause", "pause_page"]


class PauseView(Steering, frozen=True, kw_only=True):
    """The event, and whether it took place."""

    SCHEMA: ClassVar[str] = "milepost.pause/1"


def pause(manager: StateManager, job_id: str, *, apply: bool) -> PauseView:
    """The event, fired if `apply` says so. Raises as `steer` does."""
    return steer(PauseView, manager, job_id, Act.PAUSE, apply=apply)


def pause_page(view: PauseView) -> Page:
    """Where the job is, where it goes, and what became of it."""
    return steering_page(view, Act.PAUSE)
