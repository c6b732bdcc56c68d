"""The plain reading of definitions against the generated tables: what jobs and members are there.

Steps, rows and expressions of it are held against the tables in tests/conformance.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from milepost.machine import Lifecycle
from milepost.testing.definition import Definition, Event, Invalid, Job, Refused
from tests.contract.lifecycles.compiling import at_once
from tests.contract.lifecycles.texts import TEXTS


def definition_of(text: str, folder: Path) -> Definition:
    path = folder / "definition.yaml"
    path.write_text(text, encoding="utf-8")
    return Definition.read(path)


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


@pytest.mark.parametrize("name", [*TEXTS, "roundabout"])
def test_a_file_is_read_as_it_was_compiled(name: str, tmp_path: Path) -> None:
    """Rows with their ids, states, payloads, collections, results and what is done."""
    text = TEXTS.get(name, ROUNDABOUT)
    lifecycle, definition = at_once(text), definition_of(text, tmp_path)
    assert (definition.name, definition.version) == (lifecycle.name, lifecycle.version)
    assert definition.root.name == lifecycle.root
    for table in lifecycle.machines.values():
        machine = definition.machines[table.name]
        assert (machine.initial, machine.states, machine.final) == (
            table.initial,
            table.states,
            table.final,
        )
        assert sorted(
            (row.id, row.source, row.event, row.target, row.ignored) for row in machine.every_row()
        ) == sorted(
            (row.id, row.source, row.event, row.target, row.ignored) for row in table.transitions
        )
        assert tuple(machine.events) == table.events
        for event, spec in table.event_specs.items():
            assert fields_of(machine.events[event].values()) == fields_of(spec.fields)
        assert tuple(machine.invariants) == tuple(table.invariants)
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
        assert read.machine.name == collection.machine
        assert read.accepts == collection.accepts
        assert collection.grows is None or set(read.grows) == set(collection.grows)
        roles = lifecycle.machines[collection.machine].roles
        assert read.result == (None if roles.result is None else tuple(roles.result))
        assert read.done == set(roles.done)
        assert read.redo == (roles.redo.event if roles.redo else "")
    roles = lifecycle.machines[lifecycle.root].roles
    assert definition.result == (None if roles.result is None else tuple(roles.result))
    assert definition.variables == tuple(tuple(one) for one in roles.variables)


TYPES = """\
lifecycle: types
version: 1
enums: {Cause: [error, timeout]}
machines:
  one:
    initial: on
    states: {on: {}, off: {final: true}}
    context: {size: {type: int, initial: 0}, most: {type: int, param: true, where: most > 0}}
    events:
      note:
        payload:
          cause: {type: Cause}
          sure: {type: bool, default: false}
          much: {type: int, default: 1}
          text: {type: str, default: ""}
          raw: {type: bytes}
          at: {type: timestamp, default: 0}
          any: {type: json, default: null}
      end: {}
    transitions:
      - from: on
        on: note
        to: on
        when: event.cause == error and event.sure
        set: {size: size + event.much}
      - {from: on, on: end, to: off, when: size < most}
"""


def test_payloads_and_parameters_are_whole_or_invalid(tmp_path: Path) -> None:
    """What nothing reads is looked at too, and no number is larger than what is stored."""
    definition = definition_of(TYPES, tmp_path)
    job = Job.begun(definition, {}, {"": {"most": 3}})
    right: dict[str, Any] = {"cause": "error", "sure": True, "raw": b"", "any": [1.5]}
    assert job.take([Event("note", right)]).context == {"size": 1, "most": 3}
    for wrong in (
        {"cause": "late"},
        {"cause": None},
        {"sure": 1},
        {"much": True},
        {"much": 2**64},
        {"text": b""},
        {"raw": ""},
        {"at": 1.0},
        {"other": 1},
    ):
        with pytest.raises(Invalid):
            job.take([Event("note", {**right, **wrong})])
    with pytest.raises(Invalid):
        job.take([Event("note", {"cause": "error"})])
    with pytest.raises(Invalid, match="64 bits"):
        job.take([Event("note", {**right, "much": 2**64 - 1}), Event("note", right)])
    with pytest.raises(Refused):
        job.take([Event("note", {**right, "sure": False})])
    for params in ({}, {"most": 0}, {"most": "3"}, {"most": 2**64}, {"most": 1, "size": 2}):
        with pytest.raises(Invalid):
            Job.begun(definition, {}, {"": params})
