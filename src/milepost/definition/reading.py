"""A definition made of its file: names spread and rows numbered, as the language says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from milepost.definition.formulas import (
    BOOL,
    INT,
    Formula,
    NotUnderstood,
    Scope,
    formula,
    guards_of,
)
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
from milepost.definition.names import (
    check_names,
    groups_of,
    known,
    listed,
    target_of,
    within,
)
from milepost.definition.shape import check_shape
from milepost.definition.source import MOST_BYTES, data_of

__all__ = ["Definition", "Unreadable", "definition_of", "read_definition", "text_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a migration gives for one machine: states for earlier ones, and values."""

    states: Mapping[str, str]
    given: Mapping[str, Formula]


class Unreadable(Exception):
    """A file that is no definition, and why."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"{name}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A lifecycle as its file says it. `root` is the machine that is no member of a collection.

    `migrations` are the answers to earlier versions, by version and machine. `written` is the file
    as data, for those who read more of it.
    """

    name: str
    version: int
    root: str
    machines: Mapping[str, Machine]
    migrations: Mapping[int, Mapping[str, Answers]]
    written: Mapping[str, Any]  # Any: JSON

    def ways_from(self, old: Definition) -> dict[str, MachineMigration]:
        """For each machine that both have, how jobs of the earlier version go on."""
        told = self.migrations.get(old.version, {})
        none = Answers(states={}, given={})
        return {
            name: MachineMigration(
                old=old.machines[name],
                new=machine,
                states=told.get(name, none).states,
                given=told.get(name, none).given,
            )
            for name, machine in self.machines.items()
            if name in old.machines
        }


def read_definition(path: str | Path) -> Definition:
    """The definition in the file at `path`. Raises Unreadable, and OSError.

    PyYAML reads it, which the extra `compile` brings: without it, ModuleNotFoundError.
    """
    with Path(path).open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    return definition_of(content, str(path))


def definition_of(content: bytes | str, name: str) -> Definition:
    """The definition in the content of a file called `name`. Raises Unreadable."""
    try:
        data = data_of(content)
        check_shape(data)
        check_names(data)
        return _definition(data)
    except NotUnderstood as error:
        raise Unreadable(name, str(error)) from error
    except RecursionError as error:
        raise Unreadable(name, "it is nested too deeply") from error


def _definition(data: Mapping[str, Any]) -> Definition:
    written, enums = data["machines"], data.get("enums", {})
    enums = {name: tuple(members) for name, members in enums.items()}
    machines = {}
    for name in written:
        with within(f"machine '{name}'"):
            machines[name] = _machine(name, written, enums)
    for name, machine in machines.items():
        machines[name] = replace(machine, collections=_grown(machine, written[name], machines))
    owned = {one.machine for machine in machines.values() for one in machine.collections.values()}
    roots = [name for name in machines if name not in owned]
    return Definition(
        name=data["lifecycle"],
        version=data["version"],
        root=roots[0],
        machines=machines,
        migrations={
            one["from"]: {
                name: _answers(one, machine, written[name], enums)
                for name, machine in machines.items()
            }
            for one in data.get("migrations", ())
        },
        written=data,
    )


