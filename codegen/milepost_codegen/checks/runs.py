"""Whether runs reach what would be a fault: a search from creation, over all values at once.

A place of the search is a state with every entry as an expression over parameters and payloads, and
the conditions under which it is reached. What it finds is certain: every step is one that the
machine takes, with payloads and parameters that exist. What it does not find may still be, unless
the search came to an end by itself.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_codegen.checks.assumptions import wheres
from milepost_codegen.expressions import INT, Type, evaluate
from milepost_codegen.expressions.substitute import FALSE, TRUE, both, constant
from milepost_codegen.expressions.tree import Arithmetic, Comparison, Logic, Number, Read, reads
from milepost_codegen.expressions.typing import measure
from milepost_codegen.logic import Undecided, substituted
from milepost_codegen.model import reads_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from milepost_codegen.checks.questions import Questions
    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Collection, Event, Lifecycle, Machine, Transition
    from milepost_codegen.resolve import Doubts

__all__ = ["Found", "Target", "search"]

_MAX_PLACES: Final = 500
_MAX_CONDITIONS: Final = 24
_MAX_SIZE: Final = 400
_MAX_INTEGER: Final = 2**63 - 1  # a step that would make a larger one is refused
_MAX_WORK: Final = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A condition on entries and payload that some run may meet with `event` in `state`."""

    state: str
    event: str
    tree: Expression


@dataclass(slots=True)
class Found:
    """What was reached: for each target its values, by entry or `event.FIELD`.

    `exhausted` says that there is no place left to go to, so that what was not reached never is.
    """

    values: dict[Target, dict[str, int | bool | str]] = field(default_factory=dict)
    exhausted: bool = True


@dataclass(frozen=True, slots=True)
class _Place:
    state: str
    entries: tuple[Expression, ...]
    conditions: tuple[Expression, ...]


def search(
    lifecycle: Lifecycle,
    machine: Machine,
    doubts: Doubts,
    targets: Sequence[Target],
    questions: Questions,
) -> Found:
    """Which of the targets some run meets; breadth first, so that the values are early ones.

    Cost: at most a fixed number of places and steps.
    """
    return _Search(lifecycle, machine, doubts, targets, questions).run()


