"""Drawings of every kind can be read with whatever letters a machine has: boxes are compared."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from milepost.drawings.svg import render_svg
from tests.drawings.boxes import faults, measured
from tests.drawings.drawn import ALL, drawn
from tests.drawings.fonts import SETS

ALL_FONTS = pytest.mark.parametrize("fonts", SETS)
FITTED = re.compile(r' textLength="[^"]*" lengthAdjust="[^"]*"')


def found(drawing: str, fonts: str) -> list[str]:
    """What is wrong with a drawing on a machine that has these fonts alone."""
    picture = measured(drawing, SETS[fonts])
    assert len(picture.texts) > 3
    assert len(picture.lines) == len(picture.heads) > 0
    return faults(picture)


@ALL_FONTS
@pytest.mark.parametrize("name", ALL)
def test_every_kind_of_drawing_can_be_read(name: str, fonts: str) -> None:
    """Nothing leaves its box, lies on another thing or ends where another arrow does."""
    assert found(drawn(name), fonts) == []


@pytest.mark.parametrize("name", ALL)
def test_without_regard_to_widths(name: str) -> None:
    """Some programs draw texts as wide as their letters are: there is room for wide ones."""
    drawing, fitted = FITTED.subn("", drawn(name))
    assert fitted > 5
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


def test_signs_and_lines_are_explained() -> None:
    """Below each drawing, or in a legend beside it."""
    item = drawn("mapreduce.item")
    assert ">double frame: final</text>" in item
    assert ">an event with a role</text>" in item.replace("\N{BULLET} ", "")
    assert ">- removed (dashed)</text>" in drawn("versions 1 and 3")
    assert "thick frame: now" in drawn("a job that went on")


def test_the_renderer_of_this_test_is_here() -> None:
    """It comes with the other tools for tests."""
    beside = Path(sys.executable).parent / "resvg"
    assert beside.is_file() or shutil.which("resvg")
