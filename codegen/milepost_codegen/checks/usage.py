"""What is declared and used nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.model import guards_in, reads_in
from milepost_codegen.resolve.inference import MEMBER_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.definition import LifecycleFile, MachineFile
    from milepost_codegen.expressions import Expression
    from milepost_codegen.findings import Findings
    from milepost_codegen.model import Machine
    from milepost_codegen.resolve import Doubts, Resolution

__all__ = ["check_usage"]


def check_usage(written: LifecycleFile, resolution: Resolution, findings: Findings) -> None:
    """Report events, variables, guards, groups and enums that nothing uses.

    What an unreadable part of the definition mentions counts as used.
    """
    for machine in resolution.lifecycle.machines:
        doubts = resolution.doubts[machine.name]
        _check_events(machine, doubts, findings)
        _check_names(machine, doubts, findings)
        _check_groups(written.machines[machine.name], machine, doubts, findings)
    types = {
        declared
        for machine in written.machines.values()
        for declared in (
            *(variable.type for variable in machine.context.values()),
            *(field.type for event in machine.events.values() for field in event.payload.values()),
        )
    }
    for migration in written.migrations:
        for kinds in migration.old.values():
            types.update(kinds.values())
    for enum in resolution.lifecycle.enums:
        if enum.type.name not in types:
            findings.report(
                "E504",
                enum.place,
                f"the enum '{enum.type.name}' is used by no variable and no payload",
                "remove it",
            )


def _check_events(machine: Machine, doubts: Doubts, findings: Findings) -> None:
    used = {one.event for one in machine.transitions} | doubts.mentions
    for event in machine.events:
        if event.name not in used:
            findings.report(
                "E501",
                event.place,
                f"no state takes the event '{event.name}'",
                "add a row, list it under 'ignored', or remove it",
            )


def _check_names(machine: Machine, doubts: Doubts, findings: Findings) -> None:
    """A variable is used if something reads it or a row assigns it."""
    read: set[str] = set(doubts.mentions)
    guards: set[str] = set(doubts.mentions)
    for tree in _trees(machine):
        read.update(reads_in(tree))
        guards.update(guards_in(tree))
    for guard in machine.guards:
        read.update(reads_in(guard.body))
        guards.update(guards_in(guard.body))
    for variable in machine.variables:
        if variable.where is not None:
            read.update(set(reads_in(variable.where)) - {variable.name})
    assigned = {part.name for one in machine.transitions for part in one.assignments}
    for variable in machine.variables:
        if variable.name not in read | assigned:
            findings.report(
                "E502",
                variable.place,
                f"nothing reads or assigns '{variable.name}'",
                "use it in a guard or an invariant, or remove it",
            )
    variables = {variable.name for variable in machine.variables}
    for guard in machine.guards:
        if guard.name not in guards | variables:
            findings.report(
                "E503", guard.place, f"no row uses the guard '{guard.name}'", "remove it"
            )


def _trees(machine: Machine) -> Iterator[Expression]:
    """Every expression of a machine but its named guards and parameters' conditions."""
    for one in machine.transitions:
        if one.guard is not None:
            yield one.guard
        for assignment in one.assignments:
            yield assignment.value
    for invariant in machine.invariants:
        yield invariant.holds
    if machine.progress:
        yield from machine.progress.decreases


def _check_groups(
    written: MachineFile, machine: Machine, doubts: Doubts, findings: Findings
) -> None:
    used = {history.group for history in machine.histories} | doubts.mentions
    for row in written.transitions:
        used.update(row.source)
    for ignored in written.ignored:
        used.update(ignored.states)
    for invariant in written.invariants.values():
        used.update(invariant.states or ())
    for members in written.groups.values():
        used.update(members)
    for collection in written.collections.values():
        used.update(collection.accepts)
        used.update(collection.grows or ())
    if written.roles:
        for key in (*MEMBER_STATES, "paused"):
            used.update(getattr(written.roles, key) or ())
    for group in machine.groups:
        if group.name not in used:
            findings.report(
                "E505", group.place, f"nothing uses the group '{group.name}'", "remove it"
            )
