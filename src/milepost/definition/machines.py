"""One machine of a definition: how it begins, which row it takes, and what must hold of it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from milepost.definition.formulas import Formula, Values

__all__ = [
    "MISSING",
    "NONE_ALLOWED",
    "Allowed",
    "BadParameter",
    "Collection",
    "Field",
    "Invariant",
    "Machine",
    "Refused",
    "Row",
    "Taken",
    "Tried",
    "Variable",
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
    """No row takes the event. `payload` says what is wrong with the payload, if that is it."""

    def __init__(self, event: str, tried: tuple[Tried, ...] = (), payload: str = "") -> None:
        self.event = event
        self.tried = tried
        self.payload = payload
        super().__init__(event, tried, payload)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine. `histories` maps each group that some row leads back to, to where it begins."""

    name: str
    initial: str
    states: tuple[str, ...]
    final: tuple[str, ...]
    was: Mapping[str, str]
    events: Mapping[str, Mapping[str, Field]]
    variables: Mapping[str, Variable]
    histories: Mapping[str, str]
    collections: Mapping[str, Collection]
    rows: Mapping[tuple[str, str], tuple[Row, ...]]
    invariants: Mapping[str, Invariant]

    @property
    def params(self) -> tuple[str, ...]:
        """The names of its parameters."""
        return tuple(name for name, one in self.variables.items() if one.param)

    @property
    def owned(self) -> tuple[str, ...]:
        """The names that steps may set, in the order in which they are stored."""
        own = (name for name, one in self.variables.items() if not one.param)
        return (*own, *(f"history.{group}" for group in self.histories))

    def fresh(self, given: Values) -> dict[str, Any]:
        """The context that it begins with. Raises BadParameter."""
        for name in given:
            if name not in self.params:
                raise BadParameter(f"machine '{self.name}' has no parameter '{name}'")
        found: dict[str, Any] = {}
        for name, one in self.variables.items():
            value = given.get(name, one.initial)
            if value is MISSING:
                raise BadParameter(f"parameter '{name}' of '{self.name}' is missing")
            problem = _misfit(one.type, one.members, value)
            if problem:
                raise BadParameter(f"'{name}' of '{self.name}' {problem}")
            found[name] = value
        found.update({f"history.{group}": state for group, state in self.histories.items()})
        self.check(found)
        return found

    def check(self, context: Values) -> None:
        """Raise BadParameter unless each parameter satisfies its `where`."""
        for name, one in self.variables.items():
            if one.where is not None and not one.where.value(context):
                told = f"is {context[name]!r}, which has to satisfy {one.where.text}"
                raise BadParameter(f"'{name}' of '{self.name}' {told}")

    def allowed(self, state: str, names: Values) -> Allowed:
        """The events that a row takes in `state`, by what guards read in `names`.

        Whether what comes of it keeps the invariants is not looked at.
        """
        told = {event: self._lets(state, event, names) for event in self.events}
        return Allowed(
            tuple(event for event, lets in told.items() if lets),
            tuple(event for event, lets in told.items() if lets is None),
        )

    def _lets(self, state: str, event: str, names: Values) -> bool | None:
        """True if a row takes the event whatever it carries, None if a guard asks what it does."""
        rows = self.rows.get((state, event), ())
        said = {row.id: _says(row, names) for row in rows if not row.otherwise}
        guards = {said[row.id] for row in rows if not row.otherwise and _remembered(row, names)}
        others = any(row.otherwise and _remembered(row, names) for row in rows)
        if True in guards or (others and not {True, None}.intersection(said.values())):
            return True
        return None if None in guards or (others and None in said.values()) else False

    def take(self, state: str, event: str, names: Values, payload: Values) -> Taken:
        """What `event` does in `state`; `names` are what guards read. Raises Refused."""
        told = self.payload(event, payload)
        rows = self.rows.get((state, event), ())
        read = {**names, **told}
        plain = [row for row in rows if not row.otherwise and _remembered(row, names)]
        enabled = [row for row in plain if row.guard is None or row.guard.value(read)]
        if not any(row.guard is None or row.guard.value(read) for row in rows if not row.otherwise):
            enabled = [row for row in rows if row.otherwise and _remembered(row, names)]
        if not enabled:
            tried = (
                Tried(row=r.id, guard=r.guard.text, values=r.guard.read(read))
                for r in plain
                if r.guard
            )
            raise Refused(event, tuple(tried))
        row = enabled[0]
        if len(enabled) > 1:
            others = ", ".join(one.id for one in enabled)
            raise Refused(event, payload=f"several rows would take it: {others}")
        sets = {name: one.value(read) for name, one in row.sets.items()}
        sets.update({f"history.{group}": state for group in row.remembers})
        texts = {name: one.text for name, one in row.sets.items()}
        return Taken(
            row=row.id,
            source=state,
            event=event,
            target=row.target,
            sets=sets,
            members=row.members,
            texts=texts,
        )

    def payload(self, event: str, given: Values) -> dict[str, Any]:
        """What guards may read of a payload, as `event.NAME`, with defaults. Raises Refused."""
        fields = self.events.get(event)
        if fields is None:
            raise Refused(event)
        for name in given:
            if name not in fields:
                raise Refused(event, payload=f"there is no field '{name}'")
        found: dict[str, Any] = {}
        for name, one in fields.items():
            if not one.readable:
                continue
            value = given.get(name, one.default)
            if value is MISSING:
                raise Refused(event, payload=f"field '{name}' is missing")
            problem = _misfit(one.type, one.members, value)
            if problem:
                raise Refused(event, payload=f"field '{name}' {problem}")
            found[f"event.{name}"] = value
        return found

    def invariants_of(self, state: str) -> tuple[Invariant, ...]:
        """The invariants that say something of `state`."""
        every = self.invariants.values()
        return tuple(one for one in every if one.states is None or state in one.states)

    def holds(self, one: Invariant, names: Values) -> bool:
        """True if the invariant holds, in a state that it is of."""
        return bool(one.formula.value(names))

    def held(self, one: Invariant, state: str, names: Values) -> bool:
        """True if the invariant held in that state, or was not asked for there."""
        asked = one.states is None or state in one.states
        return not asked or self.holds(one, names)


class _Unsaid(Exception):
    """A field of a payload is asked for, and there is no payload."""


class _WithoutPayload(dict[str, Any]):
    """Names of which those of a payload cannot be told."""

    def get(self, name: str, default: Any = None) -> Any:
        if name.startswith("event."):
            raise _Unsaid
        return super().get(name, default)


def _says(row: Row, names: Values) -> bool | None:
    """What the guard of a row says without a payload; None if that decides."""
    if row.guard is None:
        return True
    try:
        return bool(row.guard.value(_WithoutPayload(names)))
    except _Unsaid:
        return None


def _remembered(row: Row, names: Values) -> bool:
    """True unless the row leads to another member of a history than the one that was left last."""
    return not row.history or names.get(f"history.{row.history}") == row.target


def _misfit(kind: str, members: tuple[str, ...], value: Any) -> str:
    """What is wrong with a value of that type; empty if nothing is."""
    if members:
        fits = isinstance(value, str) and value in members
    elif kind == "bool":
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, int) and not isinstance(value, bool)
    return "" if fits else f"is {value!r}, which is no {kind}"
