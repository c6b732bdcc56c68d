"""Where a renderer puts the texts, frames and arrows of a drawing, and what is wrong with that."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from tests.drawings.fonts import FontSet

__all__ = ["Box", "Picture", "faults", "measured"]

SVG: Final = "{http://www.w3.org/2000/svg}"
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_SLACK: Final = 1.0  # what a box may stick out, in points: the bearing of a letter
_APART: Final = 9.0  # two ends that are nearer look like one; a head is 7.5 long
_STEPS: Final = 24  # points on each part of a curve

Point = tuple[float, float]


class Box(NamedTuple):
    """A rectangle by two corners."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: Box) -> bool:
        """True if `other` sticks out nowhere, but for the slack."""
        return (
            self.left - _SLACK <= other.left
            and self.top - _SLACK <= other.top
            and other.right <= self.right + _SLACK
            and other.bottom <= self.bottom + _SLACK
        )

    def meets(self, other: Box) -> bool:
        """True if both have more in common than the slack."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > _SLACK and down > _SLACK

    def has(self, point: Point) -> bool:
        """True for a point inside, but for the slack."""
        across, down = point
        return (
            self.left + _SLACK < across < self.right - _SLACK
            and self.top + _SLACK < down < self.bottom - _SLACK
        )


class Text(NamedTuple):
    """A text with the id of what it belongs to."""

    said: str
    owner: str
    kind: str
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawing as it is rendered: everything in the coordinates of its view box."""

    view: Box
    texts: tuple[Text, ...]
    frames: dict[str, Box]  # of states, sheets and groups, by id
    groups: frozenset[str]
    lines: dict[str, tuple[Point, ...]]
    heads: dict[str, tuple[Point, ...]]


def measured(svg: str, fonts: FontSet) -> Picture:
    """The drawing as `resvg` lays out its texts on a machine that has `fonts` alone.

    Texts of which the fonts have no character have no box, and are left out.
    """
    root = ET.fromstring(svg)  # our own drawing
    for style in root.findall(f"{SVG}style"):
        root.remove(style)  # colours alone
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    root.set("width", str(width))
    root.set("height", str(height))
    (graph,) = root.findall(f"{SVG}g")
    shift = re.search(r"translate\((\S+) (\S+)\)", graph.attrib["transform"])
    assert shift is not None
    across, down = float(shift[1]), float(shift[2])
    texts: list[tuple[str, str, str]] = []
    frames: dict[str, Box] = {}
    lines: dict[str, tuple[Point, ...]] = {}
    heads: dict[str, tuple[Point, ...]] = {}
    groups: set[str] = set()
    for owner in (graph, *graph.findall(f"{SVG}g")):
        kind = owner.get("class", "").split()[0] if owner.get("class") else "graph"
        name = owner.get("id", "")
        inner = _inside(owner) if owner is not graph else _inside_graph(owner)
        shapes: list[Point] = []
        for part in inner:
            if part.tag == f"{SVG}text":
                part.set("id", f"text-{len(texts)}")
                part.set("font-family", fonts.family)  # what such a machine takes for any name
                texts.append(("".join(part.itertext()), name, kind))
            elif kind == "edge" and part.tag == f"{SVG}path":
                lines[name] = tuple(_moved(_curve(part.attrib["d"]), across, down))
            elif kind == "edge" and part.tag == f"{SVG}polygon":
                heads[name] = tuple(_moved(_points(part.attrib["points"]), across, down))
            elif kind in ("node", "cluster") and part.get("stroke") != "none":
                shapes += _moved(_outline(part), across, down)
        if shapes:
            frames[name] = _around(shapes)
        if kind == "cluster" and shapes:
            groups.add(name)
    found = _queried(ET.tostring(root, encoding="unicode"), fonts.options)
    return Picture(
        view=Box(left, top, left + width, top + height),
        texts=tuple(
            Text(said, owner, kind, found[f"text-{place}"])
            for place, (said, owner, kind) in enumerate(texts)
            if f"text-{place}" in found
        ),
        frames=frames,
        groups=frozenset(groups),
        lines=lines,
        heads=heads,
    )


def faults(picture: Picture) -> list[str]:
    """What is hard to read, one sentence each."""
    return [*_out(picture), *_on_each_other(picture), *_on_lines(picture), *_as_one(picture)]


def _out(picture: Picture) -> Iterator[str]:
    for text in picture.texts:
        if not picture.view.holds(text.box):
            yield f"{text.said!r} of {text.owner} leaves the picture"
        elif text.owner in picture.frames and not picture.frames[text.owner].holds(text.box):
            yield f"{text.said!r} leaves the box of {text.owner}"