class _Search:
    def __init__(
        self,
        lifecycle: Lifecycle,
        machine: Machine,
        doubts: Doubts,
        targets: Sequence[Target],
        questions: Questions,
    ) -> None:
        self.lifecycle = lifecycle
        self.machine = machine
        self.questions = questions
        self.most = questions.spent + _MAX_WORK
        self.found = Found(exhausted=not doubts.rows_missing and not doubts.unsound)
        self.open = list(dict.fromkeys(targets))
        self.events = _events(lifecycle, machine)
        self.members = {one.name: one for one in lifecycle.machines}
        self.rows: dict[str, list[Transition]] = {}
        for one in machine.transitions:
            if not one.ignored and one.event in self.events and one.row not in doubts.unsound:
                self.rows.setdefault(one.source, []).append(one)
        types = _entries(machine)
        kept = self.cone(types)
        self.types = {name: kind for name, kind in types.items() if name in kept}
        self.seen: dict[tuple[str, tuple[Expression, ...]], list[frozenset[Expression]]] = {}
        self.queue: deque[_Place] = deque()
        self.places = 0
        self.ways: dict[frozenset[str], set[str]] = {}

    def run(self) -> Found:
        """Go on until all targets are reached, nothing is left, or it is enough."""
        if all(one.initial is not None or one.param for one in self.machine.variables):
            self.arrive(self.start())
        else:
            self.found.exhausted = False
        while self.queue and self.open:
            if self.places > _MAX_PLACES or self.questions.spent > self.most:
                self.found.exhausted = False
                break
            place = self.queue.popleft()
            if place.state not in self.useful():
                continue
            for row in self.rows.get(place.state, ()):
                self.arrive(self.after(place, row))
            for moved in self.members_of(place):
                self.arrive(moved)
        return self.found

    def useful(self) -> set[str]:
        """The states from which rows lead to that of an open target."""
        aims = frozenset(one.state for one in self.open)
        if aims not in self.ways:
            reached = set(aims)
            grown = True
            while grown:
                sources = {
                    state
                    for state, rows in self.rows.items()
                    if state not in reached and any(row.target in reached for row in rows)
                }
                reached |= sources
                grown = bool(sources)
            self.ways[aims] = reached
        return self.ways[aims]

    def cone(self, types: Mapping[str, Type]) -> set[str]:
        """The entries on which it depends whether a target is reached."""
        trees: list[Expression] = [one.tree for one in self.open]
        trees += [one.holds for one in self.machine.invariants]
        trees += [one.holds for one in wheres(self.machine)]
        for rows in self.rows.values():
            trees += [row.guard for row in rows if row.guard is not None]
        names = {name for tree in trees for name in reads_in(tree)}
        names |= {entry for one in self.machine.collections for entry in one.entries}
        grown = True
        while grown:
            before = len(names)
            for rows in self.rows.values():
                for row in rows:
                    for one in row.assignments:
                        if one.name in names:
                            names.update(reads_in(one.value))
            grown = len(names) > before
        return names & set(types)

    # ---- places

    def start(self) -> _Place:
        """Creation: any parameters that satisfy `where`, any number of members."""
        values: dict[str, Expression] = {}
        for one in self.machine.variables:
            free = Read(name=one.name, type=one.type)
            values[one.name] = (
                free if one.initial is None or one.param else constant(one.type, one.initial)
            )
        for history in self.machine.histories:
            kind = self.types.get(history.entry)
            if kind is not None:
                values[history.entry] = constant(kind, history.initial)
        conditions = [one.holds for one in wheres(self.machine)]
        for number, collection in enumerate(self.machine.collections):
            born: Expression = Number(value=0)
            if not self.creatable(collection):
                self.found.exhausted = False
            else:
                born = Read(name=_symbol(number), type=INT)
                conditions.append(_at_least(born, 0))
            for entry in collection.entries:
                values[entry] = Number(value=0)
            initial = self.members[collection.machine].initial
            values[f"{collection.name}.{initial}"] = born
            values[f"{collection.name}.total"] = born
        return self.place(self.machine.initial, values, conditions)

    def creatable(self, collection: Collection) -> bool:
        """True if members certainly can be created: they own none, and break no invariant."""
        member = self.members[collection.machine]
        if member.collections or any(
            one.states is None or member.initial in one.states for one in member.invariants
        ):
            start = {
                one.name: constant(one.type, one.initial)
                for one in member.variables
                if not one.param and one.initial is not None
            }
            holds = [
                substituted(one.holds, start, {})
                for one in member.invariants
                if one.states is None or member.initial in one.states
            ]
            asked = [*(one.holds for one in wheres(member)), *holds]
            return not member.collections and self.possible(asked)
        return self.possible(one.holds for one in wheres(member))

    def possible(self, trees: Iterable[Expression]) -> bool:
        """True if certainly they can hold together."""
        try:
            return self.questions.model(trees) is not None
        except Undecided:
            return False

    def place(
        self, state: str, values: Mapping[str, Expression], conditions: Iterable[Expression]
    ) -> _Place:
        """The place, with the invariants of its state among the conditions."""
        invariants = (
            substituted(one.holds, values, {})
            for one in self.machine.invariants
            if one.states is None or state in one.states
        )
        whole = both((*conditions, *invariants))
        together = isinstance(whole, Logic) and whole.operator == "and"
        parts = whole.operands if isinstance(whole, Logic) and together else (whole,)
        return _Place(state, tuple(values[name] for name in self.types), parts)

    def arrive(self, place: _Place | None) -> None:
        """Take the place in, if it can be reached and is new, and look for targets there."""
        if place is None or FALSE in place.conditions:
            return
        try:
            if self.questions.model(place.conditions) is None:
                return
        except Undecided:
            self.found.exhausted = False
            return
        place = _canonical(place)
        size = sum(measure(tree)[0] for tree in (*place.entries, *place.conditions))
        self.questions.spend(2 * size)
        if size > _MAX_SIZE:
            self.found.exhausted = False
            return
        conditions = frozenset(place.conditions) - {TRUE}
        if len(conditions) > _MAX_CONDITIONS:
            self.found.exhausted = False
            return
        before = self.seen.setdefault((place.state, place.entries), [])
        if any(one <= conditions for one in before):
            return
        before.append(conditions)
        self.places += 1
        self.queue.append(place)
        for target in [one for one in self.open if one.state == place.state]:
            if target.event in self.events:
                self.aim(place, target)

    def aim(self, place: _Place, target: Target) -> None:
        """Note the target as reached if some payload meets it here."""
        entries = dict(zip(self.types, place.entries, strict=True))
        payload, _ = self.payload(target.event, [target.tree], _next_symbol(place))
        try:
            model = self.questions.model(
                (*place.conditions, substituted(target.tree, entries, payload))
            )
        except Undecided:
            self.found.exhausted = False
            return
        if model is None:
            return
        if any(abs(value) > _MAX_INTEGER for value in model.values() if isinstance(value, int)):
            self.found.exhausted = False
            return
        self.open.remove(target)
        self.found.values[target] = {
            key: _value(
                payload[key.removeprefix("event.")] if key.startswith("event.") else entries[key],
                model,
            )
            for key in reads_in(target.tree)
        }

    # ---- steps

    def payload(
        self, event: str, trees: Sequence[Expression], symbol: int
    ) -> tuple[dict[str, Expression], int]:
        """What stands for each field that the trees read, and the next free symbol."""
        spec = next(one for one in self.machine.events if one.name == event)
        read = {name for tree in trees for name in reads_in(tree)}
        found: dict[str, Expression] = {}
        for one in spec.fields:
            if f"event.{one.name}" not in read:
                continue
            default = _default(spec, one.name) if self.events[event] == "sent" else None
            if default is not None:
                found[one.name] = constant(one.type, default)
            else:
                found[one.name] = Read(name=_symbol(symbol), type=one.type)
                symbol += 1
        return found, symbol

    def after(self, place: _Place, row: Transition) -> _Place | None:
        """Where the row leads, None where it certainly cannot be taken."""
        entries = dict(zip(self.types, place.entries, strict=True))
        assigned = [one for one in row.assignments if one.name in self.types]
        trees = [one.value for one in assigned]
        trees += [row.guard] if row.guard is not None else []
        payload, _ = self.payload(row.event, trees, _next_symbol(place))
        conditions = list(place.conditions)
        if row.guard is not None:
            guard = substituted(row.guard, entries, payload)
            if guard == FALSE:
                return None
            conditions.append(guard)
        after = dict(entries)
        for one in assigned:
            after[one.name] = substituted(one.value, entries, payload)
        for sent in row.members:
            collection = next(
                one for one in self.machine.collections if one.name == sent.collection
            )
            source = f"{sent.collection}.{sent.state}"
            target = self.certain(collection, sent.state, sent.event)
            if target is None:
                self.found.exhausted = False
                conditions.append(_equal(entries[source], 0))
            elif target != sent.state:
                reached = f"{sent.collection}.{target}"
                after[source] = substituted(_difference(after[source], entries[source]), {}, {})
                after[reached] = substituted(_sum(after[reached], entries[source]), {}, {})
        return self.place(row.target, after, conditions)

    def certain(self, collection: Collection, state: str, event: str) -> str | None:
        """Where every member in `state` gets by `event`, whatever its context; else None."""
        member = self.members[collection.machine]
        rows = [
            one
            for one in member.transitions
            if one.source == state and one.event == event and not one.ignored
        ]
        if len(rows) != 1 or rows[0].guard is not None:
            return None
        target = rows[0].target
        bound = any(one.states is None or target in one.states for one in member.invariants)
        return None if bound else target

    def members_of(self, place: _Place) -> Iterator[_Place]:
        """Where members lead the counts: those that move by themselves, and new ones."""
        entries = dict(zip(self.types, place.entries, strict=True))
        for collection in self.machine.collections:
            member = self.members[collection.machine]
            accepted = dict(collection.accepts).get(place.state, ())
            for event in accepted:
                for state in collection.states:
                    target = self.certain(collection, state, event)
                    if target is None or target == state:
                        self.found.exhausted &= target is not None or not any(
                            one.source == state and one.event == event for one in member.transitions
                        )
                        continue
                    left, entered = f"{collection.name}.{state}", f"{collection.name}.{target}"
                    if entries[left] == Number(value=0):
                        continue
                    moved = dict(entries)
                    one = Number(value=1)
                    moved[left] = substituted(_difference(entries[left], one), {}, {})
                    moved[entered] = substituted(_sum(entries[entered], one), {}, {})
                    yield self.place(
                        place.state, moved, (*place.conditions, _at_least(entries[left], 1))
                    )
            if place.state in collection.grows:
                if not self.creatable(collection):
                    self.found.exhausted = False
                    continue
                more = Read(name=_symbol(_next_symbol(place)), type=INT)
                grown = dict(entries)
                for name in (f"{collection.name}.{member.initial}", f"{collection.name}.total"):
                    grown[name] = substituted(_sum(entries[name], more), {}, {})
                yield self.place(place.state, grown, (*place.conditions, _at_least(more, 1)))


