"""Diagrams: what is merged, what can be found in them, and that they are well formed."""

import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from milepost.drawings.dot import dot
from milepost.drawings.draw import draw
from milepost.drawings.mermaid import as_ascii, mermaid
from milepost.drawings.model import Drawing, Label
from milepost.drawings.sketch import sketch as of_tables
from milepost.drawings.svg import render_svg
from milepost_codegen.compiler import compile_definition
from milepost_codegen.drawings.sketch import sketch
from milepost_codegen.model import Lifecycle, Machine
from tests.contract.lifecycles.names import names_of, renamed
from tests.contract.lifecycles.spelling import spell

from .lifecycles import RICH, ROOT, load


@pytest.fixture(scope="module")
def lifecycle() -> Lifecycle:
    return compile_definition(RICH.encode(), "rich.yaml").lifecycle


@pytest.fixture(scope="module")
def batch(lifecycle: Lifecycle) -> Machine:
    return lifecycle.machines[1]


def test_arrows_say_no_more_than_needed(batch: Machine) -> None:
    """What all members of a group do alike is drawn once; histories lead to the group."""
    arrows = {(arrow.source, arrow.target): arrow for arrow in draw(sketch(batch)).arrows}
    assert [one.text for one in arrows["working", "away"].labels] == ["rest"]
    assert arrows["working", "away"].classes == ("t-idle-rest", "t-busy-rest", "t-hot-rest")
    assert arrows["away", "working"].remembered
    assert [one.text for one in arrows["running", "broken"].labels] == ["break_up [not nearly]"]
    assert ("busy", "away") not in arrows


def test_every_transition_is_somewhere(lifecycle: Lifecycle) -> None:
    """No transition is lost when arrows are merged."""
    for machine in lifecycle.machines:
        drawing = draw(sketch(machine))
        drawn = {name for part in (*drawing.arrows, *drawing.boxes) for name in part.classes}
        wanted = {f"t-{one.source}-{one.event}" for one in machine.transitions if not one.ignored}
        assert drawn == wanted


def test_clusters_nest(batch: Machine) -> None:
    """Groups that hold groups are drawn around them."""
    (cluster,) = draw(sketch(batch)).clusters
    assert (cluster.group, cluster.boxes) == ("working", ("idle",))
    assert [(inner.group, inner.boxes) for inner in cluster.clusters] == [
        ("running", ("busy", "hot"))
    ]


def test_the_drawing_has_stable_ids(lifecycle: Lifecycle, batch: Machine) -> None:
    """A tool can find states and transitions in the committed drawing."""
    graph = dot(draw(sketch(batch)), lifecycle.name)
    assert graph.isascii()
    root = ET.fromstring(render_svg(graph))  # our own drawing
    groups = {
        element.get("id"): element.get("class", "") for element in root.iter() if element.get("id")
    }
    assert {f"state-{state.name}" for state in batch.states} <= set(groups)
    assert "t-busy-work" in groups["state-busy"].split()
    assert {"t-idle-rest", "transition"} <= set(groups["edge-working-away"].split())


def test_collections_are_drawn(lifecycle: Lifecycle, batch: Machine) -> None:
    """A sheet says what members may do in which of the owner's states."""
    (parts,) = draw(sketch(batch)).members
    assert (parts.name, parts.machine) == ("parts", "part_1")
    assert parts.accepts == ((("idle",), ("note",)), (("busy", "hot"), ("finish", "note")))
    assert parts.grows == ("idle", "busy", "hot")
    text = dot(draw(sketch(batch)), lifecycle.name)
    assert '"collection-parts" [' in text
    assert "idle, busy, hot" in text


_HISTORIES = """\
lifecycle: remembering
version: 1
machines:
  work:
    initial: first
    context: {tries: {type: int, initial: 0}, most: {type: int, param: true, default: 3}}
    states: {first: {}, second: {}, away: {}, over: {final: true}}
    groups: {open: [first, second], alone: [first]}
    events: {next: {}, leave: {}, back: {}, end: {}}
    transitions:
      - {from: first, on: next, to: second}
      - {from: open, on: leave, to: away}
      - {from: away, on: back, when: tries < 2 or most > 4, to: {history: open}}
      - {from: away, on: back, when: otherwise, to: over}
      - {from: second, on: next, when: most == 3, to: over}
      - {from: second, on: next, when: otherwise, to: {history: alone}}
      - {from: open, on: end, to: over}
"""


@pytest.mark.parametrize("text", [RICH, _HISTORIES, (ROOT / "statemachine.yaml").read_text()])
def test_tables_are_drawn_as_their_definition_is(text: str, tmp_path: Path) -> None:
    """Whoever has the compiled tables alone sees the same drawing, word for word."""
    lifecycle = compile_definition(text.encode(), "test.yaml").lifecycle
    tables = load(text, tmp_path).LIFECYCLE.machines
    for machine in lifecycle.machines:
        assert of_tables(tables[machine.name]) == sketch(machine)
        assert dot(draw(of_tables(tables[machine.name])), "x") == dot(draw(sketch(machine)), "x")


def test_what_a_drawing_says_of_a_guard(tmp_path: Path) -> None:
    """What a history adds to it is not said, and a long negation is `otherwise`."""
    work = load(_HISTORIES, tmp_path).LIFECYCLE.machines["work"]
    labels = [label.text for arrow in draw(of_tables(work)).arrows for label in arrow.labels]
    assert "back [tries < 2 or most > 4]" in labels
    assert "back [not (tries < 2 or most > 4)]" in labels
    assert "next [not most == 3]" in labels
    assert not any("history" in text for text in labels)


