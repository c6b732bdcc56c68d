"""SCXML says what the table says: read back by an XML parser, row by row."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from milepost.bridges import to_scxml, to_transitions
from milepost.bridges.histories import compounds, plain_guard
from milepost.bridges.scxml import NAMESPACE, SCXML
from milepost.lifecycles import mapreduce
from milepost.machine import Machine
from milepost_codegen.compiler import compile_definition
from milepost_codegen.expressions import to_text
from tests.unit.compiler.lifecycles import load

from .machines import MACHINES, RICH, ROOT, SOURCES, initial

ID = f"{{{NAMESPACE}}}id"
EXAMPLES = sorted((ROOT / "examples" / "lifecycles").glob("*.yaml"))
ALL = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


def tag(name: str) -> str:
    return f"{{{SCXML}}}{name}"


def leaves(root: ET.Element) -> dict[str, ET.Element]:
    """The states that have no states in them, by id, in document order."""
    found = [node for name in ("state", "final") for node in root.iter(tag(name))]
    order = [node for node in root.iter() if node in found]
    return {n.attrib["id"]: n for n in order if n.find(tag("state")) is None}


def rows_of(machine: Machine, root: ET.Element) -> dict[str, tuple[str, str, str]]:
    """Id to (source, event, target), histories opened into the rows that they stand for."""
    groups = {f"history.{name}": members for name, members in machine.groups.items()}
    found: dict[str, tuple[str, str, str]] = {}
    for state, node in leaves(root).items():
        for arrow in node.iter(
            tag("transition"),
        ):
            target = arrow.get("target", state)
            order = [one for one in machine.states if one in groups.get(target, ())]
            ids = arrow.attrib[ID].split()
            for row_id, to in zip(ids, order or [target], strict=True):
                found[row_id] = (state, arrow.attrib["event"], to)
        for ignored in node.iter(f"{{{NAMESPACE}}}ignored"):
            found[ignored.attrib[ID]] = (state, ignored.attrib["event"], state)
    return found


@ALL
def test_the_rows_come_back(machine: Machine) -> None:
    """Every id with its source, event and target, and nothing else."""
    root = ET.fromstring(to_scxml(machine))
    expected = {row.id: (row.source, row.event, row.target) for row in machine.transitions}
    assert rows_of(machine, root) == expected
    assert root.get("initial") == machine.initial
    assert sorted(leaves(root)) == sorted(machine.states)
    final = tuple(node.attrib["id"] for node in root.iter(tag("final")))
    assert final == machine.final


@ALL
def test_guards_members_and_data_come_back(machine: Machine) -> None:
    """The texts of guards, what members are sent, and each entry of the context."""
    root = ET.fromstring(to_scxml(machine))
    rows = {row.id: row for row in machine.transitions}
    for arrow in root.iter(tag("transition")):
        if ID not in arrow.attrib:
            continue  # what a history begins with
        for row_id in arrow.attrib[ID].split():
            row = rows[row_id]
            guard = (
                plain_guard(row) if arrow.get("target", "").startswith("history.") else row.guard
            )
            assert arrow.get("cond", "") == guard
            sent = [
                (one.attrib["collection"], one.attrib["state"], one.attrib["event"])
                for one in arrow.iter(f"{{{NAMESPACE}}}members")
            ]
            assert sent == [tuple(one) for one in row.members]
    data = {node.attrib["id"]: node.get("expr") for node in root.iter(tag("data"))}
    expected = {name: str(value) for name, value in initial(machine).items()}
    for group in compounds(machine):
        default = expected.pop(f"history.{group}")
        (history,) = (n for n in root.iter(tag("history")) if n.get("id") == f"history.{group}")
        (transition,) = history
        assert transition.attrib == {"target": default}
    assert set(data) == set(expected)
    given = {name: text for name, text in data.items() if text is not None}
    texts = {"True": "true", "False": "false"}
    assert given == {name: texts.get(expected[name], expected[name]) for name in given}
    assert set(data) - set(given) <= {"limit"}  # a parameter without a default


@pytest.mark.parametrize("name", SOURCES)
def test_what_rows_assign_is_what_the_definition_says(name: str) -> None:
    """In the words of the definition language."""
    lifecycle = compile_definition(SOURCES[name].read_bytes(), "x.yaml").lifecycle
    count = 0
    for machine in lifecycle.machines:
        root = ET.fromstring(to_scxml(MACHINES[f"{name}.{machine.name}"]))
        texts = {
            arrow.attrib[ID]: {
                one.attrib["location"]: one.attrib["expr"] for one in arrow.iter(tag("assign"))
            }
            for arrow in root.iter(tag("transition"))
            if ID in arrow.attrib
        }
        for row in machine.transitions:
            found = texts.get(row.id, {})
            expected = {
                one.name: to_text(one.value)
                for one in row.assignments
                if not one.name.startswith("history.")
            }
            assert found == expected, row.id
            count += len(found)
    assert count >= 6


def crossing() -> Machine:
    """Rich's batch with a second history, whose group crosses the first one's."""
    batch = RICH.machines["batch"]
    rows = tuple(
        replace(
            row,
            id=f"broken.rest.{state}",
            target=state,
            ignored=False,
            history="odd",
            guard=f"history.odd == {state}",
        )
        for row in batch.transitions
        if row.id == "broken.rest"
        for state in ("hot", "away")
    )
    return replace(
        batch,
        groups={**batch.groups, "odd": ("hot", "away")},
        entries={**batch.entries, "history.odd": "hot"},
        transitions=(*(row for row in batch.transitions if row.id != "broken.rest"), *rows),
    )


def test_groups_that_cross_keep_their_conditions() -> None:
    """The first is a state with a history, the second stays in the datamodel."""
    machine = crossing()
    assert list(compounds(machine)) == ["working"]
    root = ET.fromstring(to_scxml(machine))
    expected = {row.id: (row.source, row.event, row.target) for row in machine.transitions}
    assert rows_of(machine, root) == expected
    conditions = {arrow.get("cond") for arrow in root.iter(tag("transition"))}
    assert {"history.odd == hot", "history.odd == away"} <= conditions
    assert "history.odd" in {node.attrib["id"] for node in root.iter(tag("data"))}


def nested() -> Machine:
    """Rich's batch with a second history, whose group lies within the first one's."""
    machine = crossing()
    rows = tuple(
        replace(
            row,
            target="busy" if row.target == "away" else row.target,
            guard=row.guard.replace("away", "busy"),
        )
        if row.history == "odd"
        else row
        for row in machine.transitions
    )
    groups = {**machine.groups, "odd": ("busy", "hot")}
    return replace(machine, groups=groups, transitions=rows)


def test_groups_that_nest_are_nested_and_the_outer_history_is_deep() -> None:
    """The inner one's states stand in it, in the outer one."""
    machine = nested()
    assert list(compounds(machine)) == ["working", "odd"]
    root = ET.fromstring(to_scxml(machine))
    kinds = {node.attrib["id"]: node.attrib["type"] for node in root.iter(tag("history"))}
    assert kinds == {"history.working": "deep", "history.odd": "shallow"}
    outer = next(node for node in root.iter(tag("state")) if node.get("id") == "working")
    assert [node.get("id") for node in outer.findall(tag("state"))] == ["idle", "odd"]
    expected = {row.id: (row.source, row.event, row.target) for row in machine.transitions}
    ids = rows_of(machine, root)
    assert {key: ids[key] for key in expected} == expected


