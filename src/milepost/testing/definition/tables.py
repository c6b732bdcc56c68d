"""One machine of a definition: its rows, guards and invariants, as they stand in the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from milepost.definition.notation import listed, target_of, text_of
from milepost.testing.definition.expressions import NotUnderstood, conditions_in, evaluate

__all__ = ["Field", "Invalid", "Invariant", "Refused", "Row", "Table", "Variable"]

_PLAIN: Final[Mapping[str, type]] = {
    "bool": bool,
    "int": int,
    "str": str,
    "bytes": bytes,
    "timestamp": int,
}
_LEAST, _LARGEST = -(2**63), 2**64 - 1


class Refused(Exception):
    """The definition does not allow it; nothing has changed."""


class Invalid(Exception):
    """A payload or a parameter that is not what the definition asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a payload. `members` are those of its enum; `default` counts if not `required`."""

    name: str
    type: str
    members: tuple[str, ...] = ()
    required: bool = True
    default: Any = None

    @property
    def readable(self) -> bool:
        """True if rows may read it."""
        return bool(self.members) or self.type in ("bool", "int")

    def fits(self, value: Any) -> bool:
        """True if a value is of its type."""
        if self.members:
            return type(value) is str and value in self.members
        if self.type == "json":
            return True
        wanted = _PLAIN[self.type]
        if type(value) is not wanted:
            return False
        return not isinstance(value, int) or _LEAST <= value <= _LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable or, if `param`, a parameter with what it must satisfy."""

    field: Field
    param: bool
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """What must hold in `states`."""

    name: str
    states: tuple[str, ...]
    holds: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One transition. `when` is `otherwise` or an expression, `""` for none."""

    id: str
    source: str
    event: str
    target: str
    when: str = ""
    sets: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    history: str = ""
    ignored: bool = False


class Table:
    """One machine of a definition that was checked; it holds nothing about any job."""

    def __init__(self, name: str, spec: Mapping[str, Any], enums: Mapping[str, list[str]]) -> None:
        self.name = name
        self.initial: str = spec["initial"]
        states: Mapping[str, Any] = spec["states"]
        self.states = tuple(states)
        self.final = tuple(s for s, told in states.items() if (told or {}).get("final"))
        self._groups: Mapping[str, Any] = spec.get("groups") or {}
        self.guards = {each: text_of(text) for each, text in spec.get("guards", {}).items()}
        self.variables = {
            each: Variable(
                field=_field(each, told, enums, "default" if _is_param(told) else "initial"),
                param=_is_param(told),
                where=_text(told.get("where")),
            )
            for each, told in (spec.get("context") or {}).items()
        }
        self.events = {
            each: {
                field: _field(field, of, enums, "default")
                for field, of in ((told or {}).get("payload") or {}).items()
            }
            for each, told in (spec.get("events") or {}).items()
        }
        self.rows = tuple(self._read_rows(spec))
        self._by_pair: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            self._by_pair.setdefault((row.source, row.event), []).append(row)
        self.histories = {
            group: self._first(group, spec)
            for group in dict.fromkeys(row.history for row in self.rows if row.history)
        }
        self.invariants = tuple(
            Invariant(
                name=each,
                states=tuple(self.in_states(told["in"])) if told.get("in") else self.states,
                holds=text_of(told["holds"]),
            )
            for each, told in (spec.get("invariants") or {}).items()
        )
        self.roles: Mapping[str, Any] = spec.get("roles") or {}
        self.collections: Mapping[str, Any] = spec.get("collections") or {}

    def in_states(self, given: Any) -> list[str]:
        """The states that are meant by states and groups, in the order of the states."""
        return self._ordered(listed(given or ()))

    def group(self, name: str) -> list[str]:
        """The states of a group, in the order of the states."""
        return self._ordered(listed(self._groups[name]))

    def _ordered(self, names: Iterable[str]) -> list[str]:
        found: set[str] = set()
        for name in names:
            if name not in self.states and name not in self._groups:
                raise NotUnderstood(f"machine '{self.name}' has no state and no group '{name}'")
            found.update([name] if name in self.states else self.group(name))
        return [state for state in self.states if state in found]

    def _first(self, group: str, spec: Mapping[str, Any]) -> str:
        """What the history of a group is before it was ever left."""
        for row in spec.get("transitions") or []:
            _, history, default = target_of(row)
            if history == group and default:
                return default
        members = self.group(group)
        return self.initial if self.initial in members else members[0]

    def _read_rows(self, spec: Mapping[str, Any]) -> Iterator[Row]:
        found = [*self._told_rows(spec), *self._ignored_rows(spec)]
        pairs = [(row.source, row.event) for row in found]
        numbers: dict[tuple[str, str], int] = {}
        for row, pair in zip(found, pairs, strict=True):
            numbers[pair] = numbers.get(pair, 0) + 1
            number = f".{numbers[pair]}" if pairs.count(pair) > 1 else ""
            yield row if row.id else replace(row, id=f"{row.source}.{row.event}{number}")

    def _told_rows(self, spec: Mapping[str, Any]) -> Iterator[Row]:
        """A row for each source and each target, with the `id` that the file gives it, if any."""
        for row in spec.get("transitions") or []:
            sources = self.in_states(row["from"])
            state, history, _ = target_of(row)
            targets = self.group(history) if history else [state]
            for source in sources:
                for target in targets:
                    parts = [row.get("id") or ""]
                    parts += [source] if len(sources) > 1 else []
                    parts += [target] if len(targets) > 1 else []
                    yield Row(
                        id=".".join(parts) if parts[0] else "",
                        source=source,
                        event=row["on"],
                        target=target,
                        when=_text(row.get("when")).strip(),
                        sets={each: text_of(text) for each, text in row.get("set", {}).items()},
                        members=row.get("members") or {},
                        history=history,
                    )

    def _ignored_rows(self, spec: Mapping[str, Any]) -> Iterator[Row]:
        for pair in spec.get("ignored") or []:
            for source in self.in_states(pair["in"]):
                for event in listed(pair["on"]):
                    yield Row(id="", source=source, event=event, target=source, ignored=True)

    # What happens

    def begun(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The context of a new machine. Raises Invalid for parameters that are not as asked."""
        if unknown := params.keys() - {n for n, each in self.variables.items() if each.param}:
            raise Invalid(f"'{self.name}' has no parameters {sorted(unknown)}")
        context: dict[str, Any] = {}
        for name, variable in self.variables.items():
            if variable.field.required and name not in params:
                raise Invalid(f"the parameter '{name}' of '{self.name}' is missing")
            context[name] = params.get(name, variable.field.default)
            if not variable.field.fits(context[name]):
                raise Invalid(f"the parameter '{name}' of '{self.name}' is of another type")
        for name, variable in self.variables.items():
            if variable.where and not evaluate(variable.where, context, {}):
                raise Invalid(f"the parameter '{name}' of '{self.name}': {variable.where}")
        context.update({f"history.{group}": first for group, first in self.histories.items()})
        return context

    def told(self, event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """A payload with its defaults. Raises Invalid if it is not that of the event."""
        fields = self.events.get(event, {})
        if event in self.events and (unknown := payload.keys() - fields.keys()):
            raise Invalid(f"'{event}' of '{self.name}' has no fields {sorted(unknown)}")
        for name, one in fields.items():
            if one.required and name not in payload:
                raise Invalid(f"'{event}' of '{self.name}' lacks its field '{name}'")
            if name in payload and not one.fits(payload[name]):
                raise Invalid(f"'{event}.{name}' of '{self.name}' is of another type")
        return {name: payload.get(name, one.default) for name, one in fields.items()}

    def of_pair(self, state: str, event: str) -> list[Row]:
        """The rows of a pair, none if it is illegal."""
        return self._by_pair.get((state, event), [])

    def by_id(self, row: str) -> Row:
        """The row of that id."""
        return next(each for each in self.rows if each.id == row)

    def row(self, state: str, event: str, names: Mapping[str, Any]) -> Row:
        """The one row that `event` takes. Raises Refused."""
        of_pair = self.of_pair(state, event)
        guarded = [row for row in of_pair if row.when != "otherwise"]
        met = [row for row in guarded if not row.when or evaluate(row.when, names, self.guards)]
        met = met or [row for row in of_pair if row.when == "otherwise"]
        met = [
            row for row in met if not row.history or names[f"history.{row.history}"] == row.target
        ]
        if not met:
            raise Refused(f"'{event}' of '{self.name}' in '{state}'")
        if len(met) > 1:
            both = " and ".join(row.id for row in met)
            raise NotUnderstood(f"{both} of '{self.name}' can be taken both")
        return met[0]

    def after(
        self, row: Row, context: Mapping[str, Any], names: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The context after a row; `names` are all that it reads. Raises Invalid beyond 64 bits."""
        found = dict(context)
        for name, text in row.sets.items():
            value = evaluate(text, names, self.guards)
            if type(value) is int and not _LEAST <= value <= _LARGEST:
                raise Invalid(f"'{name}' of '{self.name}' would have more than 64 bits")
            found[name] = value
        for group in self.histories:
            members = self.group(group)
            if row.source in members and row.target not in members:
                found[f"history.{group}"] = row.source
        return found

    def broken(
        self, before: tuple[str, Mapping[str, Any]] | None, state: str, names: Mapping[str, Any]
    ) -> str:
        """The first invariant that does not hold in a state and held before, `""` for none."""
        for one in self.invariants:
            if state not in one.states or evaluate(one.holds, names, self.guards):
                continue
            was_asked = before is not None and before[0] in one.states
            if before is None or not was_asked or evaluate(one.holds, before[1], self.guards):
                return one.name
        return ""

    def conditions(self, row: Row) -> int:
        """How many conditions the guard of a row has, those of the guards that it names too."""
        if row.when in ("", "otherwise"):
            return 0
        return len(conditions_in(row.when, self.guards))

    def expressions(self) -> Iterable[str]:
        """All that is written in it as an expression."""
        yield from self.guards.values()
        yield from (each.where for each in self.variables.values() if each.where)
        yield from (each.holds for each in self.invariants)
        for row in self.rows:
            yield from (text for text in (row.when, *row.sets.values()) if text)


def _text(found: Any) -> str:
    return "" if found is None else text_of(found)


def _is_param(told: Mapping[str, Any]) -> bool:
    return told.get("param", False) is True


def _field(
    name: str, told: Mapping[str, Any], enums: Mapping[str, list[str]], default: str
) -> Field:
    kind: str = told["type"]
    return Field(
        name=name,
        type=kind,
        members=tuple(enums.get(kind, ())),
        required=default not in told,
        default=told.get(default),
    )
