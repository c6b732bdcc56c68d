"""One event of an operator for a job as a whole: to pause, resume, retry or cancel it.

Which event that is, the lifecycle's roles say.
"""

from __future__ import annotations

from enum import StrEnum, auto
from typing import TypeVar

from msgspec import Struct

from milepost import arguments
from milepost.errors import RoleAbsent
from milepost.inspect.holders import driver_of, held_by, is_dead
from milepost.inspect.page import Cell, Fields, Note, Page
from milepost.inspect.states import StateName, phase_of
from milepost.job.state import JobState
from milepost.roles import Outcome
from milepost.state.manager import StateManager
from milepost.state.writing.liveness import Standing
from milepost.text.commands import command

__all__ = ["Act", "Steering", "steer", "steering_page"]


_S = TypeVar("_S", bound="Steering")


class Act(StrEnum):
    """What an operator may do with a job as a whole."""

    PAUSE = auto()
    RESUME = auto()
    RETRY = auto()
    CANCEL = auto()


class Steering(Struct, frozen=True, kw_only=True):
    """One event of an operator for a job, and whether it took place.

    `event` is the lifecycle's name for it. `before` is the phase in which the job was found,
    `phase` the one after it, `seq` as of after it. `accepted` says that it would be taken in
    `before`; where it would not, `instead` is the command that helps, if there is one. `holder` is
    the executor that has the job, and `standing` how it stands, as `milepost show` says it.
    """

    applied: bool
    job: str
    seq: int
    event: str
    before: StateName
    phase: StateName
    accepted: bool
    instead: str
    holder: str | None
    standing: str | None


def steer(
    answer: type[_S],
    manager: StateManager,
    job_id: str,
    act: Act,
    *,
    reason: str = "",
    apply: bool,
) -> _S:
    """The event that does this, fired if `apply` says so; it is written although somebody holds it.

    Raises RoleAbsent where the lifecycle has no such event, and as StateManager.fire does, but
    TransitionRefused only if it is to be fired.
    """
    before = state = manager.get_state(job_id)
    event = _event(before, act)
    instead = _instead(before, act)
    if apply and not instead:
        state = manager.fire(job_id, event, _payload(before, event, reason), operator=True)
    driver = driver_of(manager, state)
    return answer(
        applied=apply and not instead,
        job=state.id,
        seq=state.seq,
        event=event,
        before=phase_of(before),
        phase=phase_of(state),
        accepted=not instead and event in before.allowed(),
        instead=instead,
        holder=driver.owner,
        standing=None if driver.standing is None else str(driver.standing),
    )


def steering_page(view: Steering, act: Act) -> Page:
    """Where the job is, where it goes, and what became of it."""
    entries: list[tuple[str, Cell]] = [
        ("job", view.job),
        ("phase", view.before),
        (act.value, f"by {view.event}"),
        ("held by", held_by(view.holder, view.standing)),
    ]
    if view.applied:
        entries.insert(2, ("now", view.phase))
    return (Fields(entries=tuple(entries)), Note(_outcome(view, act)))


def _outcome(view: Steering, act: Act) -> str:
    if view.applied:
        return f"applied at seq {view.seq}{_then(view, act)}"
    if view.instead:
        return f"a job in {view.before} is not taken up so: {view.instead} does it"
    if not view.accepted:
        shows = f"`{command('show', view.job)}`"
        return f"a job in {view.before} takes no {view.event}: {shows} says what it takes"
    return "nothing was changed: --apply does it"


def _then(view: Steering, act: Act) -> str:
    """What comes of it for whoever works on the job; a holder that has died does nothing."""
    held = view.holder is not None and not is_dead(view.standing)
    if_alive = "if it is alive, " if view.standing == Standing.WATCHED else ""
    match act:
        case Act.PAUSE if held:
            return f": {if_alive}its holder begins no other item; what is running may still end"
        case Act.CANCEL if held:
            return f": {if_alive}its holder stops at its next write"
        case Act.PAUSE | Act.CANCEL if view.holder:
            return ": nobody works on it"
        case Act.RESUME | Act.RETRY if not held:
            return ": recover, or a run, takes the job up again"
        case Act.RESUME | Act.RETRY if if_alive:
            return ": unless its holder is alive, recover, or a run, takes the job up again"
        case _:
            return ""


def _event(state: JobState, act: Act) -> str:
    """The event for it in this phase; in a phase that has none, that of another. RoleAbsent."""
    roles = state.roles
    match act:
        case Act.PAUSE:
            role, event = "pause", roles.pause
        case Act.CANCEL:
            role, event = "cancel", roles.cancel
        case Act.RESUME | Act.RETRY:
            role = "resume"
            failed = act is Act.RETRY
            events = {p: e for p, e in roles.resume.items() if _has_failed(state, p) is failed}
            event = events.get(state.phase) or next(iter(events.values()), "")
    if not event:
        raise RoleAbsent.at(state.lifecycle, state.machine, role, act.value)
    return event


def _instead(state: JobState, act: Act) -> str:
    """The command that takes up a job in this phase, if `act` is the other one of the two."""
    others = {Act.RESUME: Act.RETRY, Act.RETRY: Act.RESUME}
    if act not in others or state.phase not in state.roles.resume:
        return ""
    if _has_failed(state, state.phase) is (act is Act.RETRY):
        return ""
    return f"`{command(others[act], state.id)}`"


def _has_failed(state: JobState, phase: str) -> bool:
    return state.roles.outcomes.get(phase) is Outcome.FAILED


def _payload(state: JobState, event: str, reason: str) -> dict[str, str]:
    """The payload with the reason, in the one field for a text that the event has.

    Nothing where there is no reason. Raises ArgumentInvalid where there is no one such field.
    """
    if not reason:
        return {}
    texts = [one.name for one in state.machine.event_specs[event].fields if one.type == "str"]
    if len(texts) != 1:
        arguments.refuse("reason", reason, f"nothing: {event} has no one field for a text")
    return {texts[0]: reason}
