"""How what is stored under earlier versions goes on: constants and functions of the module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.diff import compare
from milepost_codegen.diff.names import machine_names
from milepost_codegen.diff.text import render_text
from milepost_codegen.digest import digest_of_meaning
from milepost_codegen.layout import Code, Text, literal
from milepost_codegen.python.parts import FunctionPlan
from milepost_codegen.python.roles import roles
from milepost_codegen.python.statements import signature
from milepost_codegen.python.tables import call, giving, mapping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.model import Lifecycle, Machine

__all__ = ["UpgradePlan", "upgrade_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradePlan:
    """The functions that upgrades call, and the upgrades by the digests of what they lead from."""

    functions: tuple[FunctionPlan, ...] = ()
    upgrades: Code | None = None
    migrates: bool = False
    names_roles: bool = False


def upgrade_plan(
    lifecycle: Lifecycle, earlier: Sequence[Lifecycle], taken: set[str]
) -> UpgradePlan:
    """The upgrades of `lifecycle` from each of `earlier`; `taken` holds the module's names."""
    functions: list[FunctionPlan] = []
    upgrades: dict[str, Code] = {}
    migrates = names_roles = False
    for old in earlier:
        report = compare(old, lifecycle)
        machines: dict[str, Code] = {}
        if report.verdict != "breaking":
            migrates = True
            names_roles |= any(roles(machine) is not None for machine in old.machines)
            before = {machine.name: machine for machine in old.machines}
            for name, names in machine_names(old, lifecycle).items():
                function = _given(name, names, old.version, taken)
                functions += [function[1]] if function else []
                new = next(one for one in lifecycle.machines if one.name == name)
                machines[name] = _machine(before[name], new, names, function[0] if function else "")
        upgrades[digest_of_meaning(old)] = call(
            "Upgrade",
            version=str(old.version),
            verdict=literal(report.verdict),
            machines=mapping(machines) if machines else None,
            report=Text(value=render_text(report)) if report.verdict == "breaking" else None,
        )
    return UpgradePlan(
        functions=tuple(functions),
        upgrades=mapping(upgrades) if upgrades else None,
        migrates=migrates,
        names_roles=names_roles,
    )


def _machine(old: Machine, new: Machine, names: MachineNames, given: str) -> Code:
    """What becomes of the states and of the context entries that need no new value."""
    remembered = {history.entry for history in old.histories}
    kept = {history.entry for history in new.histories} & remembered
    entries = {**names.variables, **{entry: entry for entry in sorted(kept)}}
    entries = {before: after for before, after in entries.items() if after not in names.values}
    return call(
        "MachineUpgrade",
        states=_pairs({s.name: names.moved_states.get(s.name, "") for s in old.states}),
        entries=_pairs(entries),
        given=given or None,
        roles=roles(old),
    )


def _pairs(names: Mapping[str, str]) -> Code:
    found = {before: literal(after) for before, after in names.items() if after}
    return mapping(dict(found))


def _given(
    machine: str, names: MachineNames, version: int, taken: set[str]
) -> tuple[str, FunctionPlan] | None:
    """The function that works out the values which the migration gives, and its name."""
    values = names.answers.values if names.answers else ()
    if not values:
        return None
    name = f"_{machine}_given_{version}"
    while name in taken:
        name += "_"
    taken.add(name)
    body = giving(values)
    parameter = f"{'context' if 'context[' in body else '_context'}: Values"
    return name, FunctionPlan(
        signature=signature(name, (parameter,), "Values"),
        doc="",
        body=body,
    )
