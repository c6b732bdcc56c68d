"""What follows a failure: members that failed or are dead can go where their roles say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.checks.roles.subject import listed
from milepost_codegen.resolve.inference import MEMBER_STATES

if TYPE_CHECKING:
    from milepost_codegen.checks.roles.subject import Subject

__all__ = ["check_decisions"]


def check_decisions(subject: Subject) -> None:
    """Report events after a failure that cannot be taken, or lead elsewhere, or lack."""
    roles = subject.roles
    for role, event, states in (
        ("retry", roles.retry, roles.failed),
        ("requeue", roles.requeue, roles.dead),
        ("redo", subject.redo, roles.done),
    ):
        if not event:
            continue
        who = {"retry": "has failed", "requeue": "is dead", "redo": "is done"}[role]
        if not any(subject.of_pair(state, event) for state in states):
            where = f"add a row from {listed(states, word='or')}" if states else "name the states"
            subject.report(
                "E706", role, f"no member that {who} takes '{event}'", f"{where}, or drop the role"
            )
            continue
        targets = {row.target for state in states for row in subject.of_pair(state, event)}
        if not targets & set(roles.waiting):
            waiting = f" ({', '.join(roles.waiting)})" if roles.waiting else ""
            subject.report(
                "E707",
                role,
                f"'{event}' leads to {listed(sorted(targets))}, and to no state that is waiting"
                f"{waiting}",
                "add a row to a state from which an attempt begins",
            )
    _check_failure(subject)


def _check_failure(subject: Subject) -> None:
    """After a failure something can be decided, or all is: the state is final or named."""
    roles = subject.roles
    named = {
        state for role in MEMBER_STATES if subject.written(role) for state in getattr(roles, role)
    }
    deciding = {
        event
        for event in (roles.begin, roles.retry, roles.give_up, roles.requeue, roles.skip)
        if event
    }
    for state in subject.rows.targets(subject.failure):
        if state in named or state in subject.machine.final:
            continue
        reached = subject.reach([state])
        if not any(subject.of_pair(one, event) for one in reached for event in deciding):
            subject.report(
                "E707",
                "failure",
                f"'{subject.failure}' leads to '{state}', from which no role decides what follows",
                "name the event of 'retry', 'give_up' or 'skip', or the state under 'failed'",
            )
