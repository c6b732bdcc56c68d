"""Large machines: their pictures can be read, and the work grows with their size alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from milepost.drawings.dot import dot
from milepost.drawings.draw import draw
from milepost.drawings.mermaid import mermaid
from milepost.drawings.sketch import sketch as of_tables
from milepost.drawings.svg import render_svg
from milepost_codegen.compiler import Compiled, compile_definition
from milepost_codegen.drawings.sketch import sketch
from milepost_codegen.model import Lifecycle, Machine

from .crowded import crowded
from .tables import NAMES

REVIEW = "fourteen states and 170 rows"


@pytest.fixture(scope="module")
def lifecycle(compiled: Callable[[str], Compiled]) -> Callable[[str], Lifecycle]:
    dense = compile_definition(crowded(14, 170, 18).encode(), "crowded.yaml").lifecycle
    return lambda name: dense if name == REVIEW else compiled(name).lifecycle


def pairs(machine: Machine) -> set[str]:
    return {f"t-{one.source}-{one.event}" for one in machine.transitions if not one.ignored}


@pytest.mark.parametrize("name", [*NAMES, REVIEW])
def test_no_transition_is_lost(lifecycle: Callable[[str], Lifecycle], name: str) -> None:
    """Each is said by an arrow or by a box: where it starts, or where it starts and ends."""
    (machine,) = lifecycle(name).machines
    drawing = draw(sketch(machine))
    said = {(arrow.source, arrow.target) for arrow in drawing.arrows}
    said |= {(box.state, one.target) for box in drawing.boxes for one in box.exits}
    said |= {(box.state, box.state) for box in drawing.boxes if box.internal}
    assert said == {(one.source, one.target) for one in machine.transitions if not one.ignored}
    drawn = {name for part in (*drawing.arrows, *drawing.boxes) for name in part.classes}
    assert drawn == pairs(machine)
    back = {(other, box.state) for box in drawing.boxes for other in box.entries}
    assert back == {(box.state, one.target) for box in drawing.boxes for one in box.exits}


@pytest.mark.parametrize("name", NAMES)
def test_tables_are_drawn_as_their_definition_is(
    lifecycle: Callable[[str], Lifecycle], module: Callable[[str], ModuleType], name: str
) -> None:
    """Whoever has the compiled tables alone sees the same drawing."""
    for machine in lifecycle(name).machines:
        assert of_tables(module(name).LIFECYCLE.machines[machine.name]) == sketch(machine)


@pytest.mark.parametrize("name", [*NAMES, REVIEW])
def test_a_picture_can_be_read(lifecycle: Callable[[str], Lifecycle], name: str) -> None:
    """Few arrows, every state with one that leads to it, no line too long, no sheet too large."""
    (machine,) = lifecycle(name).machines
    drawing = draw(sketch(machine))
    assert len(drawing.arrows) <= max(20, 1.5 * len(machine.states) + 1)
    led_to = {machine.initial} | {arrow.target for arrow in drawing.arrows}
    assert led_to == {state.name for state in machine.states}
    graph = dot(drawing, name)
    assert graph.isascii()
    root = ET.fromstring(render_svg(graph))
    texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert max(map(len, texts)) <= 80
    width, height = (float(root.get(side, "").removesuffix("pt")) for side in ("width", "height"))
    assert width <= 3000
    assert height <= 1900


@pytest.mark.parametrize("name", [*NAMES, REVIEW])
def test_tools_find_every_state_and_pair(lifecycle: Callable[[str], Lifecycle], name: str) -> None:
    """The SVG has an id for each state and a class for each pair, also of arrows not drawn."""
    (machine,) = lifecycle(name).machines
    root = ET.fromstring(render_svg(dot(draw(sketch(machine)), name)))
    groups = list(root.iter("{http://www.w3.org/2000/svg}g"))
    ids = [group.get("id", "") for group in groups]
    assert len(ids) == len(set(ids))
    assert {f"state-{state.name}" for state in machine.states} <= set(ids)
    classes = {name for group in groups for name in group.get("class", "").split()}
    assert pairs(machine) <= classes


@pytest.mark.parametrize("name", [*NAMES, REVIEW])
def test_mermaid_says_as_much(lifecycle: Callable[[str], Lifecycle], name: str) -> None:
    """Every line is an arrow, a box or a brace, and every event is named in its state's lines."""
    (machine,) = lifecycle(name).machines
    text = mermaid(draw(sketch(machine)))
    for one in machine.transitions:
        if not one.ignored:
            line = rf"^ +{one.source}_?(: | --> ).*\b{one.event}\b"
            assert re.search(line, text, re.MULTILINE), one.id


def calls(states: int, rows: int) -> int:
    """How many Python functions are called to compile and draw a machine of this size."""
    count = 0

    def seen(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    content = crowded(states, rows, 40).encode()
    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        (machine,) = compile_definition(content, "crowded.yaml").lifecycle.machines
        draw(sketch(machine))
    finally:
        sys.setprofile(before)
    return count


def test_work_grows_with_the_size() -> None:
    """Twice the states and rows are about twice the work; four times it would be if quadratic."""
    calls(20, 60)  # what is built at first use
    assert calls(200, 600) / calls(100, 300) < 2.6
