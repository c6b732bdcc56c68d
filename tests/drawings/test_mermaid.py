"""Every Mermaid text says to Mermaid's own parser what it says to us, whatever its names are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import StateManager
from milepost.drawings.course import NOWHERE
from milepost.drawings.draw import draw
from milepost.drawings.mermaid import as_ascii, mermaid
from milepost.drawings.model import Cluster, Drawing, Label
from milepost.drawings.sketch import Sketch, row, sketch
from milepost.inspect import diagram
from milepost.inspect.path import path
from milepost.lifecycles.mapreduce import LIFECYCLE
from milepost.machine import State
from milepost.roles import NO_ROLES
from milepost.testing import FakeClock
from milepost_codegen.compiler import compile_definition
from milepost_codegen.drawings.sketch import sketch as of_definition
from tests.drawings.parser import Parser, Read, opened

ROOT = Path(__file__).parents[2]
FOLDERS = ("diagrams", "examples/*/diagrams", "tests/golden")
FILES = [file for folder in FOLDERS for file in sorted(ROOT.glob(f"{folder}/*.mmd"))]
EXAMPLES = sorted((ROOT / "examples" / "lifecycles").glob("*.yaml"))
# Words of the grammar of state diagrams, of other diagrams, of what draws them and of JavaScript.
WORDS = re.findall(
    r"\w+",
    """
