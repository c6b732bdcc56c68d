"""The plain interpreter of definitions against the generated tables, step by step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from milepost import TransitionRefused
from milepost.machine import Lifecycle, Machine
from milepost.testing.definition import (
    Definition,
    Field,
    NotUnderstood,
    Refused,
    Table,
)
from milepost.testing.definition.expressions import evaluate
from tests.contract.lifecycles.compiling import at_once
from tests.contract.lifecycles.texts import TEXTS

TRIES = 30


def definition_of(text: str, folder: Path) -> Definition:
    path = folder / "definition.yaml"
    path.write_text(text, encoding="utf-8")
    return Definition.read(path)


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_is_read_as_it_was_compiled(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The tables say the same; so does every step, in states that may come and that cannot."""
    lifecycle, definition = at_once(TEXTS[name]), definition_of(TEXTS[name], tmp_path)
    check_tables(lifecycle, definition)
    chance = random.Random(name)  # noqa: S311 no secret
    steps = sum(
        compared(machine, definition.tables[machine.name], chance)
        for machine in lifecycle.machines.values()
    )
    record_property("counted", ("plain interpreter against generated tables", {"steps": steps}))


ROUNDABOUT = """\
lifecycle: roundabout
version: 1
machines:
  part:
    initial: open
    states: {open: , shut: {final: true}}
    events: {shut: , skip: }
    transitions:
      - {from: open, on: shut, to: {state: shut, history: null}, id: null}
    ignored:
      - {in: shut, on: skip}
    invariants: {any: {in: null, holds: true}}
    progress: null
    roles: {done: null, result: shut, begin: null}
  whole:
    initial: on
    states: {on: {}, off: {}, over: {final: true}}
    groups: {lit: [on]}
    context: {last: {type: int, param: true, default: 2, where: true}}
    collections:
      parts: {machine: part, accepts: {on: [shut], off: shut}, grows: null}
    events: {stop: {}, back: {}, end: {}}
    transitions:
      - {from: on, on: stop, to: off, when: last > 1}
      - {from: on, on: stop, to: over, when: " otherwise "}
      - {from: off, on: back, to: {history: lit, default: null}, id: again}
      - {from: [on, off], on: end, to: over, when: null}
"""
"""What may be left out, written as null, and what may be short, written out."""


def test_what_is_written_the_long_way_is_read_alike(tmp_path: Path) -> None:
    lifecycle, definition = at_once(ROUNDABOUT), definition_of(ROUNDABOUT, tmp_path)
    check_tables(lifecycle, definition)
    chance = random.Random(3)  # noqa: S311 no secret
    for machine in lifecycle.machines.values():
        assert compared(machine, definition.tables[machine.name], chance)


def check_tables(lifecycle: Lifecycle, definition: Definition) -> None:
    """Rows with their ids, states, members, payloads and parameters."""
    assert (definition.name, definition.version) == (lifecycle.name, lifecycle.version)
    assert definition.root.name == lifecycle.root
    for machine in lifecycle.machines.values():
        table = definition.tables[machine.name]
        assert (table.initial, table.states, table.final) == (
            machine.initial,
            machine.states,
            machine.final,
        )
        assert [(row.id, row.source, row.event, row.target, row.ignored) for row in table.rows] == [
            (row.id, row.source, row.event, row.target, row.ignored) for row in machine.transitions
        ]
        assert tuple(table.events) == machine.events
        for event, spec in machine.event_specs.items():
            assert fields_of(table.events[event].values()) == fields_of(spec.fields)
        assert tuple(one.name for one in table.invariants) == tuple(machine.invariants)
    check_members(lifecycle, definition)


def fields_of(fields: Iterable[Any]) -> list[Any]:
    return [
        (one.name, one.type, one.members, one.required, None if one.required else one.default)
        for one in fields
    ]


def check_members(lifecycle: Lifecycle, definition: Definition) -> None:
    assert tuple(definition.collections) == tuple(lifecycle.collections)
    for name, collection in lifecycle.collections.items():
        read = definition.collections[name]
        assert read.table.name == collection.machine
        assert {state: frozenset(events) for state, events in collection.accepts.items()} == dict(
            read.accepts
        )
        assert collection.grows is None or read.grows == set(collection.grows)
        roles = lifecycle.machines[collection.machine].roles
        assert read.result == (None if roles.result is None else tuple(roles.result))
        assert read.done == set(roles.done)
        assert read.redo == (roles.redo.event if roles.redo else "")
    roles = lifecycle.machines[lifecycle.root].roles
    assert definition.result == (None if roles.result is None else tuple(roles.result))
    assert definition.variables == tuple(tuple(one) for one in roles.variables)


def compared(machine: Machine, table: Table, chance: random.Random) -> int:
    steps = 0
    for state in machine.states:
        for event in machine.events:
            rows = machine.of_pair(state, event)
            for _ in range(TRIES if any(row.reads or row.assign for row in rows) else 1):
                context, payload = made(machine, table, event, chance)
                names = {**context, **{f"event.{name}": value for name, value in payload.items()}}
                try:
                    step = machine.follow(state, event, context, payload)
                except TransitionRefused:
                    with pytest.raises(Refused):
                        table.row(state, event, names)
                    continue
                row = table.row(state, event, names)
                assert (row.id, row.target) == (step.transition, step.state)
                assert table.after(row, context, names) == dict(step.context)
                sent = [
                    (collection, at, then)
                    for collection, pairs in row.members.items()
                    for at, then in pairs.items()
                ]
                assert sorted(sent) == sorted(map(tuple, step.members))
                for one in machine.invariant_specs.values():
                    read = next(each for each in table.invariants if each.name == one.name)
                    holds = row.target not in read.states or evaluate(
                        read.holds, step.context, table.guards
                    )
                    assert holds == one.holds(step.state, step.context)
                steps += 1
    return steps


def made(
    machine: Machine, table: Table, event: str, chance: random.Random
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A context and a payload of any values of their types."""
    context = {name: any_of(one.field, chance) for name, one in table.variables.items()}
    for entry, initial in machine.entries.items():
        group = entry.removeprefix("history.")
        context[entry] = (
            chance.randint(0, 2) if isinstance(initial, int) else chance.choice(table.group(group))
        )
    payload = {name: any_of(one, chance) for name, one in table.events[event].items()}
    return context, payload


def any_of(field: Field, chance: random.Random) -> Any:
    if field.members:
        return chance.choice(field.members)
    return {"bool": chance.random() < 0.5, "int": chance.randint(-1, 4)}.get(field.type)


@pytest.mark.parametrize(
    ("text", "names", "value"),
    [
        ("a implies b implies c", {"a": True, "b": True, "c": False}, False),
        ("a or b implies c", {"a": False, "b": True, "c": False}, False),
        ("1 if a implies b else 2 if b else 3", {"a": True, "b": False}, 3),
        ("not a == b", {"a": 1, "b": 2}, True),
        ("-2 * (x - 3) < 0 <= x", {"x": 4}, True),
        ("items.class == 2 and cause == None", {"items.class": 2, "cause": "None"}, True),
    ],
)
def test_expressions(text: str, names: dict[str, Any], value: object) -> None:
    """What Python says otherwise is read as the language has it."""
    assert evaluate(text, names, {}) == value


@pytest.mark.parametrize("text", ["a / 2", "f(1)", "a.b", "1 if a", "(a", "x y", "a if b else"])
def test_what_is_no_expression_is_said(text: str) -> None:
    with pytest.raises(NotUnderstood):
        evaluate(text, {"a": 1}, {})
