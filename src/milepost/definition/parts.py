"""What a machine is made of, and what it answers: rows, fields, invariants; steps and refusals."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from milepost.definition.formulas import Formula

__all__ = [
    "MISSING",
    "NONE_ALLOWED",
    "Allowed",
    "BadParameter",
    "Collection",
    "Field",
    "Invariant",
    "Refused",
    "Row",
    "Taken",
    "Tried",
    "Variable",
    "misfit",
]

MISSING: Final = object()
"""What stands for a value that was not given."""


class BadParameter(ValueError):
    """A machine cannot begin, or go on, with that value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable or, with `param`, a parameter: its type, and how it begins unless that is given.

    `members` are those of its enum, none of a bool or an int.
    """

    name: str
    type: str
    members: tuple[str, ...]
    param: bool
    initial: Any  # Any: int, bool, name of a member, MISSING
    where: Formula | None
    was: str

    @property
    def required(self) -> bool:
        """True for a parameter that has to be given."""
        return self.initial is MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of an event's payload. Guards can read those that are `readable`."""

    name: str
    type: str
    members: tuple[str, ...]
    default: Any  # Any: JSON, MISSING

    @property
    def readable(self) -> bool:
        """True for a bool, an int and an enum."""
        return bool(self.members) or self.type in ("bool", "int")

    @property
    def required(self) -> bool:
        """True if it has to be given."""
        return self.default is MISSING

    def misfit(self, value: Any) -> str:
        """What is wrong with a value of a field that is readable; empty if nothing is."""
        return misfit(self.type, self.members, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One transition: a row from one state, and to one where it leads to a history.

    `guard` is None where it has none, `otherwise` where no other guard of its pair may hold.
    `members` are collection, state and event; `remembers` are histories that it sets. One that is
    `ignored` changes nothing.
    """

    id: str
    source: str
    event: str
    target: str
    guard: Formula | None
    otherwise: bool
    history: str
    sets: Mapping[str, Formula]
    members: tuple[tuple[str, str, str], ...]
    remembers: tuple[str, ...]
    ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """What must hold in `states`, or in all of them where that is None."""

    name: str
    states: tuple[str, ...] | None
    formula: Formula

    @property
    def text(self) -> str:
        """Its source."""
        return self.formula.text

    @property
    def reads(self) -> tuple[str, ...]:
        """The names that it reads."""
        return self.formula.reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Members that a machine owns: what it accepts of them, and where more may come, by state."""

    name: str
    machine: str
    accepts: Mapping[str, tuple[str, ...]]
    grows: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A row that was not taken: its guard, and the values that it read."""

    row: str
    guard: str
    values: Mapping[str, Any]


class Refused(Exception):
    """Not one row takes the event: the rows that were `tried` do not, or `several` do.

    `payload` says what is wrong with the payload, if that is it.
    """

    def __init__(
        self,
        event: str,
        tried: tuple[Tried, ...] = (),
        payload: str = "",
        several: tuple[str, ...] = (),
    ) -> None:
        self.event = event
        self.tried = tried
        self.payload = payload
        self.several = several
        super().__init__(event, tried, payload, several)


class Allowed(NamedTuple):
    """Events that some guard lets come: with any payload, or with some that the guard reads."""

    events: tuple[str, ...] = ()
    by_payload: tuple[str, ...] = ()

    def among(self, names: Container[str]) -> Allowed:
        """Those that are in `names` too."""
        return Allowed(*(tuple(one for one in of if one in names) for of in self))


NONE_ALLOWED: Final = Allowed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one event does: the row, from which state to which, what it sets, whom it sends what.

    `sets` has histories too, and `texts` what is assigned as text.
    """

    row: str
    source: str
    event: str
    target: str
    sets: Mapping[str, Any]
    members: tuple[tuple[str, str, str], ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


def misfit(kind: str, members: tuple[str, ...], value: Any) -> str:
    """What is wrong with a value of that type; empty if nothing is."""
    if members:
        fits = isinstance(value, str) and value in members
    elif kind == "bool":
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, int) and not isinstance(value, bool)
    return "" if fits else f"is {value!r}, which is no {kind}"
