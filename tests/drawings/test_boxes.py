"""Every committed drawing can be read with whatever letters a machine has: boxes are compared."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from milepost import StateManager
from milepost.drawings.svg import render_svg
from milepost.inspect.diagram import svg
from milepost.inspect.path import path
from milepost.testing import FakeClock
from tests.drawings.boxes import faults, measured
from tests.drawings.fonts import SETS

ROOT = Path(__file__).parents[2]
FOLDERS = ("diagrams", "examples/*/diagrams", "tests/golden")
DRAWINGS = [file for folder in FOLDERS for file in sorted(ROOT.glob(f"{folder}/*.svg"))]
ALL = pytest.mark.parametrize("fonts", SETS)
FITTED = re.compile(r' textLength="[^"]*" lengthAdjust="[^"]*"')


def found(drawing: str, fonts: str) -> list[str]:
    """What is wrong with a drawing on a machine that has these fonts alone."""
    picture = measured(drawing, SETS[fonts])
    assert len(picture.texts) > 3
    assert len(picture.lines) == len(picture.heads) > 0
    return faults(picture)


@ALL
@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.stem)
def test_committed_drawings_can_be_read(file: Path, fonts: str) -> None:
    """Nothing leaves its box, lies on another thing or ends where another arrow does."""
    assert found(file.read_text(encoding="utf-8"), fonts) == []


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.stem)
def test_without_regard_to_widths(file: Path) -> None:
    """Some programs draw texts as wide as their letters are: there is room for wide ones."""
    drawing, fitted = FITTED.subn("", file.read_text(encoding="utf-8"))
    assert fitted > 5
    assert found(drawing, "wide") == []


@pytest.mark.parametrize("machine", ["job", "item"])
def test_a_job_s_drawing_can_be_read(tmp_path: Path, machine: str) -> None:
    """With counts beside the events, and a caption."""
    with StateManager.open(tmp_path / "jobs.db", clock=FakeClock()) as manager:
        manager.create_job([1, 2], job_id="nightly")
        manager.fire("nightly", "start_map")
        manager.fire("nightly", "pause")
        manager.fire("nightly", "resume")
        lifecycle = manager.get_state("nightly").lifecycle
        drawing = svg(path(manager, "nightly", machine=machine), lifecycle)
    assert found(drawing, "wide") == []


BAD = """\
digraph { node [shape=box fontname=Helvetica fontsize=15] edge [fontname=Helvetica fontsize=13]
a [id="state-a" class=state label=first] b [id="state-b" class=state label=second]
a -> b [id="edge-one" class=transition label="one long label"]
a -> b [id="edge-two" class=transition label="two"] }
"""


def test_what_is_wrong_is_found() -> None:
    """Control: text that is too wide, cut off, on a line, on a text; heads in one place."""
    good = render_svg(BAD)
    assert found(good, "wide") == []
    wide = (re.sub(r'textLength="[\d.]*"', f'textLength="{width}"', good) for width in (70, 400))
    told = "\n".join(line for drawing in wide for line in found(drawing, "wide"))
    for part in ("leaves the picture", "leaves the box of", "lies on 'two'", "the arrow edge-two"):
        assert part in told
    heads = re.findall(r'<polygon fill="black"[^>]*/>', good)
    assert len(heads) == 2
    assert "meet in one point" in "\n".join(found(good.replace(heads[0], heads[1]), "wide"))


def test_dark_pages_and_a_legend() -> None:
    """Each drawing has colours for a dark page for all that it is drawn in, and says its signs."""
    for file in DRAWINGS:
        drawing = file.read_text(encoding="utf-8")
        assert "@media (prefers-color-scheme: dark)" in drawing
        inks = set(re.findall(r'<text [^>]*fill="(#\w+|white|black)"', drawing))
        dark = set(re.findall(r'\[fill="([^"]*)"\]', drawing))
        assert inks <= dark | READABLE, file
    item = (ROOT / "diagrams" / "mapreduce.item.svg").read_text(encoding="utf-8")
    assert ">double frame: final</text>" in item
    assert ">an event with a role</text>" in item.replace("• ", "")


READABLE = {"#3a86c8", "#009e73", "#d55e00", "#c98a00", "#e08600"}  # on white and on black


def test_the_renderer_of_this_test_is_here() -> None:
    """It comes with the other tools for tests."""
    beside = Path(sys.executable).parent / "resvg"
    assert beside.is_file() or shutil.which("resvg")