def _on_each_other(picture: Picture) -> Iterator[str]:
    for one, other in combinations(picture.texts, 2):
        if one.box.meets(other.box):
            yield f"{one.said!r} of {one.owner} lies on {other.said!r} of {other.owner}"
    for text in picture.texts:
        for name, frame in picture.frames.items():
            if name in picture.groups or name == text.owner:
                continue
            if frame.meets(text.box):
                yield f"{text.said!r} of {text.owner} lies on {name}"


def _on_lines(picture: Picture) -> Iterator[str]:
    for text in picture.texts:
        for name in picture.lines:
            if any(map(text.box.has, (*picture.lines[name], *_filled(picture.heads[name])))):
                yield f"the arrow {name} lies on {text.said!r} of {text.owner}"
        for name in picture.groups:
            frame = picture.frames[name]
            if frame.meets(text.box) and not frame.holds(text.box):
                yield f"the frame of {name} lies on {text.said!r} of {text.owner}"


def _as_one(picture: Picture) -> Iterator[str]:
    for one, other in combinations(picture.lines, 2):
        tips = picture.heads[one][1], picture.heads[other][1]
        ends = (
            (tips[0], tips[1]),
            (tips[0], picture.lines[other][0]),
            (tips[1], picture.lines[one][0]),
        )
        if any(math.dist(*pair) < _APART for pair in ends):
            yield f"the arrows {one} and {other} meet in one point"


def _queried(svg: str, options: Sequence[str]) -> dict[str, Box]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drawing.svg"
        file.write_text(svg, encoding="utf-8")
        done = subprocess.run(
            [_program(), "--query-all", *options, str(file)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    found: dict[str, Box] = {}
    for line in done.stdout.splitlines():
        name, *numbers = line.rsplit(",", 4)
        across, down, width, height = map(float, numbers)
        # a line's box is higher than its letters, by what is kept free between lines
        found[name] = Box(across, down + 0.15 * height, across + width, down + 0.9 * height)
    return found


def _program() -> str:
    """The renderer, beside the running Python or on the path."""
    beside = Path(sys.executable).parent / "resvg"
    return str(beside) if beside.is_file() else "resvg"


def _inside(owner: ET.Element) -> Iterator[ET.Element]:
    return (part for part in owner.iter() if part.tag != f"{SVG}g" and "title" not in part.tag)


def _inside_graph(graph: ET.Element) -> Iterator[ET.Element]:
    """The texts of the graph itself."""
    owned = {id(part) for inner in graph.findall(f"{SVG}g[@class]") for part in inner.iter()}
    return (part for part in graph.iter(f"{SVG}text") if id(part) not in owned)


def _outline(part: ET.Element) -> list[Point]:
    if part.tag == f"{SVG}ellipse":
        x, y, rx, ry = (float(part.attrib[name]) for name in ("cx", "cy", "rx", "ry"))
        return [(x - rx, y - ry), (x + rx, y + ry)]
    return _points(part.get("d") or part.get("points") or "")


def _points(text: str) -> list[Point]:
    numbers = [float(number) for number in _NUMBER.findall(text)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _curve(path: str) -> Iterator[Point]:
    """Points on a row of cubic curves, close to each other."""
    points = _points(path)
    for place in range(0, len(points) - 3, 3):
        first, second, third, last = points[place : place + 4]
        for step in range(_STEPS + 1):
            at = step / _STEPS
            weights = ((1 - at) ** 3, 3 * (1 - at) ** 2 * at, 3 * (1 - at) * at**2, at**3)
            four = (first, second, third, last)
            yield (
                sum(weight * point[0] for weight, point in zip(weights, four, strict=True)),
                sum(weight * point[1] for weight, point in zip(weights, four, strict=True)),
            )


def _filled(corners: Sequence[Point]) -> list[Point]:
    """Points in a triangle: its corners, and the middle of each side and of the whole."""
    middle = [
        ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
        for one, other in combinations(corners[:3], 2)
    ]
    centre = (
        sum(point[0] for point in corners[:3]) / 3,
        sum(point[1] for point in corners[:3]) / 3,
    )
    return [*corners, *middle, centre]


def _moved(points: Iterator[Point] | list[Point], across: float, down: float) -> list[Point]:
    return [(point[0] + across, point[1] + down) for point in points]


def _around(points: Sequence[Point]) -> Box:
    return Box(
        min(point[0] for point in points),
        min(point[1] for point in points),
        max(point[0] for point in points),
        max(point[1] for point in points),
    )
