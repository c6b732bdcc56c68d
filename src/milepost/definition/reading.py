"""A definition made of its file: names spread and rows numbered, as the language says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from milepost.definition.formulas import Formula, NotUnderstood, formula
from milepost.definition.machines import (
    MISSING,
    Collection,
    Field,
    Invariant,
    Machine,
    Row,
    Variable,
)
from milepost.definition.migrating import MachineMigration

__all__ = ["Definition", "Unreadable", "definition_of", "read_definition"]

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_CONSTANTS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None, "": None}
_MOST_BYTES: Final = 1 << 20


class Unreadable(Exception):
    """A file that is no definition, and why."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"{name}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A lifecycle as its file says it. `root` is the machine that is no member of a collection."""

    name: str
    version: int
    root: str
    machines: Mapping[str, Machine]
    migrations: Mapping[int, Mapping[str, Any]]

    def ways_from(self, old: Definition) -> dict[str, MachineMigration]:
        """For each machine that both have, how jobs of the earlier version go on."""
        told = self.migrations.get(old.version, {})
        return {
            name: MachineMigration(
                old=old.machines[name],
                new=machine,
                states=told.get("states", {}).get(name, {}),
                given={
                    entry: formula(_text(value))
                    for entry, value in told.get("context", {}).get(name, {}).items()
                },
            )
            for name, machine in self.machines.items()
            if name in old.machines
        }


def read_definition(path: str | Path) -> Definition:
    """The definition in the file at `path`. Raises Unreadable, and OSError.

    PyYAML reads it, which the extra `compile` brings: without it, ModuleNotFoundError.
    """
    with Path(path).open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    return definition_of(content, str(path))


def definition_of(content: bytes | str, name: str) -> Definition:
    """The definition in the content of a file called `name`. Raises Unreadable."""
    if len(content) > _MOST_BYTES:
        raise Unreadable(name, f"it has more than {_MOST_BYTES:,} bytes")
    data = _data(content, name)
    try:
        return _definition(data)
    except NotUnderstood as error:
        raise Unreadable(name, str(error)) from error
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        told = f"{type(error).__name__}: {error}"
        raise Unreadable(name, f"it is no definition ({told}): the compiler says why") from error


def _data(content: bytes | str, name: str) -> Any:
    import yaml  # noqa: PLC0415 an extra brings it

    try:
        for event in yaml.parse(content, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                mark = event.start_mark
                where = f" in line {mark.line + 1}" if mark is not None else ""
                raise Unreadable(name, f"it has an anchor or an alias{where}: write it out")
        return _plain(yaml.compose(content, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Unreadable(name, f"it cannot be read: {error}") from error


def _plain(node: Any) -> Any:
    """The data of a node: only `true`, `null` and decimal integers are no text."""
    value = getattr(node, "value", None)
    if isinstance(value, str):
        if node.style is not None:
            return value
        if value in _CONSTANTS:
            return _CONSTANTS[value]
        return int(value) if _INTEGER.fullmatch(value) else value
    if value is None:
        return None
    if node.id == "sequence":
        return [_plain(one) for one in value]
    names = [str(key.value) for key, _ in value]
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise ValueError(f"the key '{twice}' stands twice from line {node.start_mark.line + 1} on")
    return {key: _plain(one) for key, (_, one) in zip(names, value, strict=True)}


def _definition(data: Mapping[str, Any]) -> Definition:
    enums = {
        name: tuple(map(_text, members)) for name, members in (data.get("enums") or {}).items()
    }
    written = data["machines"]
    machines = {name: _machine(name, told, enums) for name, told in written.items()}
    for name, machine in machines.items():
        machines[name] = replace(machine, collections=_grown(machine, written[name], machines))
    owned = {one.machine for machine in machines.values() for one in machine.collections.values()}
    roots = [name for name in machines if name not in owned]
    return Definition(
        name=data["lifecycle"],
        version=int(data["version"]),
        root=(roots or list(machines))[0],
        machines=machines,
        migrations={int(one["from"]): one for one in data.get("migrations") or ()},
    )


def _machine(name: str, told: Mapping[str, Any], enums: Mapping[str, tuple[str, ...]]) -> Machine:
    states = {state: said or {} for state, said in told["states"].items()}
    groups = _groups(told.get("groups") or {}, tuple(states))
    guards = {guard: _text(text) for guard, text in (told.get("guards") or {}).items()}
    variables = {
        entry: _variable(entry, said, enums) for entry, said in (told.get("context") or {}).items()
    }
    free = {guard: text for guard, text in guards.items() if guard not in variables}
    histories = _histories(told, groups)
    rows = [*_rows(told, groups, histories, free), *_ignored(told, groups)]
    by_pair: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_pair[row.source, row.event].append(row)
    return Machine(
        name=name,
        initial=told["initial"],
        states=tuple(states),
        final=tuple(state for state, said in states.items() if said.get("final") is True),
        was={state: said["was"] for state, said in states.items() if said.get("was")},
        events={
            event: {
                field: _field(field, said, enums)
                for field, said in ((spec or {}).get("payload") or {}).items()
            }
            for event, spec in (told.get("events") or {}).items()
        },
        variables=variables,
        histories=histories,
        collections={
            collection: Collection(
                name=collection,
                machine=said["machine"],
                accepts=_accepts(said.get("accepts") or {}, groups, tuple(states)),
                grows=(),
            )
            for collection, said in (told.get("collections") or {}).items()
        },
        rows={pair: _numbered(of) for pair, of in by_pair.items()},
        invariants={
            one: Invariant(
                name=one,
                states=_spread(said["in"], groups) if said.get("in") else None,
                formula=formula(_text(said["holds"]), free),
            )
            for one, said in (told.get("invariants") or {}).items()
        },
    )


def _groups(written: Mapping[str, Any], states: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What each name that may stand for states stands for, in the order of the states."""

    def members(name: str, within: tuple[str, ...]) -> set[str]:
        if name in states:
            return {name}
        if name in within:
            raise ValueError(f"group '{name}' holds itself")
        parts = _listed(written[name])
        return {state for part in parts for state in members(part, (*within, name))}

    every = {name: members(name, ()) for name in (*written, *states)}
    return {name: tuple(s for s in states if s in found) for name, found in every.items()}


