"""The systems that are proved of: a member alone, and an owner with any number of members counted.

A member alone takes its events in any order, as from any owner. Of counted members only their
numbers are known: one in a state may take any row there whose event the owner accepts, whatever
its guard says. So the system allows all that can be and more: what holds of it, holds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from milepost_codegen.expressions import BOOL, INT, Type
from milepost_codegen.expressions.substitute import TRUE, both, constant, total
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Choice,
    Comparison,
    Expression,
    Negative,
    Number,
    Product,
    Read,
)
from milepost_codegen.model import Assignment
from milepost_codegen.prove.system import Entry, Input, Move, System

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from milepost_codegen.model import (
        Collection,
        Event,
        Lifecycle,
        Machine,
        MemberEvent,
        Transition,
    )
    from milepost_codegen.prove.system import Value

__all__ = [
    "at_least",
    "build",
    "congruences",
    "count_of",
    "events_of_owners",
    "fixed_entries",
    "inputs_of",
    "invariants_of",
    "least",
    "machine_named",
    "own_entries",
    "own_start",
]


def build(lifecycle: Lifecycle, machine: Machine) -> System:
    """`machine` as a system: exact if it owns no members, else with its members counted."""
    heard = events_of_owners(lifecycle, machine)
    events = {event.name: event for event in machine.events}
    moves = [
        _own(lifecycle, machine, one, events[one.event])
        for one in machine.transitions
        if not one.ignored and (heard is None or one.event in heard)
    ]
    entries = own_entries(machine)
    starts = [own_start(machine)]
    facts: list[Expression] = [own_start(machine)]
    for collection in machine.collections:
        entries += _counts(lifecycle, collection)
        starts.append(_created(lifecycle, collection))
        facts += _counted(collection)
        moves += _of_members(lifecycle, collection)
        moves += _added(lifecycle, collection)
    return System(
        name=machine.name,
        modes=tuple(state.name for state in machine.states),
        initial=machine.initial,
        entries=tuple(entries),
        start=both(starts),
        facts=both((*facts, *congruences(entries, moves))),
        declared=both(facts),
        never_set=both(_never_set(machine)),
        moves=tuple(moves),
        invariants=invariants_of(machine),
        exact=not machine.collections,
    )


def machine_named(lifecycle: Lifecycle, name: str) -> Machine:
    """The machine of that name."""
    return next(one for one in lifecycle.machines if one.name == name)


def events_of_owners(lifecycle: Lifecycle, machine: Machine) -> frozenset[str] | None:
    """The events that some owner of `machine` accepts or sends; None if nobody owns it."""
    heard: set[str] = set()
    owned = False
    for owner in lifecycle.machines:
        for collection in owner.collections:
            if collection.machine != machine.name:
                continue
            owned = True
            heard.update(event for _, events in collection.accepts for event in events)
            heard.update(
                sent.event
                for one in owner.transitions
                for sent in one.members
                if sent.collection == collection.name
            )
    return frozenset(heard) if owned else None


def own_entries(machine: Machine) -> list[Entry]:
    """The variables, parameters and histories of a machine; parameters are free."""
    found = [
        Entry(name=one.name, type=one.type, initial=None if one.param else one.initial)
        for one in machine.variables
    ]
    for history in machine.histories:
        kind = Type(name=history.entry, members=history.states)
        found.append(Entry(name=history.entry, type=kind, initial=history.initial))
    return found


def own_start(machine: Machine) -> Expression:
    """What the parameters of a machine satisfy."""
    return both(one.where for one in machine.variables if one.where is not None)


def invariants_of(machine: Machine) -> dict[str, dict[str, Expression]]:
    """The invariants of a machine by state, then by name."""
    return {
        state.name: {
            one.name: one.holds
            for one in machine.invariants
            if one.states is None or state.name in one.states
        }
        for state in machine.states
    }


def congruences(entries: Iterable[Entry], moves: Sequence[Move]) -> Iterator[Expression]:
    """What holds of entries that every move changes by multiples of a number, from one start.

    Such an entry is that number times another one, which is in no system and may be anything, plus
    a rest. It is a fact by the moves alone, and the language has no words for it.
    """
    for entry in entries:
        if entry.type != INT or not isinstance(entry.initial, int):
            continue
        step = 0
        for move in moves:
            for one in move.sets:
                if one.name == entry.name:
                    step = math.gcd(step, _change(entry, one.value))
        if step > 1:
            multiple = Product(
                left=Number(value=step), right=Read(name=f"{entry.name} / {step}", type=INT)
            )
            rest = Number(value=entry.initial % step)
            yield Comparison(
                operands=(Read(name=entry.name, type=INT), total((multiple, rest))),
                operators=("==",),
            )


def _change(entry: Entry, value: Expression) -> int:
    """By how much an assignment changes an entry, or moves it away from its start; 1 if by any."""
    match value:
        case Number(value=number) if isinstance(entry.initial, int):
            return number - entry.initial
        case Negative(operand=Number(value=number)) if isinstance(entry.initial, int):
            return -number - entry.initial
        case Read(name=name, payload=False) if name == entry.name:
            return 0
        case Choice(then=then, otherwise=otherwise):
            return math.gcd(_change(entry, then), _change(entry, otherwise))
        case Arithmetic(operands=(Read(name=name, payload=False), *others)) if name == entry.name:
            amounts = [one.value for one in others if isinstance(one, Number)]
            signs = [1 if one == "+" else -1 for one in value.operators]
            if len(amounts) == len(others):
                return sum(sign * one for sign, one in zip(signs, amounts, strict=True))
    return 1


def _never_set(machine: Machine) -> Iterator[Expression]:
    """What variables are that no row sets."""
    assigned = {part.name for row in machine.transitions for part in row.assignments}
    for one in machine.variables:
        if not one.param and one.initial is not None and one.name not in assigned:
            read = Read(name=one.name, type=one.type)
            value = constant(one.type, one.initial)
            yield Comparison(operands=(read, value), operators=("==",))


def fixed_entries(system: System) -> Iterator[Expression]:
    """What entries are where runs begin, of those that are not free."""
    for one in system.entries:
        if one.initial is not None:
            entry = Read(name=one.name, type=one.type)
            yield Comparison(operands=(entry, constant(one.type, one.initial)), operators=("==",))


def least(kind: Type) -> Value:
    """A value of that type, for what nothing reads."""
    return False if kind == BOOL else 0 if kind == INT else kind.members[0]


def inputs_of(event: Event) -> tuple[Input, ...]:
    """The fields of a payload that expressions can read."""
    return tuple(
        Input(name=field.name, type=field.type) for field in event.fields if field.type.readable
    )


def at_least(tree: Expression, number: int) -> Expression:
    """`tree >= number`."""
    return Comparison(operands=(tree, Number(value=number)), operators=(">=",))


def _own(lifecycle: Lifecycle, machine: Machine, one: Transition, event: Event) -> Move:
    """A transition as a move; members that it sends an event are counted where they may end."""
    inputs = list(inputs_of(event))
    guards = [one.guard or TRUE]
    sets = list(one.assignments)
    for collection in machine.collections:
        sent = [part for part in one.members if part.collection == collection.name]
        if sent:
            extra, guard, counts = _sent(lifecycle, collection, sent)
            inputs += extra
            guards.append(guard)
            sets += counts
    return Move(
        name=one.id,
        event=one.event,
        subject="",
        source=one.source,
        target=one.target,
        inputs=tuple(inputs),
        guard=both(guards),
        sets=tuple(sets),
        transition=one,
    )


def _sent(
    lifecycle: Lifecycle, collection: Collection, sent: Sequence[MemberEvent]
) -> tuple[list[Input], Expression, list[Assignment]]:
    """How counts change when all members of some states take an event at once.

    Where rows lead a member to several states, how many go to each comes from outside.
    """
    machine = machine_named(lifecycle, collection.machine)
    inputs: list[Input] = []
    guards: list[Expression] = []
    change: dict[str, list[tuple[bool, Expression]]] = {}
    for part in sent:
        here = count_of(collection, part.state)
        rows = machine.pairs.get((part.state, part.event), ())
        targets = list(dict.fromkeys(row.target for row in rows))
        if not targets:
            continue
        going: list[Expression] = []
        for target in targets[:-1]:
            name = f"{collection.name}.{part.state}.{target}"
            some = Read(name=name, type=INT, payload=True)
            inputs.append(Input(name=name, type=INT))
            guards.append(at_least(some, 0))
            going.append(some)
        rest: Expression = here
        if going:
            rest = Arithmetic(operands=(here, *going), operators=tuple("-" for _ in going))
            guards.append(at_least(rest, 0))
        for target, number in zip(targets, (*going, rest), strict=True):
            if target != part.state:
                change.setdefault(part.state, []).append((False, number))
                change.setdefault(target, []).append((True, number))
    sets = [
        Assignment(name=f"{collection.name}.{state}", value=_changed(collection, state, parts))
        for state, parts in change.items()
    ]
    return inputs, both(guards), sets


def _changed(
    collection: Collection, state: str, parts: Sequence[tuple[bool, Expression]]
) -> Expression:
    """The count of `state` with what comes added and what goes taken off."""
    coming = total([count_of(collection, state), *(number for more, number in parts if more)])
    going = [number for more, number in parts if not more]
    if not going:
        return coming
    return Arithmetic(operands=(coming, *going), operators=tuple("-" for _ in going))


def _of_members(lifecycle: Lifecycle, collection: Collection) -> Iterator[Move]:
    """What one member may do by itself, by the owner's states: of equal changes the first."""
    machine = machine_named(lifecycle, collection.machine)
    for place, events in collection.accepts:
        seen: set[tuple[str, str]] = set()
        for row in machine.transitions:
            if row.ignored or row.event not in events or (row.source, row.target) in seen:
                continue
            seen.add((row.source, row.target))
            sets: tuple[Assignment, ...] = ()
            if row.source != row.target:
                less = Arithmetic(
                    operands=(count_of(collection, row.source), Number(value=1)), operators=("-",)
                )
                more = total([count_of(collection, row.target), Number(value=1)])
                sets = (
                    Assignment(name=f"{collection.name}.{row.source}", value=less),
                    Assignment(name=f"{collection.name}.{row.target}", value=more),
                )
            yield Move(
                name=f"{collection.name}: {row.id} in {place}",
                event=row.event,
                subject=collection.name,
                source=place,
                target=place,
                inputs=(),
                guard=at_least(count_of(collection, row.source), 1),
                sets=sets,
                transition=row,
            )


