"""The plain interpreter of definitions takes the steps that generated tables take, row by row."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from milepost.definition import BadParameter, Unreadable, definition_of, read_definition
from milepost.machine import ContextInvalid, TransitionRefused
from tests.conformance.beside import compare, entries, taken
from tests.conformance.definitions import DEFINITIONS, compiled, named
from tests.contract.lifecycles.walks import payload_for

EACH = 8
ODD = ("", "no: [", "a: 1", "lifecycle: x\nversion: 1\nmachines: {}\n", "- 1", "a: &x 1", "\0")


@pytest.mark.parametrize("path", DEFINITIONS, ids=named)
def test_every_step_is_that_of_the_tables(
    path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each pair of a state and an event, of any context; and what holds where."""
    chance = random.Random(1)  # noqa: S311
    steps, allowed = compare(read_definition(path), compiled(path), chance, EACH)
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
