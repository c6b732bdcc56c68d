"""Ids, ownership and defaults: what must fit together across a whole lifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.expressions import evaluate, to_text
from milepost_codegen.model import reads_in

if TYPE_CHECKING:
    from milepost_codegen.findings import Findings
    from milepost_codegen.model import Lifecycle, Machine, Transition

__all__ = [
    "check_defaults",
    "check_groups",
    "check_histories",
    "check_ids",
    "check_ownership",
]


def check_ids(machine: Machine, findings: Findings) -> None:
    """Report transitions that share an id."""
    first: dict[str, Transition] = {}
    for one in machine.transitions:
        other = first.setdefault(one.id, one)
        if other is not one and not (one.ignored or other.ignored):
            findings.report(
                "E410",
                one.place,
                f"the id '{one.id}' is taken",
                f"by the row in line {other.place.line}",
            )


def check_groups(machine: Machine, findings: Findings) -> None:
    """Report groups that hold no state."""
    for group in machine.groups:
        if not group.states:
            findings.report("E412", group.place, f"the group '{group.name}' holds no state")


def check_histories(machine: Machine, findings: Findings) -> None:
    """Report collections one of whose counts has the name of a history."""
    remembered = {history.entry for history in machine.histories}
    for collection in machine.collections:
        for entry in collection.entries:
            if entry in remembered:
                findings.report(
                    "E210",
                    collection.place,
                    f"'{entry}' is a number of members and the history of a group",
                    "rename the collection",
                )


def check_defaults(machine: Machine, findings: Findings) -> None:
    """Report parameters whose default does not satisfy their own `where`."""
    values = {one.name: one.initial for one in machine.variables if one.initial is not None}
    for variable in machine.variables:
        if variable.where is None or variable.initial is None:
            continue
        decided = all(name in values for name in reads_in(variable.where))
        if decided and not evaluate(variable.where, values, {}):
            findings.report(
                "E308",
                variable.place,
                f"the default of '{variable.name}' does not satisfy '{to_text(variable.where)}'",
            )


def check_ownership(lifecycle: Lifecycle, findings: Findings) -> None:
    """Report machines that own themselves, at once or through others."""
    owned = {
        machine.name: [collection.machine for collection in machine.collections]
        for machine in lifecycle.machines
    }
    for machine in lifecycle.machines:
        for collection in machine.collections:
            pending, seen = [collection.machine], set[str]()
            while pending:
                name = pending.pop()
                if name not in seen:
                    seen.add(name)
                    pending.extend(owned[name])
            if machine.name in seen:
                findings.report(
                    "E413",
                    collection.place,
                    f"the machine '{machine.name}' owns itself through '{collection.name}'",
                )