def _variable(name: str, told: Mapping[str, Any], enums: Mapping[str, tuple[str, ...]]) -> Variable:
    param = bool(told.get("param"))
    kind = told["type"]
    where = told.get("where")
    return Variable(
        name=name,
        type=kind,
        members=enums.get(kind, ()),
        param=param,
        initial=_value(told, "default" if param else "initial", enums.get(kind)),
        where=None if where is None else formula(_text(where)),
        was=told.get("was") or "",
    )


def _value(told: Mapping[str, Any], key: str, members: Iterable[str] | None) -> Any:
    if key not in told:
        return MISSING
    return _text(told[key]) if members else told[key]


def _field(name: str, told: Mapping[str, Any], enums: Mapping[str, tuple[str, ...]]) -> Field:
    members = enums.get(told["type"], ())
    default = _value(told, "default", members)
    return Field(name=name, type=told["type"], members=members, default=default)


def _histories(told: Mapping[str, Any], groups: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Each group that some row leads back to, with the state that it begins with."""
    asked: dict[str, str | None] = {}
    for row in told.get("transitions") or ():
        if isinstance(row["to"], Mapping):
            group, default = row["to"]["history"], row["to"].get("default")
            asked[group] = asked.get(group) or default
    found = {}
    for group in told.get("groups") or {}:
        if group in asked:
            initial = told["initial"] if told["initial"] in groups[group] else groups[group][0]
            found[group] = asked[group] or initial
    return found


def _rows(
    told: Mapping[str, Any],
    groups: Mapping[str, tuple[str, ...]],
    histories: Mapping[str, str],
    guards: Mapping[str, str],
) -> Iterator[Row]:
    """One row for each source, and for each target of a history."""
    for row in told.get("transitions") or ():
        when = row.get("when")
        otherwise = isinstance(when, str) and when.strip() == "otherwise"
        guard = None if when is None or otherwise else formula(_text(when), guards)
        sets: dict[str, Formula] = {
            name: formula(_text(text), guards) for name, text in (row.get("set") or {}).items()
        }
        to = row["to"]
        history = to["history"] if isinstance(to, Mapping) else ""
        targets = groups[history] if history else (str(to),)
        sources = _spread(row["from"], groups)
        for source in sources:
            for target in targets:
                own = row.get("id") or ""
                if own and len(sources) > 1:
                    own += f".{source}"
                if own and len(targets) > 1:
                    own += f".{target}"
                if target not in groups:
                    raise KeyError(target)
                yield Row(
                    id=own,
                    source=source,
                    event=row["on"],
                    target=target,
                    guard=guard,
                    otherwise=otherwise,
                    history=history,
                    sets=sets,
                    members=tuple(
                        (name, state, event)
                        for name, sent in (row.get("members") or {}).items()
                        for state, event in sent.items()
                    ),
                    remembers=tuple(
                        group
                        for group in histories
                        if source in groups[group] and target not in groups[group]
                    ),
                )


def _ignored(told: Mapping[str, Any], groups: Mapping[str, tuple[str, ...]]) -> Iterator[Row]:
    for one in told.get("ignored") or ():
        for state in _spread(one["in"], groups):
            for event in _listed(one["on"]):
                yield Row(
                    id="",
                    source=state,
                    event=event,
                    target=state,
                    guard=None,
                    otherwise=False,
                    history="",
                    sets={},
                    members=(),
                    remembers=(),
                )


def _numbered(rows: list[Row]) -> tuple[Row, ...]:
    """The rows of one pair, those without an id named by it and their number."""
    plain = f"{rows[0].source}.{rows[0].event}"
    single = len(rows) == 1
    return tuple(
        row if row.id else replace(row, id=plain if single else f"{plain}.{at}")
        for at, row in enumerate(rows, 1)
    )


def _accepts(
    written: Mapping[str, Any], groups: Mapping[str, tuple[str, ...]], states: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for name, events in written.items():
        for state in groups[name]:
            found.setdefault(state, {}).update(dict.fromkeys(_listed(events)))
    return {state: tuple(found[state]) for state in states if state in found}


def _grown(
    owner: Machine, told: Mapping[str, Any], machines: Mapping[str, Machine]
) -> dict[str, Collection]:
    """The collections of a machine with where they grow: as written, or by what it accepts."""
    groups = _groups(told.get("groups") or {}, owner.states)
    found = {}
    for name, one in owner.collections.items():
        written = told["collections"][name].get("grows")
        if written is None:
            member = machines[one.machine]
            begins = {event for state, event in member.rows if state == member.initial}
            grows = tuple(
                state
                for state in owner.states
                if state not in owner.final
                and (state == owner.initial or begins.issubset(one.accepts.get(state, ())))
            )
        else:
            grows = _spread(written, groups)
        found[name] = replace(one, grows=grows)
    return found


def _spread(names: Any, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The states that names of states and groups stand for, in the order of the states."""
    found = {state for name in _listed(names) for state in groups[name]}
    return tuple(name for name in groups if name in found)


def _listed(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _text(value: Any) -> str:
    """What is written as a truth value or a number, as the text that it was."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
