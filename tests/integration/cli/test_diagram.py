"""`milepost diagram`: a job's own path on the drawing of its lifecycle."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from milepost import StateManager
from milepost.drawings.dot import dot
from milepost.drawings.draw import draw
from milepost.drawings.sketch import sketch
from milepost.drawings.svg import render_svg
from milepost.inspect.path import path
from milepost.lifecycles import mapreduce_v1
from milepost.lifecycles.mapreduce import LIFECYCLE
from tests.integration.cli.conftest import CommandLine

SVG = "{http://www.w3.org/2000/svg}"
TIMES = "\N{MULTIPLICATION SIGN}"


def parsed(svg: str) -> ET.Element:
    """A drawing as a tree; it must be well formed."""
    return ET.fromstring(svg)


def texts(svg: str) -> list[str]:
    """The texts of a drawing, line by line."""
    return ["".join(text.itertext()).strip() for text in parsed(svg).iter(f"{SVG}text")]


def counted(svg: str) -> list[str]:
    """The labels that say how often something was done."""
    return [text for text in texts(svg) if re.search(rf"{TIMES}\d", text)]


def classes(svg: str) -> dict[str, set[str]]:
    """The classes of each group of a drawing, by id."""
    root = parsed(svg)
    return {g.get("id", ""): set(g.get("class", "").split()) for g in root.iter(f"{SVG}g")}


def test_the_job_s_path(milepost: CommandLine) -> None:
    """What the job went through is marked, and nothing else; counts stand beside the arrows."""
    svg = milepost("diagram", "nightly").stdout
    found = classes(svg)
    assert found["state-map"] >= {"visited", "current"}
    assert "current" not in found["state-setup"]
    marked = {name for name, given in found.items() if "visited" in given}
    assert marked == {
        "state-setup",
        "state-map",
        "state-paused",
        "edge-setup-map",
        "edge-active-paused",
        "edge-paused-active",
    }
    root = parsed(svg)
    assert root.findtext(f"{SVG}title") == "job nightly at seq 9: map"
    assert "map.pause: 1" in (root.findtext(f"{SVG}desc") or "")
    assert counted(svg) == [f"start_map • {TIMES}1", f"pause • {TIMES}1", f"resume • {TIMES}1"]
    assert "job nightly at seq 9: map" in texts(svg)


def test_the_items_path(milepost: CommandLine) -> None:
    """The items' machine shows how many items are where."""
    svg = milepost("diagram", "nightly", "--machine", "item").stdout
    found = classes(svg)
    assert "current" in found["state-dead"]
    assert "visited" not in found["state-skipped"]
    assert [text for text in texts(svg) if re.fullmatch(r"● \d+", text)] == ["● 2"] * 3 + [
        "● 1"
    ] * 2


@pytest.mark.parametrize("machine", list(LIFECYCLE.machines))
def test_every_transition_has_a_place_on_the_drawing(machine: str) -> None:
    """Each row's classes are on its state, or on an arrow: else a path could have holes."""
    drawing = draw(sketch(LIFECYCLE.machines[machine]))
    given = classes(render_svg(dot(drawing, LIFECYCLE.name)))
    for row in LIFECYCLE.machines[machine].transitions:
        name = f"t-{row.source}-{row.event}"
        assert any(name in of_element for of_element in given.values()), row.id


def test_mermaid(milepost: CommandLine) -> None:
    """With classes for states and counts for arrows."""
    text = milepost("diagram", "nightly", "--mermaid").stdout
    assert text.startswith("%% job nightly at seq 9: map\n")
    assert "@generated" not in text
    assert f"    setup --> map: start_map • {TIMES}1\n" in text
    assert f"    active --> paused: pause • {TIMES}1\n" in text
    assert text.endswith(
        "    class setup visited\n    class map current\n    class paused visited\n"
    )


def test_out_writes_a_file(milepost: CommandLine, tmp_path: Path) -> None:
    """Then stdout stays empty."""
    out = tmp_path / "nightly.svg"
    told = milepost("diagram", "nightly", "--out", str(out))
    assert (told.stdout, told.stderr) == ("", f"milepost: wrote {out}\n")
    assert "current" in classes(out.read_text())["state-map"]
    milepost("diagram", "nightly", "--out", str(tmp_path / "no" / "where.svg"), exit_code=2)


def test_the_path_as_data(milepost: CommandLine) -> None:
    """What is drawn can be had as JSON."""
    answer = milepost.json("diagram", "nightly")
    assert answer["visited"] == ["setup", "map", "paused"]
    assert answer["current"] == {"map": 1}
    assert answer["transitions"] == {"map.pause": 1, "paused.resume.2": 1, "setup.start_map": 1}


def test_the_path_ends_where_its_state_stands(
    milepost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written between the look at the state and that at the log is in neither."""
    with StateManager.open(milepost.store, read_only=True) as manager:
        assert path(manager, "nightly").transitions
        created = manager.state_at("nightly", 1)
        monkeypatch.setattr(manager, "get_state", lambda _: created)
        assert path(manager, "nightly").transitions == {}


def test_what_an_earlier_version_alone_had_is_said(milepost: CommandLine, tmp_path: Path) -> None:
    """A transition that this version has no more has no arrow, and is not left out in silence."""
    store = tmp_path / "old.db"
    with StateManager.open(store, lifecycle=mapreduce_v1.LIFECYCLE) as manager:
        manager.create_job([1], job_id="old")
        manager.fire("old", "start_map")
        manager.fire("old", "recover")
    answer = milepost.json("diagram", "old", "--db", str(store))
    assert answer["transitions"] == {"setup.start_map": 1}
    assert answer["earlier"] == {"map.recover": 1}
    said = f"of earlier versions, not drawn: map.recover {TIMES}1"
    assert said in texts(milepost("diagram", "old", "--db", str(store)).stdout)
    assert f"%% {said}\n" in milepost("diagram", "old", "--mermaid", "--db", str(store)).stdout
    assert "earlier" not in milepost.json("diagram", "nightly")


def test_without_the_renderer(milepost: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install; the Mermaid text needs nothing."""
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    told = milepost("diagram", "nightly", exit_code=2)
    assert "graphviz-pure is not installed; say: pip install graphviz-pure==" in told.stderr
    assert milepost("diagram", "nightly", "--mermaid").stdout.startswith("%% job nightly")


def test_a_renderer_that_gives_nothing(
    milepost: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its own words are passed on."""
    program = tmp_path / "graphviz-pure"
    program.write_text("#!/bin/sh\necho no such engine >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    told = milepost("diagram", "nightly", exit_code=2)
    assert "graphviz-pure gave no drawing: no such engine" in told.stderr
