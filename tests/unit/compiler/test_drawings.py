"""Diagrams: what is merged, what can be found in them, and that they are well formed."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from milepost.drawings.dot import dot
from milepost.drawings.mermaid import mermaid
from milepost.drawings.model import draw
from milepost.drawings.sketch import sketch as of_tables
from milepost.drawings.svg import render_svg
from milepost_codegen.compiler import compile_definition
from milepost_codegen.drawings.sketch import sketch
from milepost_codegen.model import Lifecycle, Machine

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
    assert '"collection-parts" [' in dot(draw(sketch(batch)), lifecycle.name)


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
    text = mermaid(draw(sketch(batch)))
    assert text.isascii()
    assert text.startswith(
        "stateDiagram-v2\n    [*] --> idle\n    state working {\n        state running {"
    )
    assert "    closed --> [*]\n" in text


@pytest.mark.parametrize(
    "path", sorted((ROOT / "diagrams").glob("*.svg")), ids=lambda path: path.stem
)
def test_committed_drawings_are_well_formed(path: object) -> None:
    """The header's comments do not break the XML."""
    ET.parse(path)  # our own drawing
