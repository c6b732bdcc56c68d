"""Roles: what the states, events and variables of a machine mean to whoever keeps its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Final, NamedTuple

from milepost.text.wording import short_repr

__all__ = [
    "NO_ROLES",
    "Allowance",
    "Deferral",
    "EventField",
    "Failure",
    "Note",
    "Outcome",
    "Phase",
    "Recovery",
    "Redo",
    "Roles",
]


class Outcome(StrEnum):
    """How a job has ended, whatever its lifecycle calls the state."""

    SUCCEEDED = auto()
    FAILED = auto()
    CANCELLED = auto()


@short_repr
class EventField(NamedTuple):
    """One field of an event's payload, `""` for none."""

    event: str
    field: str = ""


@short_repr
class Failure(NamedTuple):
    """The event by which work ends without a result, and its fields that say why, `""` for none.

    `error`, `timeout` and `lost` are the values of `cause` that say that the work raised, that it
    took too long, and that its executor died; `""` where the lifecycle has no word for that. `kind`
    (str) is the field for what it was, in the words of whoever failed, `details` (json) for causes
    and place, `permanent` (bool) for whether any other attempt would fail alike.
    """

    event: str
    cause: str = ""
    message: str = ""
    error: str = ""
    timeout: str = ""
    lost: str = ""
    kind: str = ""
    details: str = ""
    permanent: str = ""


@short_repr
class Deferral(NamedTuple):
    """The event by which an attempt ends that is to begin later, and is no failure.

    `until` is the field (int) for when, in microseconds since 1970, `everyone` the one (bool) that
    says that no other member begins before that, `message` the one (str) for people. `marks` is the
    variable (bool) of a member that waits so. All but `until` may be `""`, for none.
    """

    event: str
    until: str
    everyone: str = ""
    message: str = ""
    marks: str = ""


@short_repr
class Note(NamedTuple):
    """The event by which a held member is given a note of work that was begun outside.

    `note` is the field (json) of the note, `marks` the variable (bool) of a member that has one,
    `""` for none.
    """

    event: str
    note: str
    marks: str = ""


@short_repr
class Redo(NamedTuple):
    """The event by which a member that is done waits again, to be done again.

    `counts` is the variable (int) that counts how often, `reason` the field (str) for people; `""`
    for none.
    """

    event: str
    counts: str = ""
    reason: str = ""


@short_repr
class Allowance(NamedTuple):
    """The event by which a job may complete with `more` (int) dead members than before.

    `reason` is the field (str) for people, `""` for none.
    """

    event: str
    more: str
    reason: str = ""


@short_repr
class Recovery(NamedTuple):
    """The event by which another executor takes a job over.

    `lost` is the field (bool) that says whether the one before died, `reason` the field (str) for
    people; `""` for none.
    """

    event: str
    lost: str = ""
    reason: str = ""


@short_repr
class Phase(NamedTuple):
    """A state of the owner that is worked in, and the event that ends the work of it.

    `works` names the collections whose members may begin an attempt in it.
    """

    state: str
    ends_by: str
    works: tuple[str, ...] = ()


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Roles:
    """The roles of one machine. A part that the lifecycle has no role for is empty.

    Members have these:
        waiting, held: states in which a member waits for an attempt, and is in an executor's hands
        done, failed, dead, skipped: states with a result recorded; with a failure and nothing
            decided yet; given up after failures; left out on purpose
        begin: the event by which an attempt begins
        release, lost, crash: the events by which a member leaves the hands unharmed, because its
            executor died, and because its executor died while it ran alone as a suspect (with
            the field for the message)
        defer: how an attempt ends that is to begin later, and is no failure
        note: how a held member gets a note of work that was begun outside
        retry, give_up, requeue, skip: the events that follow a failure, or are an operator's
        redo: how a member that is done is to be done again
        attempts, max_attempts: the variable that counts attempts, and the parameter that bounds it
        suspect, crashes, max_crashes: the variable (bool) that says that a member was in flight
            when an executor died, the one that counts such deaths, and the bound

    Members and owners have these:
        result: the event and field of the result
        stored: the field (json) of that event that says where a large result is kept; members only
        failure: how work ends without a result

    Owners have these:
        phases: the states that are worked in, in order, each with the event that ends it
        recover: how another executor takes the job over
        pause, cancel: the events of an operator
        reopen: the event that leads from a later phase back to one that works members
        allow_dead: how the job is allowed more dead members
        paused: the states in which the job rests on purpose
        resume: by state in which the job rests or has failed, the event that takes it up again
        variables: the events and fields that set variables of the job
        set_variables: the one among them that changes nothing else
        outcomes: by state in which a job has ended, how; a state with a way out may be among them
    """

    waiting: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    begin: str = ""
    release: str = ""
    lost: str = ""
    crash: EventField | None = None
    defer: Deferral | None = None
    note: Note | None = None
    retry: str = ""
    give_up: str = ""
    requeue: str = ""
    redo: Redo | None = None
    skip: str = ""
    attempts: str = ""
    max_attempts: str = ""
    suspect: str = ""
    crashes: str = ""
    max_crashes: str = ""
    result: EventField | None = None
    stored: EventField | None = None
    failure: Failure | None = None
    phases: tuple[Phase, ...] = ()
    recover: Recovery | None = None
    pause: str = ""
    cancel: str = ""
    reopen: str = ""
    allow_dead: Allowance | None = None
    paused: tuple[str, ...] = ()
    resume: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    variables: tuple[EventField, ...] = ()
    set_variables: EventField | None = None
    outcomes: Mapping[str, Outcome] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def working(self) -> tuple[str, ...]:
        """The states of the owner that are worked in, in order."""
        return tuple(phase.state for phase in self.phases)


NO_ROLES: Final = Roles()
"""The roles of a machine that names none and has none that can be inferred."""
