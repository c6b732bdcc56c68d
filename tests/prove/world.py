"""The configurations of one machine and every step between them, member by member.

Written from the language page alone: what can happen to a machine, whoever drives it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from milepost_codegen.expressions import Expression, Type
from milepost_codegen.expressions.tree import Number, Read, walk
from milepost_codegen.model import Invariant, Lifecycle, Machine, Transition
from tests.prove.formulas import Function, Value, function_of

__all__ = ["Member", "Node", "Offer", "Ranges", "Step", "World", "numbers_near"]

Member = tuple[str, tuple[Value, ...]]  # its state and the values of its entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """How far is looked: values of free ints, members of a collection, configurations, steps."""

    ints: tuple[int, ...] = (-1, 0, 1, 2, 3)
    members: int = 2
    nodes: int = 4000
    steps: int = 40


@dataclass(frozen=True, slots=True)
class Node:
    """A configuration: state, values of entries, and of each collection the members, sorted."""

    state: str
    values: tuple[Value, ...]
    members: tuple[tuple[Member, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the machine's own row, or whose it is; `event` is `""` where members are added."""

    row: Transition | None
    payload: tuple[tuple[str, Value], ...]
    collection: str
    target: Node

    @property
    def own(self) -> bool:
        """True if it is an event of the machine itself."""
        return self.collection == ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One (state, event) pair with a payload: the rows that are enabled, by index in the pair."""

    event: str
    payload: tuple[tuple[str, Value], ...]
    rows: tuple[Transition, ...]
    enabled: tuple[bool, ...]


class World:
    """One machine alone, or with members of its own where it has collections."""

    def __init__(self, lifecycle: Lifecycle, machine: Machine, ranges: Ranges) -> None:
        self.lifecycle = lifecycle
        self.machine = machine
        self.ranges = ranges
        self._offers: dict[Node, list[Offer]] = {}
        self.names = (
            *(one.name for one in machine.variables),
            *(one.entry for one in machine.histories),
        )
        self.place = {name: index for index, name in enumerate(self.names)}
        self.pairs: dict[str, list[tuple[str, tuple[Transition, ...], list[dict[str, Value]]]]] = {}
        events = self._events()
        for (state, event), rows in machine.pairs.items():
            decided = tuple(one for one in rows if not one.ignored)
            if decided and event in events:
                self.pairs.setdefault(state, []).append((event, decided, self._payloads(decided)))
        self.checks: dict[str, list[tuple[str, Function]]] = {
            state.name: [(one.name, function_of(one.holds)) for one in self._invariants(state.name)]
            for state in machine.states
        }
        self.owned = {
            one.name: World(lifecycle, self._machine(one.machine), ranges)
            for one in machine.collections
        }

    def _machine(self, name: str) -> Machine:
        return next(one for one in self.lifecycle.machines if one.name == name)

    def _invariants(self, state: str) -> list[Invariant]:
        return [one for one in self.machine.invariants if one.states is None or state in one.states]

    @cached_property
    def is_member(self) -> bool:
        """True if some collection is of this machine."""
        return any(
            one.machine == self.machine.name
            for owner in self.lifecycle.machines
            for one in owner.collections
        )

    def _events(self) -> set[str]:
        """The events that can come: all, or those of a member that an owner accepts or sends."""
        if not self.is_member:
            return {one.name for one in self.machine.events}
        found: set[str] = set()
        for owner in self.lifecycle.machines:
            ours = {one.name: one for one in owner.collections if one.machine == self.machine.name}
            for one in ours.values():
                found.update(event for _, events in one.accepts for event in events)
            for row in owner.transitions:
                found.update(one.event for one in row.members if one.collection in ours)
        return found

    def _values_of(self, kind: Type) -> tuple[Value, ...]:
        if kind.members:
            return kind.members
        return self.ranges.ints if kind.name == "int" else (False, True)

    def _payloads(
        self, rows: tuple[Transition, ...], ints: tuple[int, ...] | None = None
    ) -> list[dict[str, Value]]:
        """Every payload as far as the rows read it, with these integers instead of the usual."""
        event = next(one for one in self.machine.events if one.name == rows[0].event)
        trees = [row.guard for row in rows if row.guard is not None]
        trees += [one.value for row in rows for one in row.assignments]
        nodes = [node for tree in trees for node in walk(tree)]
        read = {node.name for node in nodes if isinstance(node, Read) and node.payload}
        fields = [one for one in event.fields if one.name in read]
        choices = itertools.product(
            *(
                ints if ints and one.type.name == "int" else self._values_of(one.type)
                for one in fields
            )
        )
        return [dict(zip((one.name for one in fields), chosen, strict=True)) for chosen in choices]

    # ---- where it begins

    def contexts(self) -> Iterator[tuple[Value, ...]]:
        """The values of entries with which it may begin: any parameters that satisfy `where`."""
        params = [one for one in self.machine.variables if one.param]
        wheres = [function_of(one.where) for one in params if one.where is not None]
        fixed: dict[str, Value] = {
            one.name: one.initial
            for one in self.machine.variables
            if not one.param and one.initial is not None
        }
        fixed |= {one.entry: one.initial for one in self.machine.histories}
        for chosen in itertools.product(*(self._values_of(one.type) for one in params)):
            values = fixed | dict(zip((one.name for one in params), chosen, strict=True))
            if all(holds(values, {}) for holds in wheres):
                yield tuple(values[name] for name in self.names)

    def starts(self) -> Iterator[Node]:
        """Every configuration at creation, with every number of members."""
        crews: list[list[tuple[Member, ...]]] = []
        for world in self.owned.values():
            born = [(world.machine.initial, values) for values in world.contexts()]
            alike: list[tuple[Member, ...]] = [()]
            alike += [(one,) * count for one in born for count in range(1, self.ranges.members + 1)]
            crews.append(alike)
        for values in self.contexts():
            for members in itertools.product(*crews):
                yield Node(self.machine.initial, values, members)

    def conceivable(self, state: str, reader: Expression) -> Iterator[dict[str, Value]]:
        """Every context that what is declared allows in a state, whether or not a run leads there.

        That is: parameters satisfy `where`, what nothing assigns is as it began, and the
        invariants of the state hold. What none of these reads, nor `reader`, has one value.
        """
        trees = [reader, *(one.where for one in self.machine.variables if one.where is not None)]
        trees += [one.holds for one in self._invariants(state)]
        nodes = [node for tree in trees for node in walk(tree)]
        read = {node.name for node in nodes if isinstance(node, Read) and not node.payload}
        assigned = {part.name for row in self.machine.transitions for part in row.assignments}
        fixed: dict[str, Value] = {}
        free: dict[str, tuple[Value, ...]] = {}
        for one in self.machine.variables:
            if one.param or one.name in assigned or one.initial is None:
                wide = dict.fromkeys((*self.ranges.ints, *range(-12, 13)))
                free[one.name] = (
                    tuple(wide) if one.type.name == "int" else self._values_of(one.type)
                )
            else:
                fixed[one.name] = one.initial
        free |= {one.entry: one.states for one in self.machine.histories}
        for collection in self.machine.collections:
            counts = [f"{collection.name}.{counted}" for counted in collection.states]
            free |= dict.fromkeys(counts, tuple(range(self.ranges.members + 1)))
            if f"{collection.name}.total" in read:
                read.update(counts)
        free = {name: free[name] if name in read else free[name][:1] for name in free}
        wheres = [function_of(one.where) for one in self.machine.variables if one.where is not None]
        for chosen in itertools.product(*free.values()):
            values = fixed | dict(zip(free, chosen, strict=True))
            for collection in self.machine.collections:
                there = (values[f"{collection.name}.{counted}"] for counted in collection.states)
                values[f"{collection.name}.total"] = sum(int(count) for count in there)
            if all(holds(values, {}) for holds in wheres) and all(
                holds(values, {}) for _, holds in self.checks[state]
            ):
                yield values

    # ---- what there is to read

    def context(self, node: Node) -> dict[str, Value]:
        """All that expressions read: entries, and counts of members."""
        values: dict[str, Value] = dict(zip(self.names, node.values, strict=True))
        for one, members in zip(self.machine.collections, node.members, strict=False):
            for state in one.states:
                values[f"{one.name}.{state}"] = sum(member[0] == state for member in members)
            values[f"{one.name}.total"] = len(members)
        return values

    def broken(self, node: Node) -> list[str]:
        """The invariants that do not hold there."""
        checks = self.checks[node.state]
        if not checks:
            return []
        context = self.context(node)
        return [name for name, holds in checks if not holds(context, {})]

    def broken_member(self, member: Member) -> bool:
        """True if the member breaks an invariant of its own machine."""
        return bool(self.broken(Node(*member)))

    # ---- what can happen

    def offers(self, node: Node) -> list[Offer]:
        """Every pair of the state with every payload."""
        kept = self._offers.get(node)
        if kept is None:
            kept = self._offers[node] = list(self._offered(node))
        return kept

    def _offered(self, node: Node) -> Iterator[Offer]:
        context = self.context(node)
        for event, rows, payloads in self.pairs.get(node.state, ()):
            guards = [None if row.guard is None else function_of(row.guard) for row in rows]
            for payload in payloads:
                enabled = tuple(guard is None or bool(guard(context, payload)) for guard in guards)
                yield Offer(event, tuple(payload.items()), rows, enabled)

    def some_enabled(self, node: Node) -> bool:
        """True if some row is enabled there, with numbers in the payload from further around."""
        context = self.context(node)
        here = [value for value in context.values() if type(value) is int]
        wide = tuple(sorted({*range(-12, 13), *(one + by for one in here for by in range(-3, 4))}))
        return any(
            row.guard is None or bool(function_of(row.guard)(context, payload))
            for _, rows, _ in self.pairs.get(node.state, ())
            for payload in self._payloads(rows, wide)
            for row in rows
        )

    def own_steps(self, node: Node, offer: Offer) -> Iterator[tuple[Transition, Node | None]]:
        """Where each enabled row leads; None where a member refuses its part."""
        payload = dict(offer.payload)
        for row, enabled in zip(offer.rows, offer.enabled, strict=True):
            if enabled:
                yield from ((row, target) for target in self._after(node, row, payload))

    def _after(
        self, node: Node, row: Transition, payload: Mapping[str, Value]
    ) -> Iterator[Node | None]:
        context = self.context(node)
        values = list(node.values)
        for one in row.assignments:
            values[self.place[one.name]] = function_of(one.value)(context, payload)
        for members in self._sent(node, row):
            if members is None:
                yield None
            else:
                yield Node(row.target, tuple(values), members)

    def refusals(self, node: Node, row: Transition) -> Iterator[tuple[str, str]]:
        """The collection and state of each member that refuses its part of a row."""
        for collection, members in zip(self.machine.collections, node.members, strict=False):
            world = self.owned[collection.name]
            asked = {
                one.state: one.event for one in row.members if one.collection == collection.name
            }
            for member in dict.fromkeys(members):
                event = asked.get(member[0])
                if event and not any(world.member_steps(member, {event}, sent=True)):
                    yield collection.name, member[0]

    def _sent(self, node: Node, row: Transition) -> Iterator[tuple[tuple[Member, ...], ...] | None]:
        """The members after their parts of a row; None where one of them refuses."""
        if not row.members:
            yield node.members
            return
        crews: list[list[tuple[Member, ...]]] = []
        for collection, members in zip(self.machine.collections, node.members, strict=True):
            world = self.owned[collection.name]
            asked = {
                one.state: one.event for one in row.members if one.collection == collection.name
            }
            ways: list[list[Member]] = []
            for member in members:
                if member[0] not in asked:
                    ways.append([member])
                    continue
                taken = list(world.member_steps(member, {asked[member[0]]}, sent=True))
                if not taken:
                    yield None
                    return
                ways.append([after for _, _, after in taken])
            crews.append([tuple(sorted(crew, key=repr)) for crew in itertools.product(*ways)])
        for chosen in itertools.product(*crews):
            if not any(
                self.owned[collection.name].broken_member(member)
                for collection, crew in zip(self.machine.collections, chosen, strict=True)
                for member in set(crew)
            ):
                yield chosen

    def member_steps(
        self, member: Member, events: set[str], *, sent: bool = False
    ) -> Iterator[tuple[Transition, tuple[tuple[str, Value], ...], Member]]:
        """The steps of this machine as a member; what is sent has the defaults as its payload."""
        node = Node(*member)
        context = self.context(node)
        for event, rows, payloads in self.pairs.get(node.state, ()):
            if event not in events:
                continue
            for payload in [self._defaults(event)] if sent else payloads:
                for row in rows:
                    if row.guard is None or function_of(row.guard)(context, payload):
                        values = list(node.values)
                        for one in row.assignments:
                            value = function_of(one.value)(context, payload)
                            values[self.place[one.name]] = value
                        yield row, tuple(payload.items()), (row.target, tuple(values))

    def _defaults(self, event: str) -> dict[str, Value]:
        fields = next(one for one in self.machine.events if one.name == event).fields
        return {
            one.name: one.default
            for one in fields
            if isinstance(one.default, int | bool | str) and not one.required
        }

    def others(self, node: Node) -> Iterator[Step]:
        """What members do on their own, and new members."""
        for index, collection in enumerate(self.machine.collections):
            crew = node.members[index]
            world = self.owned[collection.name]
            accepted = set(dict(collection.accepts).get(node.state, ()))
            for member in dict.fromkeys(crew):
                for row, payload, after in world.member_steps(member, accepted):
                    if not world.broken_member(after):
                        rest = list(crew)
                        rest.remove(member)
                        yield Step(
                            row, payload, collection.name, self._crewed(node, index, [*rest, after])
                        )
            if node.state in collection.grows:
                room = self.ranges.members - len(crew)
                for values in self._births(world, crew):
                    born = (world.machine.initial, values)
                    for count in range(1, room + 1):
                        added = self._crewed(node, index, [*crew, *[born] * count])
                        yield Step(None, (("members", count),), collection.name, added)

    def _births(self, world: World, crew: tuple[Member, ...]) -> Iterator[tuple[Value, ...]]:
        """The values that new members begin with: parameters as those that are there have them."""
        params = [world.place[one.name] for one in world.machine.variables if one.param]
        for values in world.contexts():
            if not crew or all(values[at] == crew[0][1][at] for at in params):
                yield values

    def _crewed(self, node: Node, index: int, crew: list[Member]) -> Node:
        members = list(node.members)
        members[index] = tuple(sorted(crew, key=repr))
        return Node(node.state, node.values, tuple(members))


def numbers_near(lifecycle: Lifecycle, *, least: int = -2, most: int = 4) -> tuple[int, ...]:
    """The ints from `least` to `most`, and those beside every number that the lifecycle names."""
    trees = [
        tree
        for machine in lifecycle.machines
        for tree in (
            *(one.guard for one in machine.transitions),
            *(part.value for one in machine.transitions for part in one.assignments),
            *(one.holds for one in machine.invariants),
            *(one.where for one in machine.variables),
        )
        if tree is not None
    ]
    named = {node.value for tree in trees for node in walk(tree) if isinstance(node, Number)}
    named |= {
        one.initial
        for machine in lifecycle.machines
        for one in machine.variables
        if one.type.name == "int" and isinstance(one.initial, int)
    }
    beside = {number + delta for number in named for delta in (-1, 0, 1, 3)}
    return tuple(sorted(beside | set(range(least, most + 1)), key=lambda one: (abs(one), one)))
