"""One machine of a definition: how it begins, which row it takes, and what must hold of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from milepost.definition.formulas import Formula, Values
from milepost.definition.parts import (
    MISSING,
    Allowed,
    BadParameter,
    Collection,
    Field,
    Invariant,
    Refused,
    Row,
    Taken,
    Tried,
    Variable,
    misfit,
)

__all__ = ["Machine"]


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

    def of_pair(self, state: str, event: str) -> tuple[Row, ...]:
        """The rows of a state and an event, none where the event has none."""
        return self.rows.get((state, event), ())

    def every_row(self) -> Iterator[Row]:
        """All its rows, those that are ignored among them, pair after pair."""
        return (row for of in self.rows.values() for row in of)

    def by_id(self, row_id: str) -> Row:
        """The row of that id. Raises KeyError."""
        for row in self.every_row():
            if row.id == row_id:
                return row
        raise KeyError(row_id)

    def formulas(self) -> Iterator[Formula]:
        """What its rows and its invariants say."""
        for row in self.every_row():
            if row.guard is not None:
                yield row.guard
            yield from row.sets.values()
        yield from (one.formula for one in self.invariants.values())

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
            problem = misfit(one.type, one.members, value)
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
        rows = self.of_pair(state, event)
        said = {row.id: _says(row, names) for row in rows if not row.otherwise}
        guards = {said[row.id] for row in rows if not row.otherwise and _remembered(row, names)}
        others = any(row.otherwise and _remembered(row, names) for row in rows)
        if True in guards or (others and not {True, None}.intersection(said.values())):
            return True
        return None if None in guards or (others and None in said.values()) else False

    def take(self, state: str, event: str, names: Values, payload: Values) -> Taken:
        """What `event` does in `state`; `names` are what guards read beside it. Raises Refused."""
        read = {**names, **self.payload(event, payload)}
        row = self.row(state, event, read)
        sets = {name: one.value(read) for name, one in row.sets.items()}
        sets.update({f"history.{group}": state for group in row.remembers})
        return Taken(
            row=row.id,
            source=state,
            event=event,
            target=row.target,
            sets=sets,
            members=row.members,
            texts={name: one.text for name, one in row.sets.items()},
        )

    def row(self, state: str, event: str, read: Values) -> Row:
        """The one row that takes `event` in `state`; `read` is all that guards read.

        Raises Refused.
        """
        rows = self.of_pair(state, event)
        plain = [row for row in rows if not row.otherwise and _remembered(row, read)]
        enabled = [row for row in plain if row.guard is None or row.guard.value(read)]
        if not any(row.guard is None or row.guard.value(read) for row in rows if not row.otherwise):
            enabled = [row for row in rows if row.otherwise and _remembered(row, read)]
        if len(enabled) > 1:
            raise Refused(event, several=tuple(one.id for one in enabled))
        if not enabled:
            tried = (
                Tried(row=r.id, guard=r.guard.text, values=r.guard.read(read))
                for r in plain
                if r.guard
            )
            raise Refused(event, tuple(tried))
        return enabled[0]

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
            problem = one.misfit(value)
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
