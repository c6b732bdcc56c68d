"""What is proved of: one transition system of modes, entries and moves, whatever it was built from.

A machine alone, an owner with its members counted, and an owner with a few members one by one are
all built as such a system, so that every search and every proof is written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from milepost_codegen.expressions import evaluate
from milepost_codegen.expressions.tree import Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.model import Assignment, Transition

__all__ = [
    "Configuration",
    "Entry",
    "Input",
    "Move",
    "Run",
    "RunStep",
    "System",
    "Value",
    "Values",
    "after",
    "enabled",
]

Value: TypeAlias = "int | bool | str"
Values: TypeAlias = "Mapping[str, Value]"

TRUE = Truth(value=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A context entry of the system; `initial` is None where the start leaves it free.

    Free are parameters without regard to their defaults, and how many members there are.
    """

    name: str
    type: Type
    initial: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a move takes from outside: a readable field of the payload, or a number of members.

    Expressions read it as `Read(name=..., payload=True)`.
    """

    name: str
    type: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One way to get from one mode to another: a transition, or what a member does.

    `name` is unique within the system: a transition's id, `COLLECTION: ID` for a member's, and
    `COLLECTION: added` for new members. `event` is the event by its machine's name, `subject` is
    `""` for the system's own and else the collection, with a number where members are one by one.
    `guard` speaks of entries and inputs; `sets` are computed from the values before.
    """

    name: str
    event: str
    subject: str
    source: str
    target: str
    inputs: tuple[Input, ...]
    guard: Expression
    sets: tuple[Assignment, ...]
    transition: Transition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A transition system: it begins in `initial` with entries that satisfy `start`.

    `start` speaks of free entries only (the `where` of parameters, counts of members). `facts`
    always hold by the way the system is built (counts are never negative and add up, what moves
    change in steps keeps its remainder), whatever the definition says. `declared` is the part of
    them that a reader of the definition sees, `never_set` is what variables are that no row sets;
    both are asked for guards alone. `invariants` are those that the definition declares, by mode,
    by name; `exact` is False where the system allows more than the definition does, so that a run
    of it may be none of the definition's.
    """

    name: str
    modes: tuple[str, ...]
    initial: str
    entries: tuple[Entry, ...]
    start: Expression
    facts: Expression
    declared: Expression = TRUE
    never_set: Expression = TRUE
    moves: tuple[Move, ...]
    invariants: Mapping[str, Mapping[str, Expression]]
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Where a system is: its mode and the value of every entry."""

    mode: str
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """One move of a run with what came from outside, and where it led."""

    move: Move
    payload: Values
    after: Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run from a start; its length is the number of its steps."""

    start: Configuration
    steps: tuple[RunStep, ...] = ()

    @property
    def end(self) -> Configuration:
        """Where the run leads."""
        return self.steps[-1].after if self.steps else self.start


def enabled(move: Move, at: Configuration, payload: Values) -> bool:
    """True if `move` can be taken there."""
    return move.source == at.mode and bool(evaluate(move.guard, at.values, payload))


def after(move: Move, at: Configuration, payload: Values) -> Configuration:
    """Where `move` leads; it must be enabled."""
    if not move.sets:
        return Configuration(mode=move.target, values=at.values)
    new = {one.name: evaluate(one.value, at.values, payload) for one in move.sets}
    return Configuration(mode=move.target, values={**at.values, **new})