def _added(lifecycle: Lifecycle, collection: Collection) -> Iterator[Move]:
    """New members, any number at once, in the states of the owner in which they may come."""
    initial = machine_named(lifecycle, collection.machine).initial
    number = Read(name="added", type=INT, payload=True)
    for place in collection.grows:
        yield Move(
            name=f"{collection.name}: added in {place}",
            event="added",
            subject=collection.name,
            source=place,
            target=place,
            inputs=(Input(name="added", type=INT),),
            guard=at_least(number, 1),
            sets=tuple(
                Assignment(
                    name=f"{collection.name}.{entry}",
                    value=total([count_of(collection, entry), number]),
                )
                for entry in (initial, "total")
            ),
            transition=None,
        )


def _counts(lifecycle: Lifecycle, collection: Collection) -> list[Entry]:
    """The counts of a collection: how many are created is free, and all of them are waiting."""
    initial = machine_named(lifecycle, collection.machine).initial
    free = {f"{collection.name}.{initial}", f"{collection.name}.total"}
    return [
        Entry(name=name, type=INT, initial=None if name in free else 0)
        for name in collection.entries
    ]


def _created(lifecycle: Lifecycle, collection: Collection) -> Expression:
    initial = machine_named(lifecycle, collection.machine).initial
    return both(
        (
            at_least(count_of(collection, initial), 0),
            Comparison(
                operands=(count_of(collection, "total"), count_of(collection, initial)),
                operators=("==",),
            ),
        )
    )


def _counted(collection: Collection) -> Iterable[Expression]:
    """What holds of counts whatever happens: none is negative, and together they are the total."""
    for state in collection.states:
        yield at_least(count_of(collection, state), 0)
    everyone = total(count_of(collection, state) for state in collection.states)
    yield Comparison(operands=(count_of(collection, "total"), everyone), operators=("==",))


def count_of(collection: Collection, state: str) -> Expression:
    """The number of a collection's members in a state, or of all by `total`."""
    return Read(name=f"{collection.name}.{state}", type=INT)