def test_mermaid_has_every_state(batch: Machine) -> None:
    """States, clusters and ends are there, in ASCII."""
    text = as_ascii(mermaid(draw(sketch(batch))))
    assert text.isascii()
    assert text.startswith(
        "stateDiagram-v2\n    [*] --> idle\n    state working {\n        state running {"
    )
    assert "    closed --> [*]\n" in text


ROLES = (ROOT / "statemachine.yaml").read_text(encoding="utf-8")
DEFINITIONS = [
    ROOT / "statemachine.yaml",
    *sorted((ROOT / "tests" / "contract" / "lifecycles" / "definitions").glob("*.yaml")),
    *sorted((ROOT / "examples" / "lifecycles").glob("y*.yaml")),
]
_WORD = re.compile(r"[A-Za-z_]\w*")


def in_text(text: str, names: frozenset[str]) -> str:
    """`text` with the other names in it."""
    return _WORD.sub(lambda word: spell(word[0]) if word[0] in names else word[0], text)


def with_other_names(value: Any, names: frozenset[str]) -> Any:
    """A drawing in which every name is the other one; what roles are called stays."""
    if isinstance(value, Label):
        return Label(in_text(value.text, names), with_other_names(value.rows, names), value.roles)
    if isinstance(value, str):
        return in_text(value, names)
    if isinstance(value, tuple):
        return tuple(with_other_names(one, names) for one in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kept = {"doc", "kind", "meaning", "roles", "final", "remembered"}
    parts = {part.name: getattr(value, part.name) for part in fields(value)}
    changed = {k: v if k in kept else with_other_names(v, names) for k, v in parts.items()}
    return replace(value, **changed)


def said_of_events(drawing: Drawing) -> list[tuple[str, ...]]:
    """The roles of events, which name states."""
    return [label.roles for label in drawing.labels]


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_names_mean_nothing_to_a_drawing(path: Path) -> None:
    """With every name another one, in roles too, the drawing is the same, name for name."""
    text = path.read_text(encoding="utf-8")
    names = frozenset(name.name for name in names_of(text))
    changed = renamed(text, lambda name: spell(name.name), earlier=lambda name: spell(name.name))
    original = compile_definition(text.encode(), "original.yaml").lifecycle
    other = compile_definition(changed.encode(), "other.yaml").lifecycle
    for before, after in zip(original.machines, other.machines, strict=True):
        drawn, expected = draw(sketch(after)), with_other_names(draw(sketch(before)), names)
        assert said_of_events(drawn) == [
            tuple(in_text(role, names) if " " in role else role for role in roles)
            for roles in said_of_events(expected)
        ]
        assert without_roles(drawn) == without_roles(expected)
        assert looks(drawn) == looks(draw(sketch(before)))
        assert without_roles(drawn) != without_roles(draw(sketch(before)))  # control


def without_roles(value: Any) -> Any:
    """A drawing in which no event is said to have a role."""
    if isinstance(value, Label):
        return Label(value.text, value.rows)
    if isinstance(value, tuple):
        return tuple(without_roles(one) for one in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return replace(
        value, **{part.name: without_roles(getattr(value, part.name)) for part in fields(value)}
    )


def looks(drawing: Drawing) -> list[tuple[str | None, ...]]:
    """The colours and signs of a rendered drawing, element by element."""
    root = ET.fromstring(render_svg(dot(drawing, "x")))
    found: list[tuple[str | None, ...]] = []
    for element in root.iter():
        text = (element.text or "").strip()
        sign = text if len(text) == 1 else None
        found.append((element.tag, element.get("fill"), element.get("stroke"), sign))
    return found


def test_names_alone_have_no_look() -> None:
    """A state is coloured as a failure for its role, and not for what it is called."""
    text = """\
lifecycle: named
version: 1
machines:
  task:
    initial: waiting
    states: {waiting: {}, failed: {}, dead: {final: true}}
    events: {fail: {}, give_up: {}}
    transitions:
      - {from: waiting, on: fail, to: failed}
      - {from: failed, on: give_up, to: dead}
"""
    (machine,) = compile_definition(text.encode(), "named.yaml").lifecycle.machines
    drawing = draw(sketch(machine))
    assert [box.kind for box in drawing.boxes] == ["initial", "active", "final"]
    assert "label=failed" in dot(drawing, "named")


def test_roles_are_marked_and_explained() -> None:
    """A sign at each state that has one, a dot at each event; below, what they mean."""
    lifecycle = compile_definition(ROLES.encode(), "statemachine.yaml").lifecycle
    item, job = (draw(sketch(machine)) for machine in lifecycle.machines)
    text = mermaid(item)
    assert "    pending: ○ pending\n" in text
    assert "    pending --> running: start •\n" in text
    assert "    note left of pending : ○ waiting<br/>▶ held<br/>✓ done<br/>" in text
    assert "note left of paused : ○ phase before members<br/>▶ phase of members" in mermaid(job)
    graph = dot(job, "mapreduce")
    for state in ("failed", "completed", "paused"):
        assert re.search(rf'"state-{state}" \[label=<.*</font> {state}\b', graph)
    assert "role of retry: resumes from failed" in graph
    assert "role: phase of members" in graph
    root = ET.fromstring(render_svg(graph))
    said = [
        "".join(one.itertext()).strip() for one in root.iter("{http://www.w3.org/2000/svg}text")
    ]
    assert {"phase before members", "succeeded", "• an event with a role"} <= set(said)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "diagrams").glob("*.svg")), ids=lambda path: path.stem
)
def test_committed_drawings_are_well_formed(path: object) -> None:
    """The header's comments do not break the XML."""
    ET.parse(path)  # our own drawing
