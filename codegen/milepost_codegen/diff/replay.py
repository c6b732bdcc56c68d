"""Whether the new version takes every step of the old one as the old one took it.

For each state and event of the old version, and each row that may be taken there: is there a
context, with a payload, where the new version refuses the event, leads elsewhere, sets another
value of what both versions hold, or sends members another event? Contexts are those that the old
version allows: parameters satisfy `where`, and invariants hold before and after the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from milepost_codegen.diff.asking import model_of
from milepost_codegen.diff.moves import counted, sent
from milepost_codegen.diff.terms import unequal
from milepost_codegen.expressions import INT
from milepost_codegen.expressions.substitute import TRUE, either, substitute
from milepost_codegen.expressions.tree import Comparison, Not, Number, Read
from milepost_codegen.logic import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milepost_codegen.diff.asking import Model
    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.space import Space
    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Machine, Transition

__all__ = ["Aspect", "Difference", "Effect", "Rows", "differences", "pairs_of"]

Aspect: TypeAlias = Literal["refused", "elsewhere", "members", "values", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which NEW does not take a row of OLD as OLD did.

    `after` is the row that NEW takes, None where it refuses. `model` is where that is so; None
    where it could not be told. `entry` is the context entry that gets another value.
    """

    row: Transition
    aspect: Aspect
    after: Transition | None = None
    model: Model | None = None
    entry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One row in the space: when it is taken, what it leads to, sets and sends.

    `values` are those of tied entries, `apart` what NEW assigns to others.
    """

    row: Transition
    guard: Expression
    target: str
    values: Mapping[str, Expression]
    apart: Mapping[str, Expression]
    sends: Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a pair of OLD, and those of the pair of NEW that it became, in one space."""

    state: str
    before: tuple[Effect, ...]
    after: tuple[Effect, ...]


def pairs_of(
    space: Space, names: Mapping[str, MachineNames], reached: frozenset[str]
) -> Iterator[Rows]:
    """All pairs of OLD that a job may be in, in the order of the definition."""
    reading = _Reading(space, names)
    later = space.new.pairs
    events = {event.name: event for event in space.old.events}
    fresh = {event.name: event for event in space.new.events}
    for (state, event), rows in space.old.pairs.items():
        if state not in reached:
            continue
        moved = space.names.moved_states.get(state, "")
        taken = space.names.moved_events.get(event, "")
        fields = space.fields(events[event], fresh.get(taken))
        yield Rows(
            state=state,
            before=tuple(reading.of_old(one) for one in rows),
            after=tuple(reading.of_new(one, fields) for one in later.get((moved, taken), ())),
        )


def differences(
    space: Space, pair: Rows, machines: Mapping[str, Machine], assumed: Expression
) -> Iterator[Difference]:
    """All that NEW takes otherwise, row by row; `assumed` is what holds in NEW before the step."""
    same = _alike(pair.before, pair.after)
    for index, one in enumerate(pair.before):
        if index < same:
            continue
        premise = _premise(space, pair, index, machines, assumed)
        yield from _row_differences(space, one, pair.after, premise)


def _alike(before: Sequence[Effect], after: Sequence[Effect]) -> int:
    """How many rows at the beginning of both are the same in everything."""
    number = 0
    for one, other in zip(before, after, strict=False):
        if (one.guard, one.target) != (other.guard, other.target):
            break
        if one.sends != other.sends or one.values != other.values:
            break
        number += 1
    return number


def _premise(
    space: Space, pair: Rows, index: int, machines: Mapping[str, Machine], assumed: Expression
) -> list[Expression]:
    """What holds where OLD takes the row: before it, of the payload, and after it."""
    one = pair.before[index]
    counting = sent(space.old, machines, one.row)
    values = {part.name: space.of_old(part.value) for part in one.row.assignments}
    after = substitute(counted(space.kept(one.row.target), counting), values)
    return [
        one.guard,
        *(Not(operand=other.guard) for other in pair.before[:index]),
        space.parameters(),
        space.kept(pair.state),
        assumed,
        counting.condition,
        after,
    ]


