"""A job's course on the drawing of its lifecycle: whatever was done is said once, where it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from milepost.inspect import diagram
from milepost.inspect.path import PathView
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle, Machine
from tests.unit.compiler.lifecycles import load

from .tables import NAMES

SVG = "{http://www.w3.org/2000/svg}"
COUNT = re.compile(r"×(\d+)")

# Names that Mermaid keeps for itself, a state remembered within no frame, and a group.
AWKWARD = """\
lifecycle: awkward
version: 1
machines:
  work:
    initial: state
    states: {state: {}, note: {}, end: {}, initial: {}, over: {final: true}}
    groups: {class: [note, end], click: [note, initial]}
    events: {go: {}, again: {}, rest: {}, stay: {}}
    transitions:
      - {from: state, on: go, to: note}
      - {from: note, on: go, to: initial}
      - {from: note, on: stay, to: note}
      - {from: initial, on: go, to: {history: click, default: note}}
      - {from: note, on: again, to: end}
      - {from: initial, on: again, to: state}
      - {from: state, on: again, to: {history: class, default: note}}
      - {from: class, on: rest, to: over}
"""


def gone_through(lifecycle: Lifecycle, machine: Machine) -> PathView:
    """A path along every transition, each another number of times, to the last state."""
    rows = [row for row in machine.transitions if not row.ignored]
    return PathView(
        job="long",
        lifecycle=lifecycle.name,
        machine=machine.name,
        seq=len(rows),
        visited=machine.states,
        current={machine.states[-1]: 1},
        transitions={row.id: number for number, row in enumerate(rows, 1)},
    )


def counted(texts: list[str]) -> int:
    """All counts in the labels of a drawing, together."""
    return sum(int(count) for text in texts for count in COUNT.findall(text))


@pytest.mark.parametrize("name", [*NAMES, "mapreduce", "awkward"])
def test_all_that_was_done_is_said_once(
    module: Callable[[str], ModuleType], tmp_path: Path, name: str
) -> None:
    """On arrows and in boxes, in SVG and in Mermaid; every state is marked as visited."""
    made = {"mapreduce": lambda: mapreduce, "awkward": lambda: load(AWKWARD, tmp_path)}
    lifecycle: Lifecycle = made.get(name, lambda: module(name))().LIFECYCLE
    for machine in lifecycle.machines.values():
        path = gone_through(lifecycle, machine)
        total = sum(path.transitions.values())
        root = ET.fromstring(diagram.svg(path, lifecycle))
        assert counted(["".join(text.itertext()) for text in root.iter(f"{SVG}text")]) == total
        classes = {g.get("id"): g.get("class", "").split() for g in root.iter(f"{SVG}g")}
        assert all("visited" in classes[f"state-{state}"] for state in machine.states)
        assert [i for i, of in classes.items() if "current" in of] == [
            f"state-{machine.states[-1]}"
        ]
        lines = diagram.mermaid(path, lifecycle).splitlines()
        assert counted([line for line in lines if not line.startswith("%%")]) == total
        assert len([line for line in lines if re.match(r" +class \w+ ", line)]) == len(
            machine.states
        )


def test_names_that_mermaid_keeps_have_other_ids(tmp_path: Path) -> None:
    """Classes are given to the ids under which the states stand in the text."""
    lifecycle = load(AWKWARD, tmp_path).LIFECYCLE
    text = diagram.mermaid(gone_through(lifecycle, lifecycle.machines["work"]), lifecycle)
    assert "    end_: end" in text
    assert "    class end_ visited\n" in text
    assert "    class over current\n" in text
    assert not re.search(r" class (end|note|state) ", text)


def test_what_was_never_done_is_not_said(tmp_path: Path) -> None:
    """Control: a job that has just begun has no counts, and one state."""
    lifecycle = load(AWKWARD, tmp_path).LIFECYCLE
    path = PathView(
        job="new",
        lifecycle="awkward",
        machine="work",
        seq=1,
        visited=("state",),
        current={"state": 1},
        transitions={},
    )
    drawn = diagram.svg(path, lifecycle)
    root = ET.fromstring(drawn)
    assert counted(["".join(text.itertext()) for text in root.iter(f"{SVG}text")]) == 0
    marked = [g.get("id") for g in root.iter(f"{SVG}g") if "visited" in g.get("class", "").split()]
    assert marked == ["state-state"]
    assert "● now" in drawn
