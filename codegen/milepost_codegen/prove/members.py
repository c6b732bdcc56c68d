"""An owner with a few members one by one: exactly what can happen, for so many members at most.

What counting leaves open is looked for here: every member has a state and a context of its own,
and decides by its own guards. So a run of this system is one of the definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.expressions import INT, Type
from milepost_codegen.expressions.substitute import (
    TRUE,
    both,
    constant,
    either,
    opposite,
    substitute,
    total,
)
from milepost_codegen.expressions.tree import (
    Choice,
    Comparison,
    Expression,
    Implication,
    Member,
    Number,
    Read,
)
from milepost_codegen.model import Assignment
from milepost_codegen.prove.build import (
    at_least,
    congruences,
    inputs_of,
    invariants_of,
    machine_named,
    own_entries,
    own_start,
)
from milepost_codegen.prove.counting import ABSENT
from milepost_codegen.prove.system import Entry, Input, Move, System

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from milepost_codegen.model import Collection, Lifecycle, Machine, Transition

__all__ = ["OneByOne", "one_by_one"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneByOne:
    """An owner with members of their own.

    `counts` are the owner's counts as sums over members; `refusals`, by the row's id, the state of
    a collection's members and the event, hold where one of them refuses what the row sends.
    """

    system: System
    counts: Mapping[str, Expression]
    refusals: Mapping[tuple[str, str, str], Expression]


def one_by_one(lifecycle: Lifecycle, owner: Machine, most: int) -> OneByOne | None:
    """`owner` with at most so many members of each collection, each by itself.

    None where a member owns members itself: so deep nobody looks.
    """
    groups = [_Group(lifecycle, collection, most) for collection in owner.collections]
    if any(group.machine.collections for group in groups):
        return None
    counts = {name: tree for group in groups for name, tree in group.counts().items()}
    events = {event.name: event for event in owner.events}
    moves = [
        _own(one, inputs_of(events[one.event]), groups, counts)
        for one in owner.transitions
        if not one.ignored
    ]
    entries = own_entries(owner)
    where = [own_start(owner), *(group.where() for group in groups)]
    starts = list(where)
    invariants = {
        state: {name: substitute(holds, counts) for name, holds in named.items()}
        for state, named in invariants_of(owner).items()
    }
    for group in groups:
        entries += group.entries()
        starts += group.starts()
        moves += group.moves()
        of_members = group.invariants()
        for named in invariants.values():
            named.update(of_members)
    system = System(
        name=owner.name,
        modes=tuple(state.name for state in owner.states),
        initial=owner.initial,
        entries=tuple(entries),
        start=both(starts),
        facts=both((*where, *congruences(entries, moves))),
        declared=both(where),
        moves=tuple(moves),
        invariants=invariants,
        exact=True,
    )
    refusals = {
        (one.id, sent.collection, sent.state): opposite(group.takes({sent.state: sent.event}))
        for one in owner.transitions
        for sent in one.members
        for group in groups
        if group.collection.name == sent.collection
    }
    return OneByOne(system=system, counts=counts, refusals=refusals)


def _own(
    one: Transition,
    inputs: tuple[Input, ...],
    groups: Iterable[_Group],
    counts: Mapping[str, Expression],
) -> Move:
    """A transition of the owner, with what its members do in the same step."""
    guards = [substitute(one.guard, counts)] if one.guard is not None else []
    sets = [
        Assignment(name=part.name, value=substitute(part.value, counts)) for part in one.assignments
    ]
    for group in groups:
        sent = {
            part.state: part.event
            for part in one.members
            if part.collection == group.collection.name
        }
        if sent:
            guards.append(group.takes(sent))
            sets += group.taken(sent)
    return Move(
        name=one.id,
        event=one.event,
        subject="",
        source=one.source,
        target=one.target,
        inputs=inputs,
        guard=both(guards),
        sets=tuple(sets),
        transition=one,
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """The members of one collection."""

    lifecycle: Lifecycle
    collection: Collection
    most: int

    @property
    def machine(self) -> Machine:
        return machine_named(self.lifecycle, self.collection.machine)

    @property
    def state_type(self) -> Type:
        states = (state.name for state in self.machine.states)
        return Type(name=f"{self.collection.name}.state", members=(ABSENT, *states))

    @property
    def numbers(self) -> range:
        return range(1, self.most + 1)

    def state(self, number: int) -> Expression:
        return Read(name=f"{self.collection.name}[{number}].state", type=self.state_type)

    def is_in(self, number: int, state: str) -> Expression:
        member = Member(type=self.state_type, name=state)
        return Comparison(operands=(self.state(number), member), operators=("==",))

    def own(self, number: int) -> Mapping[str, Expression]:
        """The entries of one member, by the names that its machine has for them."""
        shared = {one.name for one in self.machine.variables if one.param}
        return {
            one.name: Read(
                name=f"{self.collection.name}.{one.name}"
                if one.name in shared
                else f"{self.collection.name}[{number}].{one.name}",
                type=one.type,
            )
            for one in own_entries(self.machine)
        }

    def counts(self) -> dict[str, Expression]:
        """The counts of the owner as sums over members."""
        found = {
            f"{self.collection.name}.{state.name}": total(
                _number(self.is_in(number, state.name)) for number in self.numbers
            )
            for state in self.machine.states
        }
        found[f"{self.collection.name}.total"] = self.present()
        return found

    def present(self) -> Expression:
        return total(_number(self.is_here(number)) for number in self.numbers)

    def is_here(self, number: int) -> Expression:
        absent = Member(type=self.state_type, name=ABSENT)
        return Comparison(operands=(self.state(number), absent), operators=("!=",))

    def entries(self) -> Iterator[Entry]:
        machine = self.machine
        shared = {one.name for one in machine.variables if one.param}
        for one in own_entries(machine):
            if one.name in shared:
                yield Entry(name=f"{self.collection.name}.{one.name}", type=one.type, initial=None)
        for number in self.numbers:
            name = f"{self.collection.name}[{number}]"
            yield Entry(name=f"{name}.state", type=self.state_type, initial=None)
            for one in own_entries(machine):
                if one.name not in shared:
                    yield Entry(name=f"{name}.{one.name}", type=one.type, initial=one.initial)

    def where(self) -> Expression:
        """What the parameters that members share satisfy."""
        return substitute(own_start(self.machine), self.own(0))

    def starts(self) -> Iterator[Expression]:
        """Members are in their initial state, the last ones absent."""
        for number in self.numbers:
            here = self.is_in(number, self.machine.initial)
            absent = self.is_in(number, ABSENT)
            yield either((here, absent))
            if number > 1:
                yield Implication(
                    premise=here, conclusion=self.is_in(number - 1, self.machine.initial)
                )

    def invariants(self) -> dict[str, Expression]:
        """The invariants of every member, in whatever state the owner is."""
        return {
            f"{self.collection.name}[{number}].{one.name}": Implication(
                premise=self.is_here(number)
                if one.states is None
                else either(self.is_in(number, state) for state in one.states),
                conclusion=substitute(one.holds, self.own(number)),
            )
            for number in self.numbers
            for one in self.machine.invariants
        }

    def moves(self) -> Iterator[Move]:
        machine = self.machine
        events = {event.name: event for event in machine.events}
        for place, accepted in self.collection.accepts:
            for number in self.numbers:
                own = self.own(number)
                for row in machine.transitions:
                    if not row.ignored and row.event in accepted:
                        guard = TRUE if row.guard is None else substitute(row.guard, own)
                        yield Move(
                            name=f"{self.collection.name}[{number}]: {row.id} in {place}",
                            event=row.event,
                            subject=f"{self.collection.name}[{number}]",
                            source=place,
                            target=place,
                            inputs=inputs_of(events[row.event]),
                            guard=both((self.is_in(number, row.source), guard)),
                            sets=tuple(self._assigned(number, row)),
                            transition=row,
                        )
        yield from self._added()

    def _assigned(
        self, number: int, row: Transition, fields: Mapping[str, Expression] | None = None
    ) -> Iterator[Assignment]:
        own = self.own(number)
        for part in row.assignments:
            value = substitute(part.value, own, fields)
            yield Assignment(name=f"{self.collection.name}[{number}].{part.name}", value=value)
        if row.target != row.source:
            yield Assignment(
                name=f"{self.collection.name}[{number}].state",
                value=Member(type=self.state_type, name=row.target),
            )

    def _added(self) -> Iterator[Move]:
        """New members, as many at once as there is room for."""
        more = Read(name="added", type=INT, payload=True)
        room = Comparison(
            operands=(total((self.present(), more)), Number(value=self.most)), operators=("<=",)
        )
        initial = Member(type=self.state_type, name=self.machine.initial)
        for place in self.collection.grows:
            yield Move(
                name=f"{self.collection.name}: added in {place}",
                event="added",
                subject=self.collection.name,
                source=place,
                target=place,
                inputs=(Input(name="added", type=INT),),
                guard=both((at_least(more, 1), room)),
                sets=tuple(
                    Assignment(
                        name=f"{self.collection.name}[{number}].state",
                        value=Choice(
                            then=initial,
                            condition=both(
                                (
                                    self.is_in(number, ABSENT),
                                    at_least(total((self.present(), more)), number),
                                )
                            ),
                            otherwise=self.state(number),
                        ),
                    )
                    for number in self.numbers
                ),
                transition=None,
            )

    def takes(self, sent: Mapping[str, str]) -> Expression:
        """Whether every member that is sent an event can take it."""
        parts: list[Expression] = []
        for number in self.numbers:
            for state, event in sent.items():
                rows = self._rows(state, event)
                some = either(self._guard(number, row) for row in rows)
                if some != TRUE:
                    parts.append(Implication(premise=self.is_in(number, state), conclusion=some))
        return both(parts)

    def taken(self, sent: Mapping[str, str]) -> Iterator[Assignment]:
        """What becomes of members that are sent an event, each by the row that its guards pick."""
        for number in self.numbers:
            prefix = f"{self.collection.name}[{number}]."
            before = {prefix + name: read for name, read in self.own(number).items()}
            before[prefix + "state"] = self.state(number)
            after: dict[str, Expression] = {}
            for state, event in sent.items():
                for row in self._rows(state, event):
                    taken = both((self.is_in(number, state), self._guard(number, row)))
                    for part in self._assigned(number, row, self._defaults(event)):
                        after[part.name] = Choice(
                            then=part.value,
                            condition=taken,
                            otherwise=after.get(part.name, before[part.name]),
                        )
            for name, value in after.items():
                yield Assignment(name=name, value=value)

    def _rows(self, state: str, event: str) -> tuple[Transition, ...]:
        return self.machine.pairs.get((state, event), ())

    def _guard(self, number: int, row: Transition) -> Expression:
        """A row's guard for one member; what it reads of the payload is the default."""
        if row.guard is None:
            return TRUE
        return substitute(row.guard, self.own(number), self._defaults(row.event))

    def _defaults(self, event: str) -> dict[str, Expression]:
        spec = next(one for one in self.machine.events if one.name == event)
        return {
            field.name: constant(field.type, field.default)
            for field in spec.fields
            if field.type.readable and isinstance(field.default, bool | int | str)
        }


def _number(condition: Expression) -> Expression:
    """1 where `condition` holds, else 0."""
    return Choice(then=Number(value=1), condition=condition, otherwise=Number(value=0))
