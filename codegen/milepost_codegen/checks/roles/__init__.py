"""What can be said of roles: that they agree with each other, and that the rows can bear them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.checks.roles.attempts import (
    check_attempts,
    check_recovery,
    check_taken,
)
from milepost_codegen.checks.roles.decisions import check_decisions
from milepost_codegen.checks.roles.events import (
    check_counters,
    check_events,
    check_payloads,
    check_stored,
)
from milepost_codegen.checks.roles.owners import check_owner
from milepost_codegen.checks.roles.states import check_states
from milepost_codegen.checks.roles.subject import Subject

if TYPE_CHECKING:
    from milepost_codegen.findings import Findings
    from milepost_codegen.resolve import Resolution

__all__ = ["check_roles"]


def check_roles(resolution: Resolution, findings: Findings) -> None:
    """Report roles that contradict each other, and those that the rows cannot bear.

    Guards are taken to allow everything, so what is reported is certain.
    """
    doubts = resolution.doubts
    subjects = {
        machine.name: Subject.of(machine, machine.roles, findings)
        for machine in resolution.lifecycle.machines
        if machine.roles is not None
        and not (doubts[machine.name].rows_missing or doubts[machine.name].roles_missing)
    }
    owned = {
        collection.machine
        for machine in resolution.lifecycle.machines
        for collection in machine.collections
    }
    sound = {
        name: subject
        for name, subject in subjects.items()
        if name in owned and check_states(subject)
    }
    for name, subject in subjects.items():
        check_events(subject)
        check_payloads(subject)
        if name not in owned:
            check_owner(subject)
            check_recovery(subject, sound)
            continue
        check_counters(subject)
        check_stored(subject)
        if name in sound:
            check_attempts(subject)
            check_decisions(subject)
        owners = [
            machine
            for machine in resolution.lifecycle.machines
            if any(one.machine == name for one in machine.collections)
        ]
        if not any(
            doubts[one.name].rows_missing or doubts[one.name].roles_missing for one in owners
        ):
            check_taken(subject, owners)
