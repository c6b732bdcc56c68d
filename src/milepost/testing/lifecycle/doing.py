"""One request made of a real job and of the definition's: both take it, or both refuse it alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from milepost.errors import NumberUnfit, RecordConflict
from milepost.machine import PayloadInvalid, TransitionRefused
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent, JobEvent, Request
from milepost.testing.definition import Conflict, Event, Invalid, Job, Refused

__all__ = ["JOB", "act", "do", "outcome", "requests", "says_what_is_allowed"]

JOB = "job"

Outcome: TypeAlias = "Job | tuple[type[Exception], ...]"


def requests(asked: Sequence[Event]) -> list[Request]:
    """What is asked for, as managers take it."""
    return [
        JobEvent(one.event, one.payload)
        if one.key is None
        else ItemEvent(one.key, one.event, one.payload)
        for one in asked
    ]


def outcome(job: Job, asked: Sequence[Event]) -> Outcome:
    """The job after it by its definition, or the errors of which one must come."""
    try:
        return job.take(asked)
    except Refused:
        return (TransitionRefused,)
    except Conflict:
        return (RecordConflict,)
    except Invalid:
        return (PayloadInvalid, NumberUnfit)


def act(manager: StateManager, asked: Sequence[Event], job_id: str = JOB) -> None:
    """Ask it of the real job, in one commit."""
    wanted = requests(asked)
    if len(wanted) == 1 and isinstance(wanted[0], JobEvent):
        manager.fire(job_id, wanted[0].event, wanted[0].payload)
    elif all(isinstance(one, ItemEvent) for one in wanted):
        manager.record(job_id, [one for one in wanted if isinstance(one, ItemEvent)])
    else:
        manager.update_state(job_id, lambda _: wanted)


def do(manager: StateManager, job: Job, asked: Sequence[Event], job_id: str = JOB) -> Outcome:
    """Ask it of both, and give the definition's outcome. Raises AssertionError if they differ."""
    due = outcome(job, asked)
    met: Exception | None = None
    try:
        act(manager, asked, job_id)
    except (TransitionRefused, RecordConflict, PayloadInvalid, NumberUnfit) as error:
        met = error
    if isinstance(due, Job):
        assert met is None, f"the definition allows {list(asked)}, and it was refused: {met}"
    else:
        names = " or ".join(each.__name__ for each in due)
        assert met is not None, f"{list(asked)} was taken, and the definition gives {names}"
        assert isinstance(met, due), f"{list(asked)} gave {met!r}, and the definition {names}"
        says_what_is_allowed(met)
    return due


def says_what_is_allowed(error: Exception) -> None:
    """A refusal names the way out."""
    if type(error) is TransitionRefused:
        assert "allowed:" in str(error)
