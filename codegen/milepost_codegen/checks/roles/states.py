"""States of members: each has one role, and what is written agrees with the rows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from milepost_codegen.checks.roles.subject import Subject, listed
from milepost_codegen.resolve.inference import MEMBER_STATES, evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_states"]

_ADJECTIVES: Final[Mapping[str, str]] = {"held": "held by an executor"}


def check_states(subject: Subject) -> bool:
    """Report states with two roles, and written states that the rows contradict.

    True if there is nothing to report, so that other checks may build on the states.
    """
    before = len(subject.findings.found)
    _check_written_twice(subject)
    _check_inferred_twice(subject)
    _check_left_out(subject)
    _check_beyond(subject)
    return len(subject.findings.found) == before


def _adjective(role: str) -> str:
    return _ADJECTIVES.get(role, role)


def _check_written_twice(subject: Subject) -> None:
    written = [role for role in MEMBER_STATES if subject.written(role)]
    for first, second in itertools.combinations(written, 2):
        common = set(getattr(subject.roles, first)) & set(getattr(subject.roles, second))
        for state in sorted(common):
            subject.report(
                "E703",
                f"{second}.{state}",
                f"'{state}' is {_adjective(first)} and {_adjective(second)}",
                "a state has one role; take it out of one of the two",
            )


def _claims(subject: Subject) -> dict[str, dict[str, tuple[str, tuple[str, ...]]]]:
    """By state and role: the event whose rows give the role, with the path of its name."""
    roles, rows = subject.roles, subject.rows
    events = {
        "waiting": ("begin", roles.begin),
        "held": ("begin", roles.begin),
        "done": ("result", subject.result),
        "skipped": ("skip", roles.skip),
        "dead": ("give_up", roles.give_up),
    }
    given = {"waiting": rows.sources(roles.begin), **evidence(roles, rows)}
    found: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
    for role, states in given.items():
        for state in states:
            found.setdefault(state, {})[role] = events[role][0], (events[role][1],)
    for state in rows.targets(subject.failure if subject.failure != subject.result else ""):
        if state in subject.machine.final:
            found.setdefault(state, {}).setdefault("dead", ("failure", (subject.failure,)))
    for state in rows.sources(roles.retry):
        if "waiting" in found.get(state, ()):
            found[state]["failed"] = "retry", (roles.retry,)
    return found


def _check_inferred_twice(subject: Subject) -> None:
    roles = subject.roles
    named = {
        state for role in MEMBER_STATES if subject.written(role) for state in getattr(roles, role)
    }
    for state, claims in _claims(subject).items():
        open_claims = {role: claim for role, claim in claims.items() if not subject.written(role)}
        if state in named or len(open_claims) < 2:
            continue
        said = []
        for role, (_, (event,)) in open_claims.items():
            way = "begins in it" if role in ("waiting", "failed") else "leads to it"
            said.append(f"{_adjective(role)} ('{event}' {way})")
        first, last = next(iter(open_claims)), list(open_claims)[-1]
        subject.report(
            "E703",
            open_claims[last][0],
            f"'{state}' would be {' and '.join(said)}",
            f"give the two states of their own, or say which, as with '{first}: {state}'",
        )


def _check_left_out(subject: Subject) -> None:
    """What a written list does not hold although the rows give its role."""
    roles = subject.roles
    named = {
        state for role in MEMBER_STATES if subject.written(role) for state in getattr(roles, role)
    }
    with_role = {state for role in MEMBER_STATES for state in getattr(roles, role)}
    for state, claims in _claims(subject).items():
        for role, (_, (event,)) in claims.items():
            known = with_role if role in ("waiting", "failed") else named
            if not subject.written(role) or state in known:
                continue
            leads = f"'{event}' begins" if role == "waiting" else f"'{event}' leads to"
            where = f"in '{state}'" if role == "waiting" else f"'{state}'"
            subject.report(
                "E704",
                role,
                f"{leads} {where}, which is not among the states that are {_adjective(role)}",
                "add it, or name it for another role",
            )
    for state in subject.rows.sources(roles.retry):
        if subject.written("failed") and state not in with_role:
            subject.report(
                "E704",
                "failed",
                f"'{roles.retry}' begins in '{state}', which is not among the states that failed",
                "add it, or name it for another role",
            )


def _check_beyond(subject: Subject) -> None:
    """What a written list holds although the rows cannot give its role."""
    roles, rows = subject.roles, subject.rows
    ends = {
        "waiting": "nothing waits in it",
        "held": "nobody works on it any more",
        "failed": "nothing is left to decide; name it 'dead'",
    }
    origins = {
        "held": (roles.begin,),
        "done": (subject.result,),
        "dead": (roles.give_up, subject.failure),
        "skipped": (roles.skip,),
    }
    for role in MEMBER_STATES:
        if not subject.written(role):
            continue
        events = tuple(event for event in origins.get(role, ()) if event)
        reached = subject.reach(rows.targets(*events))
        for state in getattr(roles, role):
            part = f"{role}.{state}"
            if role in ends and state in subject.machine.final:
                subject.report("E704", part, f"'{state}' is final: {ends[role]}")
            elif events and state not in reached:
                subject.report(
                    "E704",
                    part,
                    f"'{state}' cannot be {_adjective(role)}:"
                    f" no run leads to it after {listed(events, word='or')}",
                )
            elif (
                role == "waiting"
                and roles.begin
                and not subject.reach([state]) & set(rows.sources(roles.begin))
            ):
                subject.report(
                    "E704",
                    part,
                    f"'{state}' cannot be waiting: no run leads from it to '{roles.begin}'",
                )
