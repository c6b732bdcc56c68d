"""`milepost retry`: a job that failed and is taken up again."""

from __future__ import annotations

from typing import ClassVar

from milepost.inspect.page import Page
from milepost.inspect.steering import Act, Steering, steer, steering_page
from milepost.state.manager import StateManager

__all__ = ["RetryView", "retry", "retry_page"]


class RetryView(Steering, frozen=True, kw_only=True):
    """The event, and whether it took place."""

    SCHEMA: ClassVar[str] = "milepost.retry/1"


def retry(manager: StateManager, job_id: str, *, apply: bool) -> RetryView:
    """The event, fired if `apply` says so. Raises as `steer` does."""
    return steer(RetryView, manager, job_id, Act.RETRY, apply=apply)


def retry_page(view: RetryView) -> Page:
    """Where the job is, where it goes, and what became of it."""
    return steering_page(view, Act.RETRY)
