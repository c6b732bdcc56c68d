"""`milepost diagram`: a job's own path on the committed drawings."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from milepost.inspect.drawings import DrawingAbsent, drawing
from milepost.lifecycles.mapreduce import LIFECYCLE
from tests.integration.cli.conftest import CommandLine

SVG = "{http://www.w3.org/2000/svg}"
TIMES = "\N{MULTIPLICATION SIGN}"


def parsed(svg: str) -> ET.Element:
    """A drawing as a tree; it must be well formed."""
    return ET.fromstring(svg)


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
    assert [span.text for span in root.iter(f"{SVG}tspan")] == [f" {TIMES}1"] * 3


def test_the_items_path(milepost: CommandLine) -> None:
    """The items' machine shows how many items are where."""
    svg = milepost("diagram", "nightly", "--machine", "item").stdout
    found = classes(svg)
    assert "current" in found["state-dead"]
    assert "visited" not in found["state-skipped"]
    badges = [t.text for t in parsed(svg).iter(f"{SVG}text") if t.get("class") == "now"]
    assert badges == ["● 2", "● 2", "● 2", "● 1", "● 1"]


@pytest.mark.parametrize("machine", list(LIFECYCLE.machines))
def test_every_transition_has_a_place_on_the_drawing(machine: str) -> None:
    """Each row's classes are on its state, or on an arrow: else a path could have holes."""
    given = classes(drawing(LIFECYCLE.name, machine, "svg"))
    for row in LIFECYCLE.machines[machine].transitions:
        name = f"t-{row.source}-{row.event}"
        assert any(name in of_element for of_element in given.values()), row.id


def test_mermaid(milepost: CommandLine) -> None:
    """The committed text, with classes for states and counts for arrows."""
    text = milepost("diagram", "nightly", "--mermaid").stdout
    assert text.startswith("%% job nightly at seq 9: map\n")
    assert "@generated" not in text
    assert f"    setup --> map: start_map {TIMES}1\n" in text
    assert f"    active --> paused: pause {TIMES}1\n" in text
    assert text.endswith(
        "    class setup visited\n    class paused visited\n    class map current\n"
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


def test_a_drawing_that_is_missing() -> None:
    """The error says where it was looked for and what makes it."""
    with pytest.raises(DrawingAbsent, match=r"no drawing mapreduce\.ghost\.svg .*milepost compile"):
        drawing("mapreduce", "ghost", "svg")
