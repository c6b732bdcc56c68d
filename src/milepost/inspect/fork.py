"""`milepost fork`: a new job that goes on from a past moment of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from msgspec import UNSET, Struct

from milepost.errors import JobExists
from milepost.inspect.changes import Moment, moment
from milepost.inspect.counts import Counts
from milepost.inspect.page import Cell, Fields, Note, Page
from milepost.inspect.words import stamp
from milepost.log.facts import check_job_id
from milepost.state.manager import StateManager

__all__ = ["ForkView", "fork", "fork_page"]


class ForkView(Struct, frozen=True, kw_only=True):
    """A job that stands, or would stand, as `source` did; `applied` says which of them."""

    SCHEMA: ClassVar[str] = "milepost.fork/1"

    job: str
    applied: bool
    source: str
    moment: Moment


def fork(
    manager: StateManager, job_id: str, seq: int, new: str, *, reason: str, apply: bool
) -> ForkView:
    """A job `new` that stands as `job_id` did after commit `seq`; it is made only with `apply`.

    Raises JobExists, and as StateManager.fork does.
    """
    if check_job_id(new) in manager.upkeep.stored_ids():
        raise JobExists(job_id=new, url=manager.url)
    state = manager.state_at(job_id, seq)
    if apply:
        manager.fork(job_id, seq, new, reason=reason)
    return ForkView(job=new, applied=apply, source=state.id, moment=moment(state))


def fork_page(view: ForkView) -> Page:
    """What the new job has, and whether it is there."""
    at, progress = view.moment, view.moment.progress
    entries = (
        ("job", view.job),
        ("forks", f"{view.source} at seq {at.seq} ({stamp(at.at)})"),
        ("phase", at.phase),
        *(_items(progress) if progress.parts else ()),
    )
    told = f"{view.job} is there, held by nobody" if view.applied else "nothing was changed"
    return (Fields(entries=entries), Note(told if view.applied else f"{told}: --apply does it"))


def _items(progress: Counts) -> Iterator[tuple[str, Cell]]:
    done = "" if progress.done is UNSET else f"{progress.done} done, "
    yield "items", f"{progress.total}: {done}{sum(progress.left.values())} left"
