"""What the contexts of two versions have in common, and what an upgrade gives a stored job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from milepost_codegen.diff.space import FREE, Space, remembered
from milepost_codegen.diff.translate import rewritten
from milepost_codegen.expressions import INT, Type
from milepost_codegen.expressions.substitute import constant, total
from milepost_codegen.expressions.tree import Member, Number, Read, reads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Collection, Lifecycle, Machine, Variable

__all__ = ["Reading", "space_of"]

Reading: TypeAlias = Literal["kept", "given", "free"]


def space_of(
    lifecycles: tuple[Lifecycle, Lifecycle],
    machines: tuple[Machine, Machine],
    names: Mapping[str, MachineNames],
    readings: Mapping[str, Reading],
    learnt: Mapping[str, Expression],
) -> Space:
    """The space of two versions of a machine, OLD's first.

    `readings` say what is taken of entries of NEW that the migration gives values for: that they
    hold what OLD holds (`kept`), what the migration says of it (`given`), or anything (`free`).
    `learnt` is what is known of OLD's jobs beyond its invariants.
    """
    before, now = (_members(*pair) for pair in zip(lifecycles, machines, strict=True))
    types = {
        name: Type(name=name, members=tuple(dict.fromkeys((*before.get(name, ()), *members))))
        for name, members in {**before, **now}.items()
    }
    sharing = _Sharing(machines, names, types, readings)
    sharing.variables()
    sharing.histories()
    sharing.collections()
    return Space(
        old=machines[0],
        new=machines[1],
        names=names[machines[1].name],
        types=types,
        before=before,
        now=now,
        tied=tuple(sharing.tied),
        given=frozenset(sharing.given),
        learnt=learnt,
        entries=sharing.entries,
        stored=sharing.stored,
        counts={
            f"{one.name}.total": tuple(f"{one.name}.{state}" for state in one.states)
            for one in machines[0].collections
        },
    )


def _members(lifecycle: Lifecycle, machine: Machine) -> dict[str, tuple[str, ...]]:
    """The members of all enums and histories of a machine, by the type's name."""
    found = {one.type.name: one.type.members for one in lifecycle.enums}
    return found | {one.entry: one.states for one in machine.histories}


class _Sharing:
    """The entries of NEW, worked out one kind after the other."""

    def __init__(
        self,
        machines: tuple[Machine, Machine],
        names: Mapping[str, MachineNames],
        types: Mapping[str, Type],
        readings: Mapping[str, Reading],
    ) -> None:
        self.old, self.new = machines
        self.all_names = names
        self.names = names[self.new.name]
        self.types = types
        self.readings = readings
        answers = self.names.answers
        self.given = {one.name: one.value for one in answers.values} if answers else {}
        self.tied: list[str] = []
        self.entries: dict[str, Expression] = {}
        self.stored: dict[str, Expression] = {}

    def variables(self) -> None:
        """Variables and parameters."""
        origin = {now: was for was, now in self.names.variables.items()}
        before = {variable.name: variable for variable in self.old.variables}
        for one in self.new.variables:
            was = before.get(origin.get(one.name, ""))
            fits = was is not None and _fits(was, one)
            read = Read(name=was.name, type=self._type(was.type)) if was and fits else None
            initial = None if one.initial is None else constant(self._type(one.type), one.initial)
            self._entry(one.name, self._type(one.type), read, initial)

    def histories(self) -> None:
        """The states that groups are remembered by."""
        before = {history.entry: history for history in self.old.histories}
        for one in self.new.histories:
            was = before.get(one.entry)
            kind = self.types[one.entry]
            moved = (
                {self.names.moved_states.get(state, "") for state in was.states} if was else {""}
            )
            read = Read(name=one.entry, type=kind) if moved <= set(one.states) else None
            self._entry(one.entry, kind, read, Member(name=one.initial, type=kind))
            if was is not None and read is not None:
                for held in (self.entries, self.stored):
                    if held[one.entry] == read:
                        held[one.entry] = remembered(read, was.states, self.names.moved_states)

    def collections(self) -> None:
        """How many members are in which state: in a replay, those that OLD had there."""
        before = {collection.name: collection for collection in self.old.collections}
        for one in self.new.collections:
            counts = self._counts(before.get(one.name), one)
            self.entries |= counts
            self.stored |= counts

    def _counts(self, old: Collection | None, new: Collection) -> dict[str, Expression]:
        if old is None:
            return {entry: Number(value=0) for entry in new.entries}
        known = self.all_names.get(new.machine) if old.machine == new.machine else None
        moved = known.moved_states if known else {state: state for state in old.states}
        found: dict[str, Expression] = {
            f"{new.name}.{state}": total(
                tuple(
                    Read(name=f"{old.name}.{one}", type=INT)
                    for one in old.states
                    if moved.get(one) == state
                )
            )
            for state in new.states
        }
        return {**found, f"{new.name}.total": Read(name=f"{old.name}.total", type=INT)}

    def _entry(self, name: str, kind: Type, read: Read | None, initial: Expression | None) -> None:
        """One entry: `read` is that of OLD which it may be."""
        given = self._value(name, kind)
        free = Read(name=FREE + name, type=kind)
        reading = self.readings.get(name, "kept")
        told = read if reading == "kept" else given if reading == "given" else None
        if told is not None:
            self.tied.append(name)
        elif initial is not None and given is None and self._fixed(name, initial):
            told = initial
        self.entries[name] = told or free
        self.stored[name] = given or read or initial or free

    def _value(self, name: str, kind: Type) -> Expression | None:
        """The value that the migration gives, over OLD's entries; any where it misreads them."""
        given = self.given.get(name)
        if given is None:
            return None
        before = {one.name: one.type.name for one in self.old.variables}
        if any(before.get(one.name) != one.type.name for one in reads(given)):
            return Read(name=FREE + name, type=kind)
        return rewritten(given, self._leaf)

    def _leaf(self, part: Read | Member) -> Expression:
        kind = self._type(part.type)
        if isinstance(part, Member):
            return Member(name=part.name, type=kind)
        return Read(name=part.name, type=kind)

    def _fixed(self, name: str, value: Expression) -> bool:
        """True if no row that a replay may take sets the entry to anything but that value."""
        moved, events = self.names.moved_states, self.names.moved_events
        replayed = {
            (moved.get(one.source, ""), events.get(one.event, "")) for one in self.old.transitions
        }
        return all(
            rewritten(part.value, self._leaf) == value
            for one in self.new.transitions
            if (one.source, one.event) in replayed
            for part in one.assignments
            if part.name == name
        )

    def _type(self, kind: Type) -> Type:
        return self.types.get(kind.name, kind)


def _fits(old: Variable, new: Variable) -> bool:
    return old.type.name == new.type.name and set(old.type.members) <= set(new.type.members)
