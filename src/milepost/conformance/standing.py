"""A job as its definition has it: what each fact of its log makes of it, or where that departs.

The definition is asked for every step. Nothing of it is known here, and no generated code is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from pyroaring import BitMap

from milepost.conformance.departures import Departs, GuardSaid
from milepost.conformance.members import Cell, Members, Move, ordinal_set
from milepost.conformance.refusing import refused
from milepost.definition import NONE_ALLOWED, BadParameter, Definition, Machine, Refused, Taken
from milepost.integers import BEYOND, beyond
from milepost.log.facts import (
    ItemsAdded,
    ItemsFired,
    JobCreated,
    JobFired,
    MembersAdded,
    Snapshot,
)
from milepost.text.wording import shown

__all__ = ["Standing", "Stepped", "cells_of"]


class Stepped(NamedTuple):
    """A step that was taken: by the job, or by those members of a collection."""

    collection: str
    ordinals: BitMap | None
    taken: Taken


class _Before(NamedTuple):
    """Where a job stood before a fact: its phase, and what its guards read there."""

    phase: str
    names: Mapping[str, Any]


class Standing:
    """A job by its definition: its phase, its context and its members. It changes in place.

    `remarks` gathers what is no departure, and `steps` those of the last fact.
    """

    def __init__(
        self,
        definition: Definition,
        phase: str,
        context: Mapping[str, Any],
        members: Mapping[str, Members],
    ) -> None:
        self.definition = definition
        self.machine = definition.machines[definition.root]
        self.phase = phase
        self.context = dict(context)
        self.members = dict(members)
        self.steps: list[Stepped] = []
        self.remarks: list[str] = []

    @staticmethod
    def begun(definition: Definition, created: JobCreated) -> Standing:
        """The job before anything happened to it. Raises Departs for parameters it cannot have."""
        root = definition.machines[definition.root]
        several = len(root.collections) != 1
        members = {}
        try:
            context = root.fresh(created.job_params)
            for name, collection in root.collections.items():
                given = created.item_params.get(name, {}) if several else created.item_params
                listed = 0 if several else created.item_count
                machine = definition.machines[collection.machine]
                members[name] = Members.begun(machine, given, range(listed))
        except BadParameter as error:
            raise Departs("creation", str(error), state=root.initial) from error
        return Standing(definition, root.initial, context, members)

    @staticmethod
    def of(definition: Definition, snapshot: Snapshot) -> Standing:
        """The job as a snapshot has it, by a definition of its version."""
        root = definition.machines[definition.root]
        created = snapshot.created
        several = len(root.collections) != 1
        params = created.item_params if snapshot.item_params is None else snapshot.item_params
        cells = cells_of(snapshot, root)
        members = {}
        for name, collection in root.collections.items():
            machine = definition.machines[collection.machine]
            given = params.get(name, {}) if several else params
            members[name] = Members(machine, given, cells.get(name, {}))
        return Standing(definition, snapshot.phase, snapshot.context, members)

    def copy(self) -> Standing:
        """The job as it stands now, whatever becomes of this one."""
        members = {name: one.copy() for name, one in self.members.items()}
        return Standing(self.definition, self.phase, self.context, members)

    @property
    def count(self) -> int:
        """How many members it has."""
        return sum(members.count for members in self.members.values())

    def counts(self) -> tuple[int, ...]:
        """Its members by state, collection after collection, as a tally has them."""
        return tuple(n for one in self.members.values() for n in one.counts().values())

    def names(self) -> dict[str, Any]:
        """What the guards of the job read: its context, and how many members are where."""
        found = dict(self.context)
        for name, members in self.members.items():
            counts = members.counts()
            found.update({f"{name}.{state}": count for state, count in counts.items()})
            found[f"{name}.total"] = sum(counts.values())
        return found

    def take(self, fact: JobFired | ItemsFired | ItemsAdded | MembersAdded) -> None:
        """Take the step that a fact tells of. Raises Departs; then it is good for nothing more."""
        self.steps = []
        match fact:
            case JobFired():
                self._fire(fact)
            case ItemsFired():
                self._items(fact)
            case ItemsAdded() | MembersAdded():
                self._grow(fact)

    def _fire(self, fact: JobFired) -> None:
        names = self.names()
        try:
            taken = self.machine.take(self.phase, fact.event, names, fact.payload)
        except Refused as why:
            allowed = self.machine.allowed(self.phase, names)
            raise refused(why, self.machine, self.phase, allowed) from why
        moves = []
        for name, state, event in taken.members:
            with self._accepting(name):
                moves.append((name, self.members[name].sent(state, event)))
        _check_numbers(taken.sets, self.phase, ())
        before = _Before(self.phase, names)
        self.steps = [Stepped("", None, taken)]
        self._apply(moves)
        self.phase = taken.target
        self.context.update(taken.sets)
        self._check_invariants(before, moves)

    def _apply(self, moves: Iterable[tuple[str, list[Move]]]) -> None:
        by_collection: dict[str, list[Move]] = {}
        for name, made in moves:
            for move in made:
                _check_numbers(move.taken.sets, move.before[0], tuple(move.ordinals))
            by_collection.setdefault(name, []).extend(made)
        for name, made in by_collection.items():
            self.members[name].take(made)
            self.steps += [Stepped(name, move.ordinals, move.taken) for move in made]

    def _items(self, fact: ItemsFired) -> None:
        name = self._collection(fact.ordinals)
        members = self.members[name]
        with self._accepting(name) as accepted:
            if fact.event not in accepted:
                cell = members.cell_of(fact.ordinals[0])
                problem = f"a job in '{self.phase}' accepts no '{fact.event}' of its {name}"
                if fact.event not in members.machine.events:
                    problem = f"machine '{members.machine.name}' has no event '{fact.event}'"
                raise Departs(
                    "refused",
                    problem,
                    state=cell[0] if cell else "",
                    ordinals=tuple(fact.ordinals),
                    allowed=members.allowed(cell) if cell else NONE_ALLOWED,
                )
            moves = members.moves(fact.event, fact.ordinals, fact.payloads)
        counting = [
            one for one in self.machine.invariants_of(self.phase) if self._reads_counts(one.reads)
        ]
        if counting and len(fact.ordinals) > 1:
            self._check_each(name, moves, fact, [one.name for one in counting])
        before = self._before()
        self._apply([(name, moves)])
        self._check_invariants(before, [(name, moves)])

    @contextmanager
    def _accepting(self, name: str) -> Iterator[tuple[str, ...]]:
        """What the job accepts of those members now; of what departs in it, no more is allowed."""
        accepted = self.machine.collections[name].accepts.get(self.phase, ())
        try:
            yield accepted
        except Departs as found:
            found.allowed = found.allowed.among(accepted)
            raise

    def _collection(self, ordinals: Sequence[int]) -> str:
        """The one collection that items are of. Raises Departs."""
        if not ordinals:
            raise Departs("members", "it names no item")
        if len(self.members) == 1:
            return next(iter(self.members))
        found = {name: [n for n in ordinals if one.has(n)] for name, one in self.members.items()}
        named = [name for name, own in found.items() if own]
        if not named or sum(map(len, found.values())) != len(ordinals):
            absent = tuple(n for n in ordinals if not any(n in own for own in found.values()))
            raise Departs("members", "it names an item that the job does not have", ordinals=absent)
        if len(named) > 1:
            raise Departs("members", f"its items are of several collections: {', '.join(named)}")
        return named[0]

    def _grow(self, fact: ItemsAdded | MembersAdded) -> None:
        names = tuple(self.members)
        if isinstance(fact, MembersAdded) != (len(names) != 1):
            problem = f"a job with {len(names)} collections has no fact of this kind"
            raise Departs("members", problem, state=self.phase)
        name = fact.collection if isinstance(fact, MembersAdded) else names[0]
        if name not in self.members:
            raise Departs("members", f"there is no collection '{name}'", state=self.phase)
        if fact.first != self.count or fact.count < 1:
            problem = f"{fact.count} items from {fact.first} on follow {self.count}"
            raise Departs("members", problem, state=self.phase)
        grows = self.machine.collections[name].grows
        if self.phase not in grows:
            told = ", ".join(grows) or "none"
            self.remarks.append(
                f"{fact.count} items were added to '{name}' in '{self.phase}', where this"
                f" definition takes none any more (it takes them in: {told})"
            )
        before = self._before()
        self.members[name].grow(range(fact.first, fact.first + fact.count))
        self._check_invariants(before)

    def _reads_counts(self, reads: Iterable[str]) -> bool:
        return any(name.partition(".")[0] in self.members and "." in name for name in reads)

    def _before(self) -> _Before:
        """Where the job stands before a fact that leaves its phase as it is."""
        asked = self.machine.invariants_of(self.phase)
        return _Before(self.phase, self.names() if asked else {})

    def check_begun(self) -> None:
        """Raise Departs unless all that the definition declares holds of a job that begins."""
        self._check_own(None)
        for members in self.members.values():
            for cell, ordinals in members.cells.items():
                _check_cell(members, None, cell, ordinals)

    def _check_invariants(
        self, before: _Before, moves: Iterable[tuple[str, list[Move]]] = ()
    ) -> None:
        """Raise Departs for an invariant that held `before`, or was not asked for, and is broken.

        Of the members those are looked at that `moves` led somewhere.
        """
        self._check_own(before)
        for name, made in moves:
            for move in made:
                if move.before != move.after:
                    _check_cell(self.members[name], move.before, move.after, move.ordinals)

    def _check_own(self, before: _Before | None) -> None:
        asked = self.machine.invariants_of(self.phase)
        names = self.names() if asked else {}
        for one in asked:
            if self.machine.holds(one, names):
                continue
            if before is None or self.machine.held(one, before.phase, before.names):
                raise _breaks(self.machine, one.name, self.phase, names, ())

    def _check_each(
        self, name: str, moves: list[Move], fact: ItemsFired, counting: list[str]
    ) -> None:
        """Raise Departs where an invariant that counts breaks in between, one by one."""
        move_of = {ordinal: move for move in moves for ordinal in move.ordinals}
        names = self.names()
        asked = [one for one in self.machine.invariants_of(self.phase) if one.name in counting]
        held = {one.name for one in asked if self.machine.holds(one, names)}
        for ordinal in fact.ordinals:
            move = move_of[ordinal]
            names[f"{name}.{move.before[0]}"] -= 1
            names[f"{name}.{move.after[0]}"] += 1
            for one in asked:
                if self.machine.holds(one, names):
                    held.add(one.name)
                elif one.name in held:
                    raise _breaks(self.machine, one.name, self.phase, names, ())


def _check_numbers(sets: Mapping[str, Any], state: str, ordinals: tuple[int, ...]) -> None:
    """Raise Departs for a step that would assign what nothing stores."""
    for name, value in sets.items():
        if beyond(value):
            problem = f"'{name}' would be {shown(value)}, {BEYOND}"
            raise Departs("refused", problem, state=state, ordinals=ordinals)


def _check_cell(members: Members, was: Cell | None, now: Cell, ordinals: BitMap) -> None:
    """Raise Departs for an invariant that members break which came from `was` to `now`."""
    machine = members.machine
    for one in machine.invariants_of(now[0]):
        context = members.context(now)
        if machine.holds(one, context):
            continue
        if was is None or machine.held(one, was[0], members.context(was)):
            raise _breaks(machine, one.name, now[0], context, tuple(ordinals))


def _breaks(
    machine: Machine, name: str, state: str, context: Mapping[str, Any], ordinals: tuple[int, ...]
) -> Departs:
    one = machine.invariants[name]
    values = {entry: context[entry] for entry in one.reads if entry in context}
    problem = f"it breaks the invariant '{name}' in '{state}'"
    said = GuardSaid(row=name, guard=one.text, values=values)
    return Departs("invariant", problem, state=state, ordinals=ordinals, guards=(said,))


def cells_of(snapshot: Snapshot, root: Machine) -> dict[str, dict[Cell, BitMap]]:
    """The members in a snapshot by collection; with one, states stand without its name."""
    found: dict[str, dict[Cell, BitMap]] = {name: {} for name in root.collections}
    single = next(iter(found)) if len(found) == 1 else ""
    for cell in snapshot.cells:
        name, state = (single, cell.state) if single else tuple(cell.state.split(".", 1))
        members = ordinal_set(BitMap.deserialize(cell.members).to_array())
        found.setdefault(name, {})[state, tuple(cell.values)] = members
    return found
