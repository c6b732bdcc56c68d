"""The lifecycles of twelve schedulers do what their sources' tables say, and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from milepost.errors import TransitionRefused
from milepost_codegen.compiler import Compiled, compile_definition

from .tables import EXAMPLES, HISTORIES, NAMES, TITLES, Triple, table


def originals(compiled: Compiled) -> tuple[dict[str, str], dict[str, str]]:
    """What the states and the events are called in the source, by our names."""
    (machine,) = compiled.lifecycle.machines
    return {one.name: one.doc for one in machine.states}, {
        one.name: one.doc for one in machine.events
    }


def test_there_are_twelve() -> None:
    assert len(NAMES) == 12


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found(compiled: Callable[[str], Compiled], name: str) -> None:
    assert compiled(name).warnings == ()


@pytest.mark.parametrize("name", NAMES)
def test_the_table_can_be_read_back(compiled: Callable[[str], Compiled], name: str) -> None:
    """Every name of the source is kept in a doc, and every arc is there."""
    states, events = originals(compiled(name))
    (machine,) = compiled(name).lifecycle.machines
    found: dict[bool, set[Triple]] = {False: set(), True: set()}
    for row in machine.transitions:
        found[row.ignored].add((states[row.source], events[row.event], states[row.target]))
    wanted = table(name)
    assert len(states) == len(set(states.values()))
    assert len(events) == len(set(events.values()))
    assert set(states.values()) == wanted.states
    assert found[False] == wanted.rows
    assert {pair[:2] for pair in found[True]} == {pair[:2] for pair in wanted.ignored}


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_taken_and_every_other_pair_refused(
    compiled: Callable[[str], Compiled], module: Callable[[str], ModuleType], name: str
) -> None:
    """Each triple by the payload that chooses its target; what the table lacks is refused."""
    states, events = originals(compiled(name))
    wanted = table(name)
    (machine,) = module(name).LIFECYCLE.machines.values()
    assert (set(machine.states), set(machine.events)) == (set(states), set(events))
    context = machine.context()
    for state, its_name in states.items():
        for event, event_name in events.items():
            targets = {row[2] for row in wanted.rows if row[:2] == (its_name, event_name)}
            ignored = any(row[:2] == (its_name, event_name) for row in wanted.ignored)
            for outcome, outcome_name in states.items():
                payload = {"outcome": outcome}
                if ignored or outcome_name in targets or len(targets) == 1:
                    step = machine.step(state, event, context, payload)
                    reached = its_name if ignored else outcome_name
                    assert states[step.state] == (reached if len(targets) != 1 else min(targets))
                    assert step.context == context
                else:
                    with pytest.raises(TransitionRefused):
                        machine.step(state, event, context, payload)
            legal = event in machine.allowed(state)
            assert legal == bool(targets or ignored)


@pytest.mark.parametrize("name", NAMES)
def test_generated_modules_need_nothing_else(source: Callable[[str], str], name: str) -> None:
    """The standard library and the types of tables."""
    needed = set()
    for node in ast.walk(ast.parse(source(name))):
        if isinstance(node, ast.Import):
            needed |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            needed.add(node.module or "")
    assert "milepost.machine" in needed
    others = {one.split(".")[0] for one in needed - {"milepost.machine"}}
    assert others <= sys.stdlib_module_names


def test_the_converter_gives_what_is_committed(tmp_path: Path) -> None:
    """From the tables alone."""
    tables = sorted(EXAMPLES.glob("tables/*.json"))
    command = [sys.executable, str(EXAMPLES / "convert.py"), "--out", str(tmp_path)]
    subprocess.run([*command, *map(str, tables)], check=True, capture_output=True)
    for name in NAMES:
        for path in (f"{name}.yaml", f"tables/{name}.json"):
            assert (tmp_path / path).read_bytes() == (EXAMPLES / path).read_bytes(), path


@pytest.mark.parametrize("path", HISTORIES, ids=TITLES)
def test_every_version_of_a_history_compiles(path: Path) -> None:
    compiled = compile_definition(path.read_bytes(), path.name)
    assert compiled.warnings == ()
    assert compiled.lifecycle.version == int(path.stem)


def test_there_are_two_histories() -> None:
    assert {path.parent.name for path in HISTORIES} == {"hadoop_mr_task", "yarn_rm_app"}
    assert len(HISTORIES) == 41
