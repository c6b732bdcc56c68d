"""One machine of a definition, made of what is written of it: names spread, rows numbered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from milepost.definition.formulas import BOOL, INT, Scope
from milepost.definition.machines import Machine
from milepost.definition.notation import (
    groups_of,
    in_row,
    is_otherwise,
    listed,
    spread,
    target_of,
    text_of,
)
from milepost.definition.parsing import formula, guards_of
from milepost.definition.parts import MISSING, Collection, Field, Invariant, Row, Variable
from milepost.definition.problems import NotUnderstood, places, within
from milepost.definition.usage import check_usage

__all__ = ["grown", "machine_of"]


def machine_of(
    name: str, written: Mapping[str, Any], enums: Mapping[str, tuple[str, ...]]
) -> Machine:
    """The machine of that name, of all that are `written`; its collections do not grow yet.

    Names have been checked. Raises NotUnderstood for expressions, ids, and what nothing uses.
    """
    told = written[name]
    states = {state: said or {} for state, said in told["states"].items()}
    groups = groups_of(told)
    params = {n: said["type"] for n, said in _of(told, "context") if said.get("param")}
    bound = Scope(types=params, members=enums)
    variables = {}
    for entry, said in _of(told, "context"):
        with within(f"variable '{entry}'", "context", entry):
            variables[entry] = _variable(entry, said, enums, bound)
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
    measures = []
    with within("progress", "progress", "decreases"):
        for path, one in places((told.get("progress") or {}).get("decreases", ())):
            with within("", *path):
                measures.append(formula(text_of(one), remembering, INT))
    invariants = {}
    for one, said in _of(told, "invariants"):
        with within(f"invariant '{one}'", "invariants", one, "holds"):
            invariants[one] = Invariant(
                name=one,
                states=spread(said["in"], groups) if said.get("in") else None,
                formula=formula(text_of(said["holds"]), remembering, BOOL),
            )
    rows = [*_rows(told, groups, histories, scope, events), *_ignored(told, groups)]
    by_pair: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_pair[row.source, row.event].append(row)
    numbered = {pair: _numbered(of) for pair, of in by_pair.items()}
    _check_ids(numbered, told, groups)
    made = Machine(
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
        invariants=invariants,
    )
    check_usage(told, made, scope.guards, measures)
    return made


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
            told = f"the default of '{name}' does not satisfy {one.where.text}"
            raise NotUnderstood(told, ("context", name))


def _check_ids(
    rows: Mapping[tuple[str, str], tuple[Row, ...]],
    told: Mapping[str, Any],
    groups: Mapping[str, tuple[str, ...]],
) -> None:
    """Raise NotUnderstood where two rows, of which none is ignored, have one id."""
    seen: set[str] = set()
    for row in (row for of in rows.values() for row in of if not row.ignored):
        if row.id in seen:
            (*_, at) = (
                at
                for at, one in enumerate(told["transitions"])
                if one["on"] == row.event and row.source in spread(one["from"], groups)
            )
            raise NotUnderstood(f"the id '{row.id}' is taken", ("transitions", at))
        seen.add(row.id)


def _variable(
    name: str, told: Mapping[str, Any], enums: Mapping[str, tuple[str, ...]], scope: Scope
) -> Variable:
    param = bool(told.get("param"))
    kind = told["type"]
    where = told.get("where")
    with within("", "where"):
        limit = None if where is None else formula(text_of(where), scope, BOOL)
    return Variable(
        name=name,
        type=kind,
        members=enums.get(kind, ()),
        param=param,
        initial=told.get("default" if param else "initial", MISSING),
        where=limit,
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
    for at, row in enumerate(told.get("transitions", ())):
        payload = {f"event.{n}": one.type for n, one in events[row["on"]].items() if one.readable}
        there = replace(scope, types={**scope.types, **payload}) if payload else scope
        when, sets = row.get("when"), {}
        otherwise = is_otherwise(when)
        with in_row(at, row):
            with within("", "when"):
                guard = None if when is None or otherwise else formula(text_of(when), there, BOOL)
            for name, text in row.get("set", {}).items():
                with within("", "set", name):
                    sets[name] = formula(text_of(text), there, scope.types[name])
        state, history, _ = target_of(row)
        targets = groups[history] if history else (state,)
        sources = spread(row["from"], groups)
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
        for state in spread(one["in"], groups):
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
                    ignored=True,
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


def grown(
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
            grows = spread(written, groups)
        found[name] = replace(one, grows=grows)
    return found
