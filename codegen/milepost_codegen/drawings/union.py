"""Two versions of one machine laid over each other: every state and row with what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from milepost_codegen.diff.names import machine_names, member_names
from milepost_codegen.diff.transitions import aligned, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.transitions import Row
    from milepost_codegen.model import Lifecycle, Machine, State, Transition

__all__ = ["STATUSES", "Status", "Union", "unions"]

Status: TypeAlias = Literal["unchanged", "changed", "added", "removed"]
STATUSES: tuple[Status, ...] = ("unchanged", "changed", "added", "removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """The states of both versions, NEW's names where it has them, with a machine per status.

    Each of `layers` has all states and NEW's groups, and the transitions of its status only.
    `notes` say beside a state's name what became of it.
    """

    name: str
    initial: str
    old_initial: str
    states: Mapping[str, Status]
    notes: Mapping[str, str]
    layers: Mapping[Status, Machine]


def unions(old: Lifecycle, new: Lifecycle) -> tuple[Union, ...]:
    """One union per machine that either version has, NEW's first."""
    before = {machine.name: machine for machine in old.machines}
    names = machine_names(old, new)
    found = [
        _union(before[machine.name], machine, names)
        if machine.name in before
        else _alone(machine, "added")
        for machine in new.machines
    ]
    found += [_alone(machine, "removed") for machine in old.machines if machine.name not in names]
    return tuple(found)


def _alone(machine: Machine, status: Status) -> Union:
    """A machine that only one version has."""
    return Union(
        name=machine.name,
        initial=machine.initial,
        old_initial=machine.initial,
        states={state.name: status for state in machine.states},
        notes={},
        layers={
            one: replace(machine, transitions=machine.transitions if one == status else ())
            for one in STATUSES
        },
    )


def _union(old: Machine, new: Machine, every: Mapping[str, MachineNames]) -> Union:
    names = every[new.name]
    origin = {target: source for source, target in names.states.items()}
    before = {state.name: state for state in old.states}
    taken = {state.name for state in new.states}
    gone = [state for state in old.states if state.name not in names.states]
    # an old name that NEW gave to another state keeps apart from it
    shown = {state.name: _free(state.name, taken) for state in gone}
    shown |= names.states
    notes: dict[str, str] = {}
    states: dict[str, Status] = {}
    for state in new.states:
        was = before.get(origin.get(state.name, ""))
        states[state.name], note = _became(was, state)
        if note:
            notes[state.name] = note
    states |= {shown[state.name]: "removed" for state in gone}
    together, removed, added = aligned(
        rows_of(old, names, member_names(old, every)), rows_of(new, None, {})
    )
    layers: dict[Status, list[Transition]] = {status: [] for status in STATUSES}
    for was_row, row in together:
        same = _alike(was_row, row)
        layers["unchanged" if same else "changed"].append(row.transition)
        if was_row.target != row.target:
            layers["removed"].append(_renamed(was_row.transition, shown, names))
    layers["added"] = [row.transition for row in added]
    layers["removed"] += [_renamed(row.transition, shown, names) for row in removed]
    shapes = (*new.states, *(replace(state, name=shown[state.name]) for state in gone))
    return Union(
        name=new.name,
        initial=new.initial,
        old_initial=shown[old.initial],
        states=states,
        notes=notes,
        layers={
            status: replace(new, states=shapes, transitions=tuple(rows))
            for status, rows in layers.items()
        },
    )


def _free(name: str, taken: set[str]) -> str:
    return _free(f"{name}_old", taken) if name in taken else name


def _became(old: State | None, new: State) -> tuple[Status, str]:
    """The status of a state, and the note beside its name."""
    if old is None:
        return "added", ""
    notes = [f"was {old.name}"] if old.name != new.name else []
    if old.final != new.final:
        notes.append("final now" if new.final else "not final any more")
    return ("changed" if notes else "unchanged"), ", ".join(notes)


def _alike(old: Row, new: Row) -> bool:
    return (
        old.target == new.target
        and old.guard == new.guard
        and old.assigned == new.assigned
        and old.members == new.members
        and old.transition.ignored == new.transition.ignored
    )


def _renamed(one: Transition, states: Mapping[str, str], names: MachineNames) -> Transition:
    """An old transition between the states as they are drawn."""
    return replace(
        one,
        source=states[one.source],
        event=names.events.get(one.event, one.event),
        target=states[one.target],
        history="",
    )
