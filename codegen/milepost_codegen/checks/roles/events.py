"""Events of roles: none means two things, none needs what nobody gives; counters that count."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from milepost_codegen.checks.roles.subject import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.checks.roles.subject import Subject

__all__ = ["check_counters", "check_events", "check_payloads", "check_stored"]

_ALIKE: Final = (
    frozenset({"release", "lost", "crash"}),
    frozenset({"failure", "lost", "crash"}),
    frozenset({"retry", "requeue"}),
    frozenset({"retry", "redo"}),
    frozenset({"requeue", "redo"}),
    frozenset({"give_up", "skip"}),
    frozenset({"phases", "result"}),
    frozenset({"phases", "variables"}),
    frozenset({"phases", "resume"}),
    frozenset({"result", "variables"}),
    frozenset({"pause", "resume"}),
    frozenset({"reopen", "resume"}),
    frozenset({"reopen", "variables"}),
    frozenset({"allow_dead", "variables"}),
    frozenset({"resume", "variables"}),
    frozenset({"recover", "variables"}),
    frozenset({"failure", "variables"}),
    frozenset({"cancel", "variables"}),
    frozenset({"pause", "variables"}),
)
"""Roles that one event may have at once: the state tells which of them it has."""


def check_events(subject: Subject) -> None:
    """Report events with two roles that contradict each other."""
    reported: set[tuple[str, str, str]] = set()
    for (first, one, _), (second, other, part) in itertools.combinations(_named(subject), 2):
        alike = first == second or any({first, second} <= pair for pair in _ALIKE)
        if one != other or alike or (first, second, one) in reported:
            continue
        reported.add((first, second, one))
        subject.report(
            "E703",
            part,
            f"'{one}' is the event of '{first}' and of '{second}'",
            "give each an event of its own, or drop one of the two",
        )


def _named(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """The roles with their events and the paths of their names."""
    roles = subject.roles
    yield from (("phases", one.ends_by, f"phases.{one.state}") for one in roles.phases)
    plain = {
        "recover": subject.recover,
        "pause": roles.pause,
        "cancel": roles.cancel,
        "reopen": roles.reopen,
        "allow_dead": subject.allow_dead,
        "begin": roles.begin,
        "result": subject.result,
        "failure": subject.failure,
        "release": roles.release,
        "lost": roles.lost,
        "crash": subject.crash,
        "defer": subject.defer,
        "note": subject.note,
        "retry": roles.retry,
        "give_up": roles.give_up,
        "requeue": roles.requeue,
        "redo": subject.redo,
        "skip": roles.skip,
    }
    yield from ((role, event, role) for role, event in plain.items() if event)
    yield from (("resume", event, f"resume.{state}") for state, event in roles.resume.items())
    for index, one in enumerate(roles.variables):
        yield "variables", one.event, f"variables.{index}"


def check_payloads(subject: Subject) -> None:
    """Report events that the engine sends by itself and that need more than it can give."""
    roles = subject.roles
    known: dict[str, tuple[str, ...]] = {
        "release": (),
        "lost": (),
        "crash": (roles.crash.field,) if roles.crash else (),
        "defer": tuple(roles.defer)[1:4] if roles.defer else (),
        "note": (roles.note.note,) if roles.note else (),
        "retry": (),
        "give_up": (),
        "requeue": (),
        "redo": (roles.redo.reason,) if roles.redo else (),
        "reopen": (),
        "allow_dead": tuple(roles.allow_dead)[1:] if roles.allow_dead else (),
        "recover": (roles.recover.lost, roles.recover.reason) if roles.recover else (),
    }
    events = {event.name: event for event in subject.machine.events}
    for role, name, part in _named(subject):
        if role not in known:
            continue
        needed = [
            field.name
            for field in events[name].fields
            if field.required and field.name not in known[role]
        ]
        if needed:
            subject.report(
                "E711",
                part,
                f"'{name}' needs {listed(needed)}, which nobody gives when it is sent as '{role}'",
                "give the fields a default, or name another event",
            )


def check_stored(subject: Subject) -> None:
    """Report a place of large results that is not beside that of the others."""
    stored, result = subject.roles.stored, subject.roles.result
    if stored is None:
        return
    if result is None or result.event != stored.event or result.field in ("", stored.field):
        subject.report(
            "E703",
            "stored",
            f"'{stored.event}.{stored.field}' is no other field of the event of 'result'",
            "name a second field (json) of that event",
        )
        return
    events = {event.name: event for event in subject.machine.events}
    fields = {field.name: field for field in events[stored.event].fields}
    if fields[stored.field].required:
        subject.report(
            "E711",
            "stored",
            f"'{stored.event}' needs '{stored.field}', which only a large result has",
            "give the field the default null",
        )


def check_counters(subject: Subject) -> None:
    """Report counters and marks that no row sets."""
    roles = subject.roles
    named = {
        "attempts.counts": roles.attempts,
        "crashes.marks": roles.suspect,
        "crashes.counts": roles.crashes,
        "defer.marks": roles.defer.marks if roles.defer else "",
        "note.marks": roles.note.marks if roles.note else "",
        "redo.counts": roles.redo.counts if roles.redo else "",
    }
    assigned = {part.name for one in subject.machine.transitions for part in one.assignments}
    for part, variable in named.items():
        if variable and variable not in assigned:
            subject.report(
                "E712", part, f"no row sets '{variable}'", "set it in the rows that it is about"
            )
