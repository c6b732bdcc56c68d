"""Roles that follow from the rows: what is written wins, what is left out is worked out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from milepost.roles import Outcome, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost.roles import EventField, Roles
    from milepost_codegen.model import Machine

__all__ = ["MEMBER_STATES", "Rows", "ends", "evidence", "infer"]

MEMBER_STATES: Final = ("waiting", "held", "done", "failed", "dead", "skipped")
"""The roles of members' states."""


class Rows:
    """Where the rows of a machine begin and lead, event by event; what is ignored has none."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._rows = [one for one in machine.transitions if not one.ignored]

    def sources(self, *events: str) -> tuple[str, ...]:
        """The states in which some of `events` has a row, in definition order."""
        return self._ordered({one.source for one in self._rows if one.event in events})

    def targets(self, *events: str) -> tuple[str, ...]:
        """The states that rows of `events` lead to, in definition order."""
        return self._ordered({one.target for one in self._rows if one.event in events})

    def changes_nothing_else(self, event: str) -> bool:
        """True if the rows of `event` leave state, context and members as they are."""
        rows = [one for one in self._rows if one.event == event]
        return bool(rows) and all(
            one.source == one.target and not one.assignments and not one.members for one in rows
        )

    def _ordered(self, states: set[str]) -> tuple[str, ...]:
        return tuple(state.name for state in self._machine.states if state.name in states)


def infer(
    named: Roles, machine: Machine, begins: Mapping[str, str], *, member: bool
) -> tuple[Roles, frozenset[str]]:
    """`named` with what follows from the rows of `machine`, and the names of the parts that do.

    `begins` are the events by which members' attempts begin, by machine; `member` says that this
    machine is one of them. Parts are named as in the definition, the outcome of a state as
    `outcomes.STATE`.
    """
    rows = Rows(machine)
    if member:
        states: dict[str, Any] = dict(_states(named, machine, rows))  # Any: keys choose the type
        whole = replace(named, **states)
    else:
        rests = tuple(one for one in rows.targets(named.pause) if one not in named.working)
        whole = replace(
            named,
            paused=named.paused or rests,
            set_variables=_set_variables(named, rows),
            phases=tuple(_works(phase, machine, begins) for phase in named.phases),
            outcomes=_outcomes(named, machine, rows),
        )
    inferred = {
        key
        for key in (*MEMBER_STATES, "paused", "set_variables")
        if getattr(whole, key) and not getattr(named, key)
    }
    inferred |= {f"outcomes.{state}" for state in whole.outcomes if state not in named.outcomes}
    return whole, frozenset(inferred)


def evidence(named: Roles, rows: Rows) -> dict[str, tuple[str, ...]]:
    """The states that a role's own event leads to, by role: no two roles may have one in common."""
    result = named.result.event if named.result else ""
    return {
        "held": rows.targets(named.begin),
        "done": rows.targets(result),
        "skipped": rows.targets(named.skip),
        "dead": rows.targets(named.give_up),
    }


def _states(named: Roles, machine: Machine, rows: Rows) -> dict[str, tuple[str, ...]]:
    """The states of members by role; a state that is written for one role has no other."""
    found: dict[str, tuple[str, ...]] = {key: getattr(named, key) for key in MEMBER_STATES}
    taken = {state for states in found.values() for state in states}

    def give(role: str, states: Iterable[str]) -> None:
        if not getattr(named, role):
            more = {state for state in states if state not in taken}
            taken.update(more)
            more.update(found[role])
            found[role] = tuple(one.name for one in machine.states if one.name in more)

    for role, states in evidence(named, rows).items():
        give(role, states)
    failure = named.failure.event if named.failure else ""
    if not named.give_up:
        again = rows.sources(named.begin, named.retry)
        give("dead", (state for state in rows.sources(named.requeue) if state not in again))
    give("dead", (state for state in rows.targets(failure) if state in machine.final))
    give("waiting", rows.sources(named.begin))
    if named.retry or named.give_up:
        give("failed", rows.sources(named.retry, named.give_up))
    else:
        give("failed", rows.targets(failure))
    return found


def _set_variables(named: Roles, rows: Rows) -> EventField | None:
    setting = (one for one in named.variables if rows.changes_nothing_else(one.event))
    return next(setting, None)


def _works(phase: Phase, machine: Machine, begins: Mapping[str, str]) -> Phase:
    """The phase with the collections whose members may begin an attempt in it."""
    works = (
        collection.name
        for collection in machine.collections
        if begins.get(collection.machine, "") in dict(collection.accepts).get(phase.state, ())
    )
    return phase._replace(works=tuple(works))


def _outcomes(named: Roles, machine: Machine, rows: Rows) -> dict[str, Outcome]:
    """How jobs have ended, by state in definition order; written ones win over what follows."""
    found = {
        state: next(iter(outcomes))
        for state, outcomes in ends(named, machine, rows).items()
        if len(outcomes) == 1
    }
    found |= named.outcomes
    return {state.name: found[state.name] for state in machine.states if state.name in found}


def ends(named: Roles, machine: Machine, rows: Rows) -> dict[str, dict[Outcome, str]]:
    """By state in which jobs end: the outcomes that follow from the rows, with their events."""
    events = (
        (Outcome.SUCCEEDED, named.result.event if named.result else ""),
        (Outcome.FAILED, named.failure.event if named.failure else ""),
        (Outcome.CANCELLED, named.cancel),
    )
    found: dict[str, dict[Outcome, str]] = {}
    for outcome, event in events:
        for state in rows.targets(event):
            rests = outcome is Outcome.FAILED and state in named.resume
            if state in machine.final or rests:
                found.setdefault(state, {})[outcome] = event
    return found
