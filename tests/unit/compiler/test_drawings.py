"""Diagrams: what is merged, what can be found in them, and that they are well formed."""

from xml.etree import ElementTree as ET

import pytest

from milepost_codegen.compiler import compile_definition
from milepost_codegen.drawings.dot import emit_dot
from milepost_codegen.drawings.mermaid import emit_mermaid
from milepost_codegen.drawings.model import draw
from milepost_codegen.drawings.svg import render_svg
from milepost_codegen.model import Lifecycle, Machine

from .lifecycles import RICH, ROOT


@pytest.fixture(scope="module")
def lifecycle() -> Lifecycle:
    return compile_definition(RICH.encode(), "rich.yaml").lifecycle


@pytest.fixture(scope="module")
def batch(lifecycle: Lifecycle) -> Machine:
    return lifecycle.machines[1]


def test_arrows_say_no_more_than_needed(batch: Machine) -> None:
    """What all members of a group do alike is drawn once; histories lead to the group."""
    arrows = {(arrow.source, arrow.target): arrow for arrow in draw(batch).arrows}
    assert arrows["working", "away"].lines == ("rest",)
    assert arrows["working", "away"].classes == ("t-idle-rest", "t-busy-rest", "t-hot-rest")
    assert arrows["away", "working"].remembered
    assert arrows["running", "broken"].lines == ("break_up [not nearly]",)
    assert ("busy", "away") not in arrows


def test_every_transition_is_somewhere(lifecycle: Lifecycle) -> None:
    """No transition is lost when arrows are merged."""
    for machine in lifecycle.machines:
        drawing = draw(machine)
        drawn = {name for part in (*drawing.arrows, *drawing.boxes) for name in part.classes}
        wanted = {f"t-{one.source}-{one.event}" for one in machine.transitions if not one.ignored}
        assert drawn == wanted


def test_clusters_nest(batch: Machine) -> None:
    """Groups that hold groups are drawn around them."""
    (cluster,) = draw(batch).clusters
    assert (cluster.group, cluster.boxes) == ("working", ("idle",))
    assert [(inner.group, inner.boxes) for inner in cluster.clusters] == [
        ("running", ("busy", "hot"))
    ]


def test_the_drawing_has_stable_ids(lifecycle: Lifecycle, batch: Machine) -> None:
    """A tool can find states and transitions in the committed drawing."""
    dot = emit_dot(lifecycle, batch)
    assert dot.isascii()
    root = ET.fromstring(render_svg(dot))  # our own drawing
    groups = {
        element.get("id"): element.get("class", "") for element in root.iter() if element.get("id")
    }
    assert {f"state-{state.name}" for state in batch.states} <= set(groups)
    assert "t-busy-work" in groups["state-busy"].split()
    assert {"t-idle-rest", "transition"} <= set(groups["edge-working-away"].split())


def test_collections_are_drawn(lifecycle: Lifecycle, batch: Machine) -> None:
    """A sheet says what members may do in which of the owner's states."""
    (parts,) = draw(batch).members
    assert (parts.name, parts.machine) == ("parts", "part_1")
    assert parts.accepts == ((("idle",), ("note",)), (("busy", "hot"), ("finish", "note")))
    assert '"collection-parts" [' in emit_dot(lifecycle, batch)


def test_mermaid_has_every_state(batch: Machine) -> None:
    """States, clusters and ends are there, in ASCII."""
    text = emit_mermaid(batch)
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
