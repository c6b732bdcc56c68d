"""Which names of the old version mean what in the new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.model import (
        Answers,
        Event,
        Field,
        Lifecycle,
        Machine,
        State,
        Transition,
        Variable,
    )

__all__ = ["MachineNames", "machine_names", "member_names", "renamed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineNames:
    """Old names to new ones for one machine; what NEW has no more is missing.

    `states`, `events`, `variables` and `fields` (by OLD's event) follow equal names and `was`.
    `moved_states` and `moved_events` follow the migration's answers first. `entries` are all
    context entries, dotted ones included. `answers` are NEW's for OLD's version, if any.
    """

    states: Mapping[str, str]
    events: Mapping[str, str]
    variables: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]]
    moved_states: Mapping[str, str]
    moved_events: Mapping[str, str]
    entries: Mapping[str, str]
    answers: Answers | None

    @property
    def values(self) -> frozenset[str]:
        """The context entries of NEW that the migration gives values for."""
        given = self.answers.values if self.answers else ()
        return frozenset(one.name for one in given)

    @property
    def answered_states(self) -> Mapping[str, str]:
        """The migration's answers for states."""
        return dict(self.answers.states) if self.answers else {}

    @property
    def answered_events(self) -> Mapping[str, str]:
        """The migration's answers for events."""
        return dict(self.answers.events) if self.answers else {}

    @property
    def retired(self) -> frozenset[str]:
        """OLD's transitions that histories may hold although NEW does not allow them."""
        return frozenset(self.answers.retired if self.answers else ())

    def answer_row(self, row: Transition) -> bool:
        """True if the migration answers for what becomes of a row of OLD.

        It is retired, or the migration moves an end of it, and leaves none that is gone.
        """
        answers = self.answered_states.items()
        moved = {old for old, new in answers if self.states.get(old) != new}
        ends = {row.source, row.target}
        return row.id in self.retired or bool(ends & moved and ends <= moved | set(self.states))


def renamed(
    old: Sequence[State | Event | Variable | Field],
    new: Sequence[State | Event | Variable | Field],
) -> dict[str, str]:
    """Old names to new ones, by `was` and else by equal names.

    What NEW renamed to an old name is not the part that had that name in OLD.
    """
    before = {part.name for part in old}
    claimed = {part.was: part.name for part in new if part.was in before}
    taken = set(claimed.values())
    kept = {part.name for part in new} - taken
    found = {name: claimed.get(name, name if name in kept else "") for name in before}
    return {part.name: found[part.name] for part in old if found[part.name]}


def machine_names(old: Lifecycle, new: Lifecycle) -> dict[str, MachineNames]:
    """The names of every machine that both versions have, in NEW's order."""
    before = {machine.name: machine for machine in old.machines}
    migration = next((one for one in new.migrations if one.version == old.version), None)
    answers = {one.machine: one for one in migration.answers} if migration else {}
    states = {
        machine.name: renamed(before[machine.name].states, machine.states)
        for machine in new.machines
        if machine.name in before
    }
    return {
        machine.name: _names(before[machine.name], machine, states, answers.get(machine.name))
        for machine in new.machines
        if machine.name in before
    }


def member_names(old: Machine, names: Mapping[str, MachineNames]) -> dict[str, str]:
    """New names of members' states and events, as `COLLECTION.STATE` and `COLLECTION:EVENT`."""
    found: dict[str, str] = {}
    for collection in old.collections:
        member = names.get(collection.machine)
        if member:
            found |= {f"{collection.name}.{one}": to for one, to in member.states.items()}
            found |= {f"{collection.name}:{one}": to for one, to in member.events.items()}
    return found


def _names(
    old: Machine,
    new: Machine,
    states: Mapping[str, Mapping[str, str]],
    answers: Answers | None,
) -> MachineNames:
    own = states[new.name]
    events = renamed(old.events, new.events)
    variables = renamed(old.variables, new.variables)
    after = {event.name: event for event in new.events}
    counts = {
        f"{collection.name}.{state}": f"{collection.name}.{target}"
        for collection in old.collections
        for state, target in states.get(collection.machine, {}).items()
    }
    return MachineNames(
        states=own,
        events=events,
        variables=variables,
        fields={
            event.name: renamed(event.fields, after[events[event.name]].fields)
            for event in old.events
            if event.name in events
        },
        moved_states={**own, **(dict(answers.states) if answers else {})},
        moved_events={**events, **(dict(answers.events) if answers else {})},
        entries={**variables, **counts},
        answers=answers,
    )
