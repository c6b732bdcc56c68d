"""The comparison of two lifecycles as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.diff.effects import (
    by_transition,
    lacking_values,
    lost_arcs,
    questions,
    reachable_states,
    stranded_states,
    unmet_claims,
)
from milepost_codegen.diff.given import given_changes
from milepost_codegen.diff.judged import judged
from milepost_codegen.diff.names import machine_names, member_names
from milepost_codegen.diff.parts import event_changes, state_changes, variable_changes
from milepost_codegen.diff.report import Change, Effect, Report, Stranded
from milepost_codegen.diff.roles import role_changes
from milepost_codegen.diff.sets import (
    collection_changes,
    enum_changes,
    group_changes,
    guard_changes,
    invariant_changes,
)
from milepost_codegen.diff.transitions import rows_of, transition_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.model import Lifecycle, Machine

__all__ = ["compare"]


def compare(old: Lifecycle, new: Lifecycle) -> Report:
    """What changed from `old` to `new`, and what that does to jobs that are stored under `old`.

    NEW's migration from OLD's version, if it has one, turns what it answers from breaking to
    migrated. Pure; O(n^2) in the rows of one (state, event) pair, linear in all else.
    """
    names = machine_names(old, new)
    before = {machine.name: machine for machine in old.machines}
    changes = [*_lifecycle_changes(old, new), *enum_changes(old, new)]
    effects: list[Effect] = []
    for machine in new.machines:
        if machine.name not in before:
            changes.append(
                Change(
                    part="machine",
                    kind="added",
                    machine=machine.name,
                    name=machine.name,
                    new=machine.place,
                )
            )
            continue
        found, effect = _compare_machines((old, new), before[machine.name], machine, names)
        changes += found
        effects.append(effect)
    for machine in old.machines:
        if machine.name not in names:
            change, effect = _removed(machine)
            changes.append(change)
            effects.append(effect)
    return Report(
        lifecycle=new.name,
        old_version=old.version,
        new_version=new.version,
        changes=tuple(changes),
        effects=tuple(effects),
        notes=tuple(_notes(old, new, names, changed=bool(changes))),
    )


def _compare_machines(
    lifecycles: tuple[Lifecycle, Lifecycle],
    old: Machine,
    new: Machine,
    names: Mapping[str, MachineNames],
) -> tuple[list[Change], Effect]:
    own = names[new.name]
    before = rows_of(old, own, member_names(old, names))
    after = rows_of(new, None, {})
    stranded = stranded_states(old, own)
    lacking = lacking_values(old, new, own)
    found = judged(lifecycles, (old, new), names, reachable_states(old))
    lost = lost_arcs(found, new, own)
    unmet = unmet_claims(found)
    arcs = by_transition(lost)
    changes = [
        *state_changes(old, new, own, stranded),
        *group_changes(old, new, own, lacking),
        *variable_changes(old, new, own, lacking, unmet),
        *given_changes(old, new, own, {one.name for one in lacking}),
        *event_changes(old, new, own),
        *guard_changes(old, new, own, arcs),
        *collection_changes(old, new, names, _bare(lifecycles[1])),
        *transition_changes(new.name, before, after, own, arcs),
        *invariant_changes(old, new, own, unmet),
        *role_changes(old, new, own),
    ]
    effect = Effect(
        machine=new.name,
        stranded=stranded,
        lost=lost,
        lacking=lacking,
        questions=questions(old, stranded, lacking, own),
        unmet=unmet,
    )
    return changes, effect


def _lifecycle_changes(old: Lifecycle, new: Lifecycle) -> Iterator[Change]:
    if old.name != new.name:
        yield Change(
            part="lifecycle",
            kind="changed",
            machine="",
            name=new.name,
            aspect="name",
            text=f"{old.name} -> {new.name}",
            verdict="breaking",
            because="stored jobs belong to another lifecycle",
        )
    before, after = _root(old), _root(new)
    if before and before != after:
        yield Change(
            part="lifecycle",
            kind="changed",
            machine="",
            name=new.name,
            aspect="root",
            text=f"{before} -> {after or 'none, or more than one'}",
            verdict="breaking",
            because=f"stored jobs run by '{before}'",
        )


def _root(lifecycle: Lifecycle) -> str:
    """The one machine that no collection is of; `""` if there is none, or more than one."""
    owned = {one.machine for machine in lifecycle.machines for one in machine.collections}
    roots = [machine.name for machine in lifecycle.machines if machine.name not in owned]
    return roots[0] if len(roots) == 1 else ""


def _bare(lifecycle: Lifecycle) -> frozenset[str]:
    """The machines that cannot begin without parameters."""
    return frozenset(
        machine.name
        for machine in lifecycle.machines
        if any(one.param and one.initial is None for one in machine.variables)
    )


def _removed(machine: Machine) -> tuple[Change, Effect]:
    """What it means that a whole machine is gone."""
    change = Change(
        part="machine",
        kind="removed",
        machine=machine.name,
        name=machine.name,
        verdict="breaking",
        because="what is stored of it belongs to nothing",
        old=machine.place,
    )
    reached = reachable_states(machine)
    effect = Effect(
        machine=machine.name,
        stranded=tuple(
            Stranded(state=state.name, target="", verdict="breaking")
            for state in machine.states
            if state.name in reached
        ),
        lost=(),
        lacking=(),
        questions=(),
    )
    return change, effect


def _notes(
    old: Lifecycle, new: Lifecycle, names: Mapping[str, MachineNames], *, changed: bool
) -> Iterator[str]:
    """What is worth saying that is no change."""
    if new.version < old.version:
        yield f"the new file has version {new.version}, lower than {old.version}"
    elif changed and new.version == old.version:
        yield f"both files have version {old.version}; raise it with every change of meaning"
    for machine in old.machines:
        own = names.get(machine.name)
        if own is None or own.answers is None:
            continue
        types = {variable.name: variable.type for variable in machine.variables}
        known = {
            "states": ({one.name for one in machine.states}, own.answered_states),
            "events": ({one.name for one in machine.events}, own.answered_events),
            "retired": ({one.id for one in machine.transitions}, own.retired),
        }
        for section, (there, given) in known.items():
            for name in given:
                if name not in there:
                    yield _unknown(section, machine.name, name, old.version)
        for name, kind in own.answers.old:
            if name not in types:
                yield _unknown("old", machine.name, name, old.version)
            elif types[name].name != kind.name:
                yield (
                    f"the migration says that '{name}' of '{machine.name}' is of type "
                    f"{kind.name}; version {old.version} says {types[name].name}"
                )


def _unknown(section: str, machine: str, name: str, version: int) -> str:
    return (
        f"the migration names '{name}' under '{section}' of '{machine}', "
        f"which version {version} does not have"
    )
