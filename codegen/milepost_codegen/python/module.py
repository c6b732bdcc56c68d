"""The whole generated module, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.digest import digest_of_meaning
from milepost_codegen.layout import WIDTH, Bracketed, Code, Text, lay_out, literal
from milepost_codegen.names import constant_name, open_states, public_names, sorted_names
from milepost_codegen.python.declarations import (
    declared_enum,
    guards,
    interface,
    invariants,
    machine_enums,
    parameters,
    payload,
    wheres,
)
from milepost_codegen.python.docs import docstring
from milepost_codegen.python.handling import functions, handlers, states_by_name, unions
from milepost_codegen.python.parts import ConstantPlan, MachinePlan, ModulePlan
from milepost_codegen.python.roles import ROLES_MODULE, roles
from milepost_codegen.python.states import base_class, outcome_unions, state_classes
from milepost_codegen.python.tables import (
    Names,
    assignments,
    call,
    mapping,
    selections,
    tables,
    transitions,
)
from milepost_codegen.python.upgrades import upgrade_plan
from milepost_codegen.python.views import context_views, member_event, sent_union

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_codegen.certificate import Proofs
    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.python.parts import ClassPlan, FunctionPlan
    from milepost_codegen.python.upgrades import UpgradePlan

__all__ = ["module_plan"]


def module_plan(
    lifecycle: Lifecycle, earlier: Sequence[Lifecycle] = (), proofs: Proofs | None = None
) -> ModulePlan:
    """The plan of the module for `lifecycle`, whose public names do not clash.

    It knows how what is stored under each of the `earlier` versions goes on, and by the `proofs`
    which invariants need not be looked at.
    """
    taken: set[str] = set()
    machines = tuple(_machine(machine, taken, proofs) for machine in lifecycle.machines)
    upgrading = upgrade_plan(lifecycle, earlier, taken)
    names = [name for name, _, _ in public_names(lifecycle)]
    exports: tuple[Code, ...] = tuple(literal(name) for name in sorted_names(["LIFECYCLE", *names]))
    return ModulePlan(
        doc=docstring(f"Lifecycle {lifecycle.name}, version {lifecycle.version}", lifecycle.doc),
        imports=_imports(lifecycle, upgrading),
        exports=lay_out(Bracketed(opening="[", items=exports, closing="]"), before="__all__ = "),
        enums=tuple(declared_enum(enum) for enum in lifecycle.enums),
        machines=machines,
        upgrading=upgrading.functions,
        lifecycle=_lifecycle(lifecycle, upgrading.upgrades, proofs),
    )


def _imports(lifecycle: Lifecycle, upgrading: UpgradePlan) -> tuple[str, ...]:
    """The import lines, of nothing but what the module uses."""
    machines = lifecycle.machines
    events = [event for machine in machines for event in machine.events]
    fields = [field for event in events for field in event.fields]
    rows = [one for machine in machines for one in machine.transitions]
    owners = any(machine.collections for machine in machines)
    handled = any(open_states(machine) for machine in machines)
    used = {
        "Collection": owners,
        "Event": events,
        "Field": fields,
        "Invariant": any(machine.invariants for machine in machines),
        "Lifecycle": True,
        "Machine": True,
        "MachineUpgrade": upgrading.migrates,
        "MemberEvent": owners,
        "Select": True,
        "Signal": any(not event.fields for event in events),
        "State": True,
        "Step": True,
        "Transition": rows,
        "TypedContext": True,
        "TypedState": True,
        "Upgrade": upgrading.upgrades is not None,
        "Values": True,
        "Variable": any(machine.variables for machine in machines),
        "frozen": True,
    }
    factories = any(isinstance(field.default, (dict, list)) for field in fields)
    lines = ["from __future__ import annotations", ""]
    lines.append(f"from collections.abc import {'Callable, ' if handled else ''}Mapping")
    if fields or handled:
        lines.append("from dataclasses import dataclass" + (", field" if factories else ""))
    typing = "Final, Literal, NamedTuple, TypeAlias" if owners else "Final, TypeAlias"
    lines += ["from enum import StrEnum", f"from typing import {typing}", ""]
    if upgrading.names_roles or any(roles(machine) for machine in machines):
        lines.append(f"from milepost import roles as {ROLES_MODULE}")
    names = [name for name, needed in used.items() if needed]
    flat = f"from milepost.machine import {', '.join(names)}"
    if len(flat) <= WIDTH:
        return (*lines, flat)
    return (*lines, "from milepost.machine import (", *(f"    {name}," for name in names), ")")


def _machine(machine: Machine, taken: set[str], proofs: Proofs | None) -> MachinePlan:
    names = Names(machine, taken, proofs)
    return MachinePlan(
        enums=machine_enums(machine),
        payloads=tuple(payload(machine.name, event) for event in machine.events),
        conditions=(
            *guards(machine),
            *wheres(machine, names.wheres),
            *invariants(machine, names.invariants),
        ),
        assignments=assignments(machine, names),
        transitions=_together(transitions(machine, names)),
        selections=selections(machine, names),
        tables=_together(tables(machine, names)),
        interface=interface(machine),
        typed=_typed(machine, names),
    )


def _typed(machine: Machine, names: Names) -> tuple[ClassPlan | ConstantPlan | FunctionPlan, ...]:
    """The typed surface: views, states, unions, handlers and functions."""
    sent = (member_event(machine, names),) if machine.collections else ()
    return (
        *context_views(machine),
        *sent,
        base_class(machine, names),
        *state_classes(machine, names),
        ConstantPlan(
            text="\n".join(
                (
                    *unions(machine),
                    *sent_union(machine, names),
                    *outcome_unions(machine, names),
                    *states_by_name(machine, names),
                )
            )
        ),
        *handlers(machine),
        *functions(machine, names, parameters(machine)),
    )


def _together(constants: tuple[ConstantPlan, ...]) -> tuple[ConstantPlan, ...]:
    """The constants as one block, or nothing."""
    text = "\n".join(constant.text for constant in constants)
    return (ConstantPlan(text=text),) if constants else ()


def _lifecycle(lifecycle: Lifecycle, upgrades: Code | None, proofs: Proofs | None) -> ConstantPlan:
    enums: dict[str, Code] = {
        enum.type.name: Bracketed(
            opening="(",
            items=tuple(literal(member) for member in enum.type.members),
            closing=")",
            comma=True,
        )
        for enum in lifecycle.enums
    }
    machines: dict[str, Code] = {one.name: constant_name(one.name) for one in lifecycle.machines}
    value = call(
        "Lifecycle",
        name=literal(lifecycle.name),
        version=str(lifecycle.version),
        digest=literal(digest_of_meaning(lifecycle)),
        doc=Text(value=lifecycle.doc),
        enums=mapping(enums),
        machines=mapping(machines),
        upgrades=upgrades,
        certificate=None if proofs is None else literal(proofs.name),
    )
    return ConstantPlan(text=lay_out(value, before="LIFECYCLE: Final = "))