def _machine(
    name: str, written: Mapping[str, Any], enums: Mapping[str, tuple[str, ...]]
) -> Machine:
    told = written[name]
    states = {state: said or {} for state, said in told["states"].items()}
    groups = groups_of(told)
    params = {n: said["type"] for n, said in _of(told, "context") if said.get("param")}
    bound = Scope(types=params, members=enums)
    variables = {
        entry: _variable(entry, said, enums, bound) for entry, said in _of(told, "context")
    }
    events = {
        event: {
            field: _field(field, said, enums)
            for field, said in (spec or {}).get("payload", {}).items()
        }
        for event, spec in _of(told, "events")
    }
    _check_defaults(variables)
    histories = _histories(told, groups)
    plain = Scope(types=_entries(told, written, variables), members=enums)
    scope = replace(plain, guards=guards_of({n: text_of(t) for n, t in _of(told, "guards")}, plain))
    remembering = _remembering(scope, histories, groups)
    for one in listed((told.get("progress") or {}).get("decreases", ())):
        formula(text_of(one), remembering, INT)
    rows = [*_rows(told, groups, histories, scope, events), *_ignored(told, groups)]
    by_pair: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_pair[row.source, row.event].append(row)
    numbered = {pair: _numbered(of) for pair, of in by_pair.items()}
    _check_ids(numbered, told, groups)
    return Machine(
        name=name,
        initial=told["initial"],
        states=tuple(states),
        final=tuple(state for state, said in states.items() if said.get("final") is True),
        was={state: said["was"] for state, said in states.items() if said.get("was")},
        events=events,
        variables=variables,
        histories=histories,
        collections={
            collection: Collection(
                name=collection,
                machine=said["machine"],
                accepts=_accepts(said.get("accepts", {}), groups, tuple(states)),
                grows=(),
            )
            for collection, said in _of(told, "collections")
        },
        rows=numbered,
        invariants={
            one: Invariant(
                name=one,
                states=_spread(said["in"], groups) if said.get("in") else None,
                formula=formula(text_of(said["holds"]), remembering, BOOL),
            )
            for one, said in _of(told, "invariants")
        },
    )