def test_any_doc_leaves_the_document_well_formed() -> None:
    """Hyphens, angle brackets and quotes in docs are text, never markup."""
    item = mapreduce.ITEM
    doc = 'a --> b <c d="1"/> ]]> & \N{SNOWMAN} ----- -'
    specs = {name: replace(one, doc=doc) for name, one in item.state_specs.items()}
    text = to_scxml(replace(item, doc=doc, state_specs=specs))
    ids = [row.id for row in item.transitions]
    assert sorted(rows_of(item, ET.fromstring(text.encode()))) == sorted(ids)
    assert "\N{SNOWMAN}" in text


@ALL
def test_the_text_is_the_same_every_time(machine: Machine) -> None:
    """And ends in one line end."""
    assert to_scxml(machine) == to_scxml(machine)
    assert to_scxml(machine).endswith("</scxml>\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_lifecycles_of_real_schedulers_come_back(path: Path, tmp_path: Path) -> None:
    """Every row of each of their machines; and `transitions` takes the machines as well."""
    lifecycle = load(path.read_text(encoding="utf-8"), tmp_path).LIFECYCLE
    for machine in lifecycle.machines.values():
        expected = {row.id: (row.source, row.event, row.target) for row in machine.transitions}
        assert rows_of(machine, ET.fromstring(to_scxml(machine))) == expected
        bridged = to_transitions(machine, prefix="on_")
        assert len(bridged.get_transitions()) == len(expected)
