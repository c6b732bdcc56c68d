"""Who drives a job: how its holder stands, in the words that every answer uses."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from milepost.inspect.words import stamp
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.writing.liveness import Standing

__all__ = ["Driver", "begun", "change", "driver_of", "held_by", "is_dead"]

_NOBODY: Final = "nobody drives the job"
_WHAT_TO_DO: Final = "run it again; Ctrl-C ends the watch"


class Driver(NamedTuple):
    """Who drives a job as of one look: its holder, and how that stands; None for nobody.

    `since` is the last that is known of a holder that drives no more, by its own wall clock.
    """

    owner: str | None
    fence: int
    standing: Standing | None
    since: datetime

    @property
    def drives(self) -> bool:
        """True unless nobody holds the job, or whoever does may be replaced."""
        return self.owner is not None and not is_dead(self.standing)


def is_dead(standing: str | None) -> bool:
    """True if a holder that stands so may be replaced: it is gone, or its lease ran out."""
    return standing in (Standing.GONE, Standing.LAPSED)


def driver_of(manager: StateManager, state: JobState) -> Driver:
    """Who drives the job, of which `state` was read just before. Raises JobAbsent.

    Cost: a look-up, where somebody holds it.
    """
    held = None if state.owner is None else manager.holder(state.id)
    if held is None or held.fence != state.fence:  # it changes hands now: the next look tells
        return Driver(state.owner, state.fence, None, state.updated_at)
    since = held.expires_at if held.standing is Standing.LAPSED else state.updated_at
    return Driver(held.owner, held.fence, held.standing, since)


def held_by(owner: str | None, standing: str | None) -> str:
    """The holder of a job, and what is known of it where it does not renew."""
    match standing:
        case _ if owner is None:
            return "nobody"
        case Standing.GONE:
            return f"{owner}, whose process is gone: another may take over"
        case Standing.LAPSED:
            return f"{owner}, whose lease has run out: another may take over"
        case Standing.WATCHED:
            return f"{owner}, whose clock cannot be compared: it may be gone"
        case _:
            return owner


def begun(now: Driver, at: datetime) -> str:
    """What to tell somebody who begins to watch, `at` the time; empty if somebody drives it."""
    if now.owner is None:
        return "nobody holds the job: a run takes it up"
    return "" if now.drives else f"{_NOBODY}: {_why(now, at)}; {_WHAT_TO_DO}"


def change(before: Driver, now: Driver, at: datetime) -> str:
    """What to tell somebody who watches and last saw `before`, `at` the time; empty for nothing.

    A holder that another follows without a break is not told of.
    """
    if now.drives:
        return "" if before.drives else f"{now.owner} drives the job now"
    if not before.drives and (before.owner, before.fence) == (now.owner, now.fence):
        return ""
    why = _why(now, at) if now.owner is not None else f"it was given back, {_since(now, at)}"
    return f"{_NOBODY}: {why}; {_WHAT_TO_DO}"


def _why(now: Driver, at: datetime) -> str:
    """How a holder came to drive no more, and since when."""
    if now.standing == Standing.GONE:
        return f"the process of {now.owner} is gone, its last commit is of {_since(now, at)}"
    return f"the lease of {now.owner} ran out, {_since(now, at)}"


def _since(now: Driver, at: datetime) -> str:
    return stamp(min(now.since, at))
