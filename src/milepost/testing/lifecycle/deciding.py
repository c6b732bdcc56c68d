"""What a generated module decides, held against the definition in contexts drawn by chance.

Traces and rules come to contexts that runs come to, and see of a step what it changes there: where
nobody is in a state whose members a row sends on, or a variable has already what is assigned, they
see nothing of it. And no run comes to parameters that `where` refuses, or breaks an invariant.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from milepost import machine as tables
from milepost.definition import BadParameter, Invariant, Machine, MachineMigration, Refused
from milepost.definition.formulas import Values
from milepost.machine import PayloadInvalid, TransitionRefused
from milepost.testing.lifecycle.values import numbers_of, value_of

__all__ = ["Part", "decisions", "ways"]

_DRAWN: Final = 500
_OF_PAIR: Final = 60


class Part(NamedTuple):
    """Something that both say, and what each of them says."""

    what: str
    file: Any
    module: Any


def decisions(plain: Machine, table: tables.Machine) -> Iterator[Part]:
    """What steps, invariants and `where` make of contexts, whether a run comes there or not.

    Of each, the first context of which the two say different things.
    """
    contexts = _Contexts(plain, table)
    for state in plain.states:
        for event in plain.events:
            found = contexts.first(partial(_steps, plain, table, state, event), _OF_PAIR)
            if found is not None:
                yield found._replace(what=f"{event!r} in {state!r}, {found.what}")
    yield Part("the invariants", set(plain.invariants), set(table.invariants))
    for name in plain.invariants.keys() & table.invariants.keys():
        for state in plain.states:
            both = partial(_holds, plain.invariants[name], table.invariants[name], state)
            found = contexts.first(both, _OF_PAIR)
            if found is not None:
                yield found._replace(what=f"invariant {name} in {state!r}, {found.what}")
    has = {one.name: one.holds for one in table.variables}
    for name, variable in plain.variables.items():
        mine = variable.where.value if variable.where else None
        found = contexts.first(partial(_satisfies, mine, has.get(name)), _DRAWN)
        if found is not None:
            yield found._replace(what=f"where of {name}, {found.what}")


def ways(
    way: MachineMigration, part: tables.MachineUpgrade, old: tables.Machine, new: tables.Machine
) -> Iterator[Part]:
    """To which state and context an earlier version's lead, by the file and by the module.

    Of each state, the first context that the two lead elsewhere.
    """
    contexts = _Contexts(way.old, old)
    for state in way.old.states:
        found = contexts.first(partial(_moved, way, part, new, state), _OF_PAIR)
        if found is not None:
            yield found._replace(what=f"the migration from {state!r}, {found.what}")


_Both: TypeAlias = "Callable[[_Contexts, Values], tuple[Any, Any] | None]"


class _Contexts:
    """Contexts of a machine, and payloads of its events, with the numbers that decide something."""

    def __init__(self, plain: Machine, table: tables.Machine) -> None:
        self._plain = plain
        self._chance = random.Random(plain.name)  # noqa: S311 no secret
        self._numbers = sorted({0, 1, 2, 3, *numbers_of(plain)})
        read = (name for one in plain.formulas() for name in one.reads)
        self._names = sorted({*plain.variables, *table.entries, *read})

    def drawn(self) -> dict[str, Any]:
        """Any context."""
        found: dict[str, Any] = {}
        for name in self._names:
            if name in self._plain.variables:
                variable = self._plain.variables[name]
                found[name] = value_of(variable, self._chance, self._numbers)
            elif name.startswith("history."):
                found[name] = self._chance.choice(self._plain.states)
            elif not name.startswith("event."):
                found[name] = abs(self._chance.choice(self._numbers))
        return found

    def payload(self, event: str) -> dict[str, Any]:
        """A payload of that event, in which some of what has a default is left out."""
        return {
            name: value_of(field, self._chance, self._numbers)
            for name, field in self._plain.events[event].items()
            if field.required or self._chance.random() < 0.5
        }

    def first(self, both: _Both, count: int) -> Part | None:
        """The first of `count` contexts of which the two say different things."""
        for _ in range(count):
            context = self.drawn()
            said = both(self, context)
            if said is not None and said[0] != said[1]:
                return Part(f"with {context},", *said)
        return None


def _steps(
    plain: Machine, table: tables.Machine, state: str, event: str, of: _Contexts, context: Values
) -> tuple[Any, Any] | None:
    """What one step does: the row, the state, what it sets, whom it sends what; None if refused.

    Nothing is compared where the definition lets several rows be taken, which no run comes to.
    """
    payload = of.payload(event)
    mine = its = None
    try:
        taken = plain.take(state, event, context, payload)
        after = {**context, **taken.sets}
        mine = (taken.row, taken.target, after, [tuple(one) for one in taken.members])
    except Refused as refused:
        if refused.several:
            return None
    try:
        step = table.follow(state, event, context, table.payload(event, payload))
        sent = [tuple(one) for one in step.members]
        its = (step.transition, step.state, dict(step.context), sent)
    except TransitionRefused:
        pass
    except PayloadInvalid:
        return None  # the fields differ, and that is said of them
    return mine, its


def _holds(
    mine: Invariant,
    its: Callable[[str, Values], bool],
    state: str,
    _: _Contexts,
    context: Values,
) -> tuple[bool, bool]:
    asked = mine.states is None or state in mine.states
    return not asked or bool(mine.formula.value(context)), its(state, context)


def _satisfies(
    mine: Callable[[Values], bool] | None,
    its: Callable[[Values], bool] | None,
    _: _Contexts,
    context: Values,
) -> tuple[bool, bool]:
    return mine is None or bool(mine(context)), its is None or bool(its(context))


def _moved(
    way: MachineMigration,
    part: tables.MachineUpgrade,
    new: tables.Machine,
    state: str,
    _: _Contexts,
    context: Values,
) -> tuple[Any, Any] | None:
    """Nothing is compared where the file has no answer for that context."""
    try:
        to, mine = way.moved(state, context)
    except BadParameter:
        return None
    its: dict[str, Any] = {one.name: one.initial for one in new.variables} | dict(new.entries)
    for name, after in part.entries.items():
        value = context.get(name)
        its[after] = part.states.get(str(value)) if after.startswith("history.") else value
    if part.given is not None:
        its.update(part.given(context))
    return (to, mine), (part.states.get(state), {name: its.get(name) for name in mine})