accdescr acctitle and anchor as bt call callback choice class classdef click constructor
default default_ description direction divider down empty end end_ end_note end_state false
flowchart fork graph hide history href init interpolate join left left_of link linkstyle lr
note note_ null of over prototype rb rect right rl root root_end root_end_ root_start scale
start state state_ statediagram statediagram_v2 states style subgraph tb this title tostring
true undefined up width wrap
    """,
)


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with opened() as one:
        yield one


def told(drawing: Drawing) -> Read:
    """What a diagram is to say of a drawing."""
    by_state = {box.state: box for box in drawing.boxes}
    arrows = [(one.source, one.target, texts(one.labels)) for one in drawing.arrows]
    arrows += [("", drawing.initial, ())]
    arrows += [(box.state, "", ()) for box in drawing.boxes if box.final]
    return Read(
        states={
            state: (
                *texts(box.internal),
                *(f"{', '.join(texts(one.labels))} -> {one.target}" for one in box.exits),
            )
            for state, box in by_state.items()
        },
        groups=dict(members(drawing.clusters)),
        arrows=tuple(sorted(arrows)),
    )


def texts(labels: tuple[Label, ...]) -> tuple[str, ...]:
    return tuple(NOWHERE.text(label) for label in labels)


def members(clusters: tuple[Cluster, ...]) -> Iterator[tuple[str, frozenset[str]]]:
    for cluster in clusters:
        yield cluster.group, frozenset((*cluster.states, *cluster.groups[1:]))
        yield from members(cluster.clusters)


def same(read: Read, drawing: Drawing) -> None:
    """Nothing is lost, joined, cut off or taken for another thing."""
    expected = told(drawing)
    assert read.problem == ""
    assert read.states == expected.states
    assert read.groups == expected.groups
    assert read.arrows == expected.arrows


def test_there_are_files() -> None:
    """Control for the next one."""
    assert len(FILES) >= 5


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_committed_files_are_read(parser: Parser, file: Path) -> None:
    """With their headers; as many arrows as there are lines of them."""
    text = file.read_text(encoding="utf-8")
    read = parser.read(text)
    assert read.problem == ""
    assert len(read.arrows) == text.count(" --> ")
    assert read.config == {}


@pytest.mark.parametrize("machine", LIFECYCLE.machines.values(), ids=LIFECYCLE.machines)
def test_the_built_in_lifecycle_is_read_as_it_is_drawn(parser: Parser, machine: object) -> None:
    """With the signs of its roles, which a note explains."""
    drawing = draw(sketch(machine))  # type: ignore[arg-type]
    for text in (mermaid(drawing), as_ascii(mermaid(drawing))):
        read = parser.read(text)
        same(read, drawing)
        assert "\N{BULLET} an event with a role" in read.notes


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_lifecycles_of_real_schedulers_are_read(parser: Parser, file: Path) -> None:
    """Every machine of each."""
    for machine in compile_definition(file.read_bytes(), file.name).lifecycle.machines:
        drawing = draw(of_definition(machine))
        same(parser.read(as_ascii(mermaid(drawing))), drawing)


def around(word: str) -> Iterator[Drawing]:
    """Machines in which a state is called so, or a group, or all that can be."""
    for state, group, event in ((word, "many", "go"), ("one", word, "go"), (word, "many", word)):
        yield draw(
            Sketch(
                name=word,
                doc="",
                initial=state,
                states=(
                    State(name=state),
                    State(name="other"),
                    State(name="finished", final=True),
                    State(name="stopped", final=True),
                ),
                groups={group: (state, "other")},
                collections=(),
                rows=(
                    row("1", (state, event, "other"), guard="", history="", sets=(), sends=()),
                    row("2", ("other", event, state), guard=word, history="", sets=(), sends=()),
                    row("3", (state, "halt", "finished"), guard="", history="", sets=(), sends=()),
                    row(
                        "4", ("other", "halt", "finished"), guard="", history="", sets=(), sends=()
                    ),
                    row("5", ("other", event, "finished"), guard="", history="", sets=(), sends=()),
                ),
                roles=NO_ROLES,
            )
        )


@pytest.mark.parametrize("word", WORDS)
def test_words_of_the_grammar_are_names(parser: Parser, word: str) -> None:
    """Of states, groups and events, at the beginning and at the end of arrows, in notes."""
    for drawing in around(word):
        same(parser.read(as_ascii(mermaid(drawing))), drawing)


names = st.sampled_from(WORDS) | st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
guards = st.just("") | st.sampled_from(
    [
        "otherwise",
        "few and not many",
        "1 <= event.more and event.more < 1000000000",
        "cause == end or cause == note",
        "history.state == root_end",
        "a - b > -1",
        "not (a * b >= 2 or direction)",
        "style or class",
    ]
)


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    """Machines with groups in groups, and any names; states, groups and events share none."""
    chosen = draw(st.lists(names, min_size=5, max_size=10, unique=True))
    outer, inner, *states = chosen
    events = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    ends = st.sampled_from(states)
    rows = draw(st.lists(st.tuples(ends, st.sampled_from(events), ends, guards), max_size=12))
    groups = {outer: tuple(states[:3])} | (
        {inner: tuple(states[:2])} if draw(st.booleans()) else {}
    )
    return Sketch(
        name="any",
        doc="",
        initial=states[0],
        states=tuple(
            State(name=name, final=name == states[-1] or draw(st.booleans())) for name in states
        ),
        groups=groups,
        collections=(),
        rows=tuple(
            row(str(number), (source, event, to), guard=guard, history="", sets=(), sends=())
            for number, (source, event, to, guard) in enumerate(rows)
        ),
        roles=NO_ROLES,
    )


@given(sketches())
@settings(max_examples=30, deadline=None)
def test_any_machine_is_read_as_it_is_drawn(parser: Parser, made: Sketch) -> None:
    """Groups, labels in lines, ends and arrows that are not drawn."""
    drawing = draw(made)
    same(parser.read(mermaid(drawing)), drawing)


@pytest.mark.parametrize("machine", ["job", "item"])
@pytest.mark.parametrize("name", ["end", "0--a.--b", "note_", "stateDiagram-v2"])
def test_a_job_s_diagram_is_read_whatever_its_id(parser: Parser, machine: str, name: str) -> None:
    """What is said of a job is a comment: it sets nothing and is no part of the diagram."""
    with StateManager.open("memory:", clock=FakeClock()) as manager:
        manager.create_job([1, 2], job_id=name)
        manager.fire(name, "start_map")
        lifecycle = manager.get_state(name).lifecycle
        read = parser.read(diagram.mermaid(path(manager, name, machine=machine), lifecycle))
    assert (read.problem, read.config) == ("", {})
    assert set(read.states) == set(lifecycle.machines[machine].states)
    now = [state for state, classes in read.classes.items() if "current" in classes]
    assert now == ["map" if machine == "job" else "pending"]


def test_what_is_wrong_is_found(parser: Parser) -> None:
    """Control: the grammar's words as ids, a sign that ends a label, and what a directive sets."""
    (drawing, *_) = around("root_end")
    text = mermaid(drawing)
    spoilt = text.replace("root_end_", "root_end")
    assert spoilt != text
    with pytest.raises(AssertionError):
        same(parser.read(spoilt), drawing)
    (drawing, *_) = around("plain")
    text = mermaid(drawing)
    for before, after in (("plain", "click"), (": go [", ": go ; ["), ("-->", "->")):
        assert before in text
        with pytest.raises(AssertionError):
            same(parser.read(text.replace(before, after)), drawing)
    theme = parser.read('%%{init: {"theme": "forest"}}%%\n' + text).config
    assert theme == {"theme": "forest"}