def _of(told: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    """The parts under a key that may be left out."""
    parts: Mapping[str, Any] = told.get(key, {})
    return parts.items()


def _entries(
    told: Mapping[str, Any], written: Mapping[str, Any], variables: Mapping[str, Variable]
) -> dict[str, str]:
    """What the rows of a machine may read but their payloads, with the type of each."""
    found = {name: one.type for name, one in variables.items()}
    for name, said in _of(told, "collections"):
        for state in (*written[said["machine"]]["states"], "total"):
            found[f"{name}.{state}"] = INT
    return found


def _remembering(
    scope: Scope, histories: Mapping[str, str], groups: Mapping[str, tuple[str, ...]]
) -> Scope:
    """The scope with histories in it, each a type whose members are the states of its group."""
    kinds = {f"history.{group}": groups[group] for group in histories}
    return replace(
        scope,
        types={**scope.types, **{name: name for name in kinds}},
        members={**scope.members, **kinds},
    )


def _check_defaults(variables: Mapping[str, Variable]) -> None:
    """Raise NotUnderstood for a default that its own `where` refuses, as far as that is known."""
    given = {name: one.initial for name, one in variables.items() if one.initial is not MISSING}
    for name, one in variables.items():
        if one.where is None or name not in given or not given.keys() >= {*one.where.reads}:
            continue
        if not one.where.value(given):
            raise NotUnderstood(f"the default of '{name}' does not satisfy {one.where.text}")


def _check_ids(
    rows: Mapping[tuple[str, str], tuple[Row, ...]],
    told: Mapping[str, Any],
    groups: Mapping[str, tuple[str, ...]],
) -> None:
    """Raise NotUnderstood where two rows, of which none is ignored, have one id."""
    ignored = {
        (state, event)
        for one in told.get("ignored", ())
        for state in _spread(one["in"], groups)
        for event in listed(one["on"])
    }
    seen: set[str] = set()
    for row in (row for pair, of in rows.items() if pair not in ignored for row in of):
        if row.id in seen:
            raise NotUnderstood(f"the id '{row.id}' is taken")
        seen.add(row.id)


def _answers(
    told: Mapping[str, Any],
    machine: Machine,
    written: Mapping[str, Any],
    enums: Mapping[str, tuple[str, ...]],
) -> Answers:
    """What a migration says of a machine.

    Values read the old context by its own names. An old variable has the type that it has now,
    unless `old` gives another; what has a value of its own here and no earlier name is new.
    """
    given = told.get("context", {}).get(machine.name, {})
    old = told.get("old", {}).get(machine.name, {})
    kept = {
        one.was or name: one.type
        for name, one in machine.variables.items()
        if one.was or name not in given
    }
    groups = groups_of(written)
    histories = {f"history.{group}": groups[group] for group in machine.histories}
    scope = Scope(types={**kept, **old}, members={**enums, **histories})
    wanted = {name: one.type for name, one in machine.variables.items()}
    wanted |= {name: name for name in histories}
    with within(f"the migration from {told['from']}, machine '{machine.name}'"):
        for name in given:
            known("variable", name, wanted)
        return Answers(
            states=told.get("states", {}).get(machine.name, {}),
            given={
                name: formula(text_of(value), scope, wanted[name]) for name, value in given.items()
            },
        )


def _variable(
    name: str, told: Mapping[str, Any], enums: Mapping[str, tuple[str, ...]], scope: Scope
) -> Variable:
    param = bool(told.get("param"))
    kind = told["type"]
    where = told.get("where")
    return Variable(
        name=name,
        type=kind,
        members=enums.get(kind, ()),
        param=param,
        initial=told.get("default" if param else "initial", MISSING),
        where=None if where is None else formula(text_of(where), scope, BOOL),
        was=told.get("was") or "",
    )


def _field(name: str, told: Mapping[str, Any], enums: Mapping[str, tuple[str, ...]]) -> Field:
    members = enums.get(told["type"], ())
    default = told.get("default", MISSING)
    return Field(name=name, type=told["type"], members=members, default=default)


def _histories(told: Mapping[str, Any], groups: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Each group that some row leads back to, with the state that it begins with."""
    asked: dict[str, str | None] = {}
    for row in told.get("transitions", ()):
        _, group, default = target_of(row)
        if group:
            asked[group] = asked.get(group) or default
    found = {}
    for group in told.get("groups", {}):
        if group in asked:
            initial = told["initial"] if told["initial"] in groups[group] else groups[group][0]
            found[group] = asked[group] or initial
    return found


def _rows(
    told: Mapping[str, Any],
    groups: Mapping[str, tuple[str, ...]],
    histories: Mapping[str, str],
    scope: Scope,
    events: Mapping[str, Mapping[str, Field]],
) -> Iterator[Row]:
    """One row for each source, and for each target of a history."""
    for row in told.get("transitions", ()):
        payload = {f"event.{n}": one.type for n, one in events[row["on"]].items() if one.readable}
        there = replace(scope, types={**scope.types, **payload}) if payload else scope
        when = row.get("when")
        otherwise = isinstance(when, str) and when.strip() == "otherwise"
        guard = None if when is None or otherwise else formula(text_of(when), there, BOOL)
        sets = {
            name: formula(text_of(text), there, scope.types[name])
            for name, text in row.get("set", {}).items()
        }
        state, history, _ = target_of(row)
        targets = groups[history] if history else (state,)
        sources = _spread(row["from"], groups)
        for source in sources:
            for target in targets:
                own = row.get("id") or ""
                if own and len(sources) > 1:
                    own += f".{source}"
                if own and len(targets) > 1:
                    own += f".{target}"
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
                        for name, sent in row.get("members", {}).items()
                        for state, event in sent.items()
                    ),
                    remembers=tuple(
                        group
                        for group in histories
                        if source in groups[group] and target not in groups[group]
                    ),
                )


def _ignored(told: Mapping[str, Any], groups: Mapping[str, tuple[str, ...]]) -> Iterator[Row]:
    for one in told.get("ignored", ()):
        for state in _spread(one["in"], groups):
            for event in listed(one["on"]):
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
            found.setdefault(state, {}).update(dict.fromkeys(listed(events)))
    return {state: tuple(found[state]) for state in states if state in found}


def _grown(
    owner: Machine, told: Mapping[str, Any], machines: Mapping[str, Machine]
) -> dict[str, Collection]:
    """The collections of a machine with where they grow: as written, or by what it accepts."""
    groups = groups_of(told)
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
    named = listed(names)
    if len(named) == 1:  # as most rows have it
        return groups[named[0]]
    found = {state for name in named for state in groups[name]}
    return tuple(name for name in groups if name in found)


def text_of(value: Any) -> str:
    """What is written as a truth value or a number, as the text that it was."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