def _row_differences(
    space: Space, one: Effect, after: Sequence[Effect], premise: Sequence[Expression]
) -> Iterator[Difference]:
    """What becomes of one row: each aspect that differs once, the gravest first."""
    found: dict[tuple[Aspect, str], Difference] = {}

    def ask(
        aspect: Aspect, other: Effect | None, conditions: Sequence[Expression], entry: str = ""
    ) -> None:
        row = None if other is None else other.row
        if (aspect, entry) in found:
            return
        try:
            model = model_of(space, (*premise, *conditions))
        except Undecided:
            found["unknown", ""] = Difference(row=one.row, aspect="unknown", after=row, entry=entry)
            return
        if model is not None:
            found[aspect, entry] = Difference(
                row=one.row, aspect=aspect, after=row, model=model, entry=entry
            )

    ask("refused", None, [Not(operand=other.guard) for other in after])
    for index, other in enumerate(after):
        taken = [other.guard, *(Not(operand=first.guard) for first in after[:index])]
        if other.target != one.target:
            ask("elsewhere", other, taken)
            continue
        hit = _sent_otherwise(one, other)
        if hit:
            ask("members", other, [*taken, either(hit)])
        for entry, value in one.values.items():
            if value != other.values[entry]:
                ask("values", other, [*taken, unequal(value, other.values[entry])], entry)
        if {"refused", "elsewhere"} & {aspect for aspect, _ in found}:
            break
    yield from found.values()


def _sent_otherwise(one: Effect, other: Effect) -> list[Expression]:
    """That there is a member which NEW sends another event, or only one of the versions any."""
    keys = dict.fromkeys((*one.sends, *other.sends))
    return [
        Comparison(
            operands=(Read(name=f"{collection}.{state}", type=INT), Number(value=0)),
            operators=(">",),
        )
        for collection, state in keys
        if one.sends.get((collection, state)) != other.sends.get((collection, state))
    ]


class _Reading:
    """Rows of either version in the space."""

    def __init__(self, space: Space, names: Mapping[str, MachineNames]) -> None:
        self.space = space
        self.members = {one.name: names.get(one.machine) for one in space.old.collections}
        self.owned = {one.name: one.states for one in space.old.collections}

    def of_old(self, row: Transition) -> Effect:
        """A row of OLD; its target and what it sends are by the names of NEW."""
        space = self.space
        values = {part.name: space.of_old(part.value) for part in row.assignments}
        sends: dict[tuple[str, str], str] = {}
        for part in row.members:
            known = self.members[part.collection]
            event = known.moved_events.get(part.event, "") if known else part.event
            sends[part.collection, part.state] = event
        return Effect(
            row=row,
            guard=TRUE if row.guard is None else space.of_old(row.guard),
            target=space.names.moved_states.get(row.target, ""),
            values={name: space.after(name, values) for name in space.tied},
            apart={},
            sends=sends,
        )

    def of_new(self, row: Transition, fields: Mapping[str, Expression]) -> Effect:
        """A row of NEW; what it sends is by OLD's states, where a member can be in them."""
        space = self.space
        values = {part.name: part.value for part in row.assignments}
        sends: dict[tuple[str, str], str] = {}
        for part in row.members:
            known = self.members.get(part.collection)
            for state in self.owned.get(part.collection, ()):
                moved = known.moved_states.get(state, "") if known else state
                if moved == part.state:
                    sends[part.collection, state] = part.event
        return Effect(
            row=row,
            guard=TRUE if row.guard is None else space.of_new(row.guard, fields, space.entries),
            target=row.target,
            values={
                now: space.of_new(values[now], fields, space.entries)
                if now in values
                else space.entries[now]
                for now in space.tied
            },
            apart={
                name: space.of_new(value, fields, space.entries)
                for name, value in values.items()
                if name not in space.tied
            },
            sends=sends,
        )
