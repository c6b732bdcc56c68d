"""The plain interpreter of definitions takes the steps that generated tables take, row by row."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from milepost.definition import (
    BadParameter,
    Machine,
    Refused,
    Unreadable,
    definition_of,
    read_definition,
)
from milepost.machine import ContextInvalid, TransitionRefused
from milepost.machine import Machine as Compiled
from tests.conformance.definitions import DEFINITIONS, compiled, named
from tests.contract.lifecycles.walks import payload_for

EACH = 8
ODD = ("", "no: [", "a: 1", "lifecycle: x\nversion: 1\nmachines: {}\n", "- 1", "a: &x 1", "\0")


def entries(table: Compiled, chance: random.Random) -> dict[str, Any]:
    """Any context, whether a run comes to it or not."""
    found: dict[str, Any] = {}
    for one in table.variables:
        if one.members:
            found[one.name] = chance.choice(one.members)
        elif one.type == "bool":
            found[one.name] = chance.random() < 0.5
        else:
            found[one.name] = chance.randint(-1, 4)
    for name, first in table.entries.items():
        if name.startswith("history."):
            targets = {r.target for r in table.transitions if r.history == name[8:]}
            found[name] = chance.choice(sorted(targets) or [first])
        else:
            found[name] = chance.choice((0, 0, 1, 3))
    return found


def taken(
    plain: Machine, table: Compiled, state: str, event: str, chance: random.Random
) -> tuple[Any, Any]:
    """What both say of one step: where it leads, what it sets, by which row, whom it sends."""
    names = entries(table, chance)
    payload = payload_for(table, event, chance)
    try:
        step = table.follow(state, event, names, table.payload(event, payload))
        by_table: Any = (step.state, dict(step.context), step.transition, step.members)
    except TransitionRefused as refusal:
        by_table = ("refused", refusal.allowed)
    try:
        found = plain.take(state, event, names, payload)
        by_text: Any = (found.target, {**names, **found.sets}, found.row, found.members)
    except Refused:
        there = tuple(event for event in plain.events if (state, event) in plain.rows)
        by_text = ("refused", there)
    return by_table, by_text


@pytest.mark.parametrize("path", DEFINITIONS, ids=named)
def test_every_step_is_that_of_the_tables(
    path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each pair of a state and an event, of any context; and what holds where."""
    chance, steps, allowed = random.Random(1), 0, 0  # noqa: S311
    plain = read_definition(path)
    lifecycle = compiled(path)
    assert (plain.name, plain.version, plain.root) == (
        lifecycle.name,
        lifecycle.version,
        lifecycle.root,
    )
    for name, table in lifecycle.machines.items():
        machine = plain.machines[name]
        assert (machine.states, machine.owned) == (table.states, table.owned)
        assert tuple(machine.events) == table.events
        for collection, one in table.collections.items():
            assert machine.collections[collection].accepts == one.accepts
            assert machine.collections[collection].grows == one.grows
        for state in table.states:
            for event in table.events:
                for _ in range(EACH):
                    by_table, by_text = taken(machine, table, state, event, chance)
                    assert by_text == by_table, (name, state, event)
                    steps, allowed = steps + 1, allowed + (by_text[0] != "refused")
            for _ in range(EACH):
                names = entries(table, chance)
                by_text = {i.name: machine.holds(i, names) for i in machine.invariants_of(state)}
                declared = table.declared[state]
                assert by_text == {i.name: i.holds(state, names) for i in declared}
    assert allowed
    record_property("counted", ("plain interpreter beside tables", {"steps": steps}))


@pytest.mark.parametrize("path", DEFINITIONS, ids=named)
def test_what_is_said_to_be_allowed_is(path: Path) -> None:
    """The tables take it with any payload, or with some; what is not said they take with none."""
    chance, said = random.Random(3), 0  # noqa: S311
    plain, lifecycle = read_definition(path), compiled(path)
    for name, table in lifecycle.machines.items():
        for state in table.states:
            for _ in range(EACH):
                names = entries(table, chance)
                allowed = plain.machines[name].allowed(state, names)
                for event in table.events:
                    taken_by_tables = set()
                    for _ in range(EACH):
                        payload = table.payload(event, payload_for(table, event, chance))
                        try:
                            table.follow(state, event, names, payload)
                            taken_by_tables.add(True)
                        except TransitionRefused:
                            taken_by_tables.add(False)
                    if event in allowed.events:
                        assert taken_by_tables == {True}, (name, state, event, names)
                    elif event not in allowed.by_payload:
                        assert taken_by_tables == {False}, (name, state, event, names)
                    said += event in allowed.events
    assert said


@pytest.mark.parametrize("path", DEFINITIONS, ids=named)
def test_machines_begin_alike(path: Path) -> None:
    """With any parameters, those that are refused among them."""
    chance = random.Random(2)  # noqa: S311
    plain = read_definition(path)
    lifecycle = compiled(path)
    for name, table in lifecycle.machines.items():
        for _ in range(EACH):
            given = entries(table, chance)
            params = {v.name: given[v.name] for v in table.variables if v.param}
            if params and chance.random() < 0.3:
                params.pop(next(iter(params)))
            by_text: Mapping[str, Any] | None
            try:
                by_text = plain.machines[name].fresh(params)
            except BadParameter:
                by_text = None
            try:
                fresh = table.fresh(**params)
                by_table = {
                    k: v for k, v in fresh.items() if k.startswith("history.") or "." not in k
                }
            except ContextInvalid:
                by_table = None
            assert by_text == by_table, (name, params)


@pytest.mark.control("plain interpreter beside tables")
def test_a_row_that_is_changed_is_noticed() -> None:
    """Control: the table of a definition, and its text with one assignment less."""
    (path,) = (one for one in DEFINITIONS if one.name == "statemachine.yaml")
    text = path.read_text(encoding="utf-8")
    changed = text.replace(
        "set: {attempts: attempts + 1, deferred: false}", "set: {deferred: false}"
    )
    assert changed != text
    plain, chance = definition_of(changed, "changed").machines["item"], random.Random(1)  # noqa: S311
    table = compiled(path).machines["item"]
    pairs = (taken(plain, table, "pending", "start", chance) for _ in range(EACH))
    assert any(by_table != by_text for by_table, by_text in pairs)


@pytest.mark.parametrize("content", ODD)
def test_what_is_no_definition_is_said_to_be_none(content: str) -> None:
    with pytest.raises(Unreadable, match=r"^odd\.yaml:([13]:)? it "):
        definition_of(content, "odd.yaml")