def _events(lifecycle: Lifecycle, machine: Machine) -> dict[str, str]:
    """The events that can come, and how: `any` payload, or as `sent` by an owner's row."""
    owners = [
        (owner, {one.name: one for one in owner.collections if one.machine == machine.name})
        for owner in lifecycle.machines
    ]
    if not any(collections for _, collections in owners):
        return {one.name: "any" for one in machine.events}
    found: dict[str, str] = {}
    for owner, collections in owners:
        for row in owner.transitions:
            for one in row.members:
                if one.collection in collections:
                    found.setdefault(one.event, "sent")
        for collection in collections.values():
            for _, events in collection.accepts:
                found.update(dict.fromkeys(events, "any"))
    return found


def _entries(machine: Machine) -> dict[str, Type]:
    """The context entries with their types."""
    found = {one.name: one.type for one in machine.variables}
    for one in machine.histories:
        found[one.entry] = Type(name=one.entry, members=one.states)
    for collection in machine.collections:
        found |= dict.fromkeys(collection.entries, INT)
    return found


def _default(event: Event, name: str) -> int | bool | str | None:
    spec = next(one for one in event.fields if one.name == name)
    if spec.required or not isinstance(spec.default, int | str):
        return None
    return spec.default


def _canonical(place: _Place) -> _Place:
    """The place with its symbols numbered by appearance, without conditions on forgotten ones.

    The conditions were found to be possible. Those that share no symbol and no parameter with an
    entry, nor with a condition that does, are so whatever else is asked.
    """
    live = {name for tree in place.entries for name in reads_in(tree)}
    live |= {
        name for tree in place.conditions for name in reads_in(tree) if not name.startswith(_MARK)
    }
    read_by = [(tree, set(reads_in(tree))) for tree in place.conditions]
    grown = True
    kept: set[int] = set()
    while grown:
        grown = False
        for index, (_, names) in enumerate(read_by):
            if index not in kept and names & live:
                kept.add(index)
                live |= names
                grown = True
    conditions = [tree for index, (tree, _) in enumerate(read_by) if index in kept]
    new: dict[str, Expression] = {}
    for tree in (*place.entries, *conditions):
        for one in reads(tree):
            if one.name.startswith(_MARK):
                new.setdefault(one.name, Read(name=_symbol(len(new)), type=one.type))
    return _Place(
        place.state,
        tuple(substituted(tree, new, {}) for tree in place.entries),
        tuple(substituted(tree, new, {}) for tree in conditions),
    )


