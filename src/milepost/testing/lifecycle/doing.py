"""One request made of a real job and of the definition's: both take it, or both refuse it alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from milepost.errors import NumberUnfit, RecordConflict
from milepost.machine import PayloadInvalid, TransitionRefused
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent, JobEvent, Request
from milepost.testing.definition import Conflict, Event, Invalid, Job, Refused
from milepost.testing.lifecycle.telling import asked_told, differing

__all__ = ["JOB", "Outcome", "act", "do", "outcome", "requests", "says_what_is_allowed"]

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
    alike = met is None if isinstance(due, Job) else isinstance(met, due)
    if not alike:
        first = f"{asked_told(asked)} is not answered as the definition says:"
        raise AssertionError(differing(first, _answered(met), _defined(job, asked, due), job))
    if met is not None:
        says_what_is_allowed(met)
    return due


def _answered(met: Exception | None) -> str:
    return "takes it" if met is None else f"refuses it, {type(met).__name__}: {met}"


def _defined(job: Job, asked: Sequence[Event], due: Outcome) -> str:
    if isinstance(due, Job):
        rows = ", ".join(f"{one.machine}.{one.row}" for one in due.taken)
        return f"takes it, by {rows}" if rows else "takes it, and changes nothing"
    try:
        job.take(asked)
    except (Refused, Conflict, Invalid) as error:
        names = " or ".join(each.__name__ for each in due)
        return f"refuses it, {names}: {error}" if str(error) else f"refuses it, {names}"
    raise AssertionError("it was refused before")


def says_what_is_allowed(error: Exception) -> None:
    """A refusal names the way out."""
    if type(error) is TransitionRefused:
        assert ("there are rows for:" if error.guards else "allowed:") in str(error)
