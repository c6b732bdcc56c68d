"""One space for the contexts of two versions: what the old one tells of the new one.

Questions about two versions are asked of one set of unknowns, those of the old version: its
context entries and the fields of its payloads. An entry of the new version is an expression over
them, or an unknown of its own (`new.NAME`) where the old version does not tell its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_codegen.diff.terms import one_is
from milepost_codegen.diff.translate import rewritten
from milepost_codegen.expressions import INT, Type
from milepost_codegen.expressions.substitute import TRUE, both, constant, substitute, total
from milepost_codegen.expressions.tree import Choice, Comparison, Member, Number, Read, reads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Event, Field, Invariant, Machine

__all__ = ["FREE", "Space", "invariants_of", "remembered"]

FREE: Final = "new."
"""What the name of an unknown begins with that only the new version has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The unknowns of two versions of one machine, and how either version reads them.

    `entries` are those of NEW while it replays what OLD took, `stored` those that an upgrade gives
    to a job of OLD; both by NEW's names, over OLD's entries and over unknowns of their own.
    `tied` are the entries of NEW whose values a replay has to give again as OLD's tell them, and
    `given` those that the migration gives values for.
    `types` hold the members of both versions, `before` and `now` those of one, by the type's name.
    `counts` are the counts that OLD's totals are the sums of. `learnt` is what holds of every job
    of OLD beyond its invariants, by its states.
    """

    old: Machine
    new: Machine
    names: MachineNames
    types: Mapping[str, Type]
    before: Mapping[str, tuple[str, ...]]
    now: Mapping[str, tuple[str, ...]]
    tied: tuple[str, ...]
    given: frozenset[str]
    entries: Mapping[str, Expression]
    stored: Mapping[str, Expression]
    counts: Mapping[str, tuple[str, ...]]
    learnt: Mapping[str, Expression]

    def of_old(self, tree: Expression) -> Expression:
        """An expression of OLD in this space."""
        return rewritten(tree, self.typed)

    def of_new(
        self,
        tree: Expression,
        fields: Mapping[str, Expression],
        entries: Mapping[str, Expression],
    ) -> Expression:
        """An expression of NEW in this space; its payload and its context are those given."""

        def leaf(part: Read | Member) -> Expression:
            if isinstance(part, Member):
                return self.typed(part)
            return fields[part.name] if part.payload else entries[part.name]

        return rewritten(tree, leaf)

    def typed(self, part: Read | Member) -> Read | Member:
        """A leaf of either version with the type that both share."""
        kind = self.types.get(part.type.name, part.type)
        if isinstance(part, Member):
            return Member(name=part.name, type=kind)
        return Read(name=part.name, type=kind, payload=part.payload)

    def after(self, entry: str, assigned: Mapping[str, Expression]) -> Expression:
        """What a tied entry of NEW holds after OLD has assigned those values."""
        history = _history(entry) and entry in assigned and entry not in self.given
        if not history:
            return substitute(self.entries[entry], assigned)
        return remembered(assigned[entry], self.before.get(entry, ()), self.names.moved_states)

    def fields(self, old: Event, new: Event | None) -> Mapping[str, Expression]:
        """The fields that guards of NEW read where a payload of OLD is taken for one of NEW's."""
        if new is None:
            return {}
        known = self.names.fields.get(old.name)
        kept = known.items() if known is not None else ((one.name, one.name) for one in new.fields)
        origin = {now: was for was, now in kept}
        before = {field.name: field for field in old.fields}
        return {
            field.name: self._field(before.get(origin.get(field.name, "")), field)
            for field in new.fields
            if field.type.readable
        }

    def facts(self, trees: Iterable[Expression]) -> Iterator[Expression]:
        """What holds of all that `trees` read, whatever the definitions say."""
        read = {(one.name, one.payload): one for tree in trees for one in reads(tree)}
        sums = [name for name, payload in read if not payload and name in self.counts]
        for name in sums:
            for part in self.counts[name]:
                read.setdefault((part, False), Read(name=part, type=INT))
        counted = {*self.counts, *(part for parts in self.counts.values() for part in parts)}
        for (name, payload), node in read.items():
            if name in counted and not payload:
                yield Comparison(operands=(node, Number(value=0)), operators=(">=",))
            own = self.now if name.startswith(FREE) else self.before
            members = own.get(node.type.name, node.type.members)
            if members != node.type.members:
                yield one_is(node, node.type, members)
        for name in sums:
            parts = tuple(Read(name=part, type=INT) for part in self.counts[name])
            yield Comparison(operands=(Read(name=name, type=INT), total(parts)), operators=("==",))

    def parameters(self) -> Expression:
        """What OLD asks of its parameters."""
        return both(self.of_old(one.where) for one in self.old.variables if one.where is not None)

    def kept(self, state: str) -> Expression:
        """What is known of a job in one of OLD's states: by invariants, and what is learnt."""
        declared = (self.of_old(one.holds) for one in invariants_of(self.old, state))
        return both((*declared, self.learnt.get(state, TRUE)))

    def _field(self, old: Field | None, new: Field) -> Expression:
        kind = self.types.get(new.type.name, new.type)
        if old is not None and old.type.name == new.type.name:
            return Read(name=old.name, type=kind, payload=True)
        if old is None and not new.required and isinstance(new.default, (bool, int, str)):
            return constant(kind, new.default)
        return Read(name=FREE + new.name, type=kind, payload=True)


def _history(entry: str) -> bool:
    return entry.startswith("history.")


def invariants_of(machine: Machine, state: str) -> Iterator[Invariant]:
    """The invariants that must hold in a state, in the order of the definition."""
    return (one for one in machine.invariants if one.states is None or state in one.states)


def remembered(tree: Expression, states: tuple[str, ...], moved: Mapping[str, str]) -> Expression:
    """What OLD remembers of a group with those states, a member or the entry, by NEW's names."""
    if isinstance(tree, Member):
        return Member(name=moved.get(tree.name, tree.name), type=tree.type)
    if not isinstance(tree, Read) or all(moved.get(one, one) == one for one in states):
        return tree
    *others, last = (Member(name=one, type=tree.type) for one in states)
    value: Expression = remembered(last, states, moved)
    for one in others:
        same = Comparison(operands=(tree, one), operators=("==",))
        then = remembered(one, states, moved)
        value = Choice(then=then, condition=same, otherwise=value)
    return value