_MARK: Final = "?"


def _symbol(number: int) -> str:
    return f"{_MARK}{number}"


def _next_symbol(place: _Place) -> int:
    names = (one.name for tree in (*place.entries, *place.conditions) for one in reads(tree))
    return 1 + max((int(name[1:]) for name in names if name.startswith(_MARK)), default=-1)


def _value(tree: Expression, model: Mapping[str, int | bool | str]) -> int | bool | str:
    """The value of an entry under a model; what the model does not need has its first value."""
    context: dict[str, int | bool | str] = {}
    for one in reads(tree):
        members = one.type.members
        first: int | bool | str = members[0] if members else 0 if one.type == INT else False
        context[one.name] = model.get(one.name, first)
    return evaluate(tree, context, {})


def _at_least(tree: Expression, bound: int) -> Expression:
    return substituted(Comparison(operands=(tree, Number(value=bound)), operators=(">=",)), {}, {})


def _equal(tree: Expression, value: int) -> Expression:
    return substituted(Comparison(operands=(tree, Number(value=value)), operators=("==",)), {}, {})


def _sum(left: Expression, right: Expression) -> Expression:
    return Arithmetic(operands=(left, right), operators=("+",))


def _difference(left: Expression, right: Expression) -> Expression:
    return Arithmetic(operands=(left, right), operators=("-",))
