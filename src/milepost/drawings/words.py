"""The roles of states and events in words, as drawings and reference pages say them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from milepost.drawings.looks import Meaning, meaning_of
from milepost.roles import Roles

__all__ = ["roles_of_events", "roles_of_states"]

_PHASES: Final = {
    Meaning.WAITING: "phase before members",
    Meaning.WORKING: "phase of members",
    Meaning.CLOSING: "phase without members",
}


def roles_of_states(roles: Roles) -> Mapping[str, tuple[str, ...]]:
    """The roles of each state that has one."""
    return _together(_of_states(roles))


def roles_of_events(roles: Roles) -> Mapping[str, tuple[str, ...]]:
    """The roles of each event that has one, by the names that the definition gives roles."""
    return _together(_of_events(roles))


def _of_states(roles: Roles) -> Iterator[tuple[str, str]]:
    for phase in roles.phases:
        yield phase.state, _PHASES[meaning_of(roles, phase.state)]
    by_role = (
        ("waiting", roles.waiting),
        ("held", roles.held),
        ("done", roles.done),
        ("failed", roles.failed),
        ("dead", roles.dead),
        ("skipped", roles.skipped),
        ("paused", roles.paused),
    )
    for name, states in by_role:
        yield from ((state, name) for state in states)
    for state, outcome in roles.outcomes.items():
        yield state, str(outcome)


def _of_events(roles: Roles) -> Iterator[tuple[str, str]]:
    by_role = (
        ("begin", roles.begin),
        ("result", roles.result),
        ("failure", roles.failure),
        ("release", roles.release),
        ("lost", roles.lost),
        ("crash", roles.crash),
        ("defer", roles.defer),
        ("note", roles.note),
        ("retry", roles.retry),
        ("give_up", roles.give_up),
        ("requeue", roles.requeue),
        ("redo", roles.redo),
        ("skip", roles.skip),
        ("recover", roles.recover),
        ("pause", roles.pause),
        ("cancel", roles.cancel),
        ("reopen", roles.reopen),
        ("allow_dead", roles.allow_dead),
    )
    for name, one in by_role:
        if one:
            yield one if isinstance(one, str) else one.event, name
    for phase in roles.phases:
        yield phase.ends_by, f"ends {phase.state}"
    for state, event in roles.resume.items():
        yield event, f"resumes from {state}"
    for one in roles.variables:
        yield one.event, "variables"


def _together(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, role in pairs:
        if role not in found.get(name, ()):
            found[name] = (*found.get(name, ()), role)
    return found
