"""A layout as the renderer reports it: how wide each text is taken, and what is hard to read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = ["NEAR", "Box", "End", "Joint", "Layout", "Text", "blank", "read"]

_BLANK: Final = 0.278  # the width of a blank, by the size of the letters
_BLANKS: Final = " \N{NO-BREAK SPACE}"
_UP: Final = 0.75  # the height of letters above their line, by their size
_DOWN: Final = 0.2
NEAR: Final = 10.0  # two ends of arrows that are nearer look like one
_STEPS: Final = 12  # points on each part of a curve
_UNSEEN: Final = "#fffffe00"
_AIR: Final = 1.5  # what is kept free around a text

_Point: TypeAlias = tuple[float, float]


class Text(NamedTuple):
    """A text by its line's left end, with the width that the layout keeps for it."""

    said: str
    size: float
    left: float
    line: float
    width: float


class Box(NamedTuple):
    """A rectangle."""

    left: float
    low: float
    right: float
    high: float

    def distance(self, point: _Point) -> float:
        """How far a point is from the border, if it is outside."""
        across = max(self.left - point[0], 0, point[0] - self.right)
        up = max(self.low - point[1], 0, point[1] - self.high)
        return math.hypot(across, up)

    def meets(self, other: Box) -> bool:
        """True if both have a point in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.low < other.high
            and other.low < self.high
        )

    def holds(self, other: Box) -> bool:
        """True if `other` sticks out nowhere."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.low <= other.low
            and other.high <= self.high
        )

    def has(self, point: _Point) -> bool:
        """True for a point inside."""
        return self.left < point[0] < self.right and self.low < point[1] < self.high


class _Line(NamedTuple):
    """An arrow: points on it, from its beginning to where its head is, and the tip of that."""

    name: str
    points: tuple[_Point, ...]
    head: tuple[_Point, ...]

    @property
    def ends(self) -> tuple[End, End]:
        return (
            End(self.name, "head", self.head[1] if self.head else self.points[-1], self._near(-1)),
            End(self.name, "tail", self.points[0], self._near(0)),
        )

    def _near(self, end: int) -> _Point:
        """The middle of the last piece at an end: what comes from below there is the lower one."""
        return self.points[end + (_STEPS // 2 if end == 0 else -_STEPS // 2)]


class End(NamedTuple):
    """An end of an arrow, `head` or `tail`: where it is, and where its line is shortly before."""

    name: str
    end: str
    at: _Point
    before: _Point


class Joint(NamedTuple):
    """Two ends, a head among them, that are so near that they look like one."""

    one: End
    other: End


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Texts, and what they are not to lie on; lengths are in points, upwards."""

    texts: tuple[Text, ...]
    labels: tuple[tuple[str, Text], ...]  # of arrows, with their ids
    boxes: tuple[Box, ...]  # states and sheets
    frames: tuple[Box, ...]  # groups
    lines: tuple[_Line, ...]

    @property
    def faults(self) -> tuple[tuple[str, ...], ...]:
        """The arrows, by id, of labels that lie on something, each once.

        Cost: O((labels + arrows) x arrows).
        """
        return tuple(dict.fromkeys((*self._labels_on_labels(), *self._labels_on_others())))

    def _labels_on_labels(self) -> Iterator[tuple[str, ...]]:
        for (one, text), (other, other_text) in combinations(self.labels, 2):
            if _around(text).meets(_around(other_text)):
                yield one, other

    def _labels_on_others(self) -> Iterator[tuple[str, ...]]:
        for name, text in self.labels:
            label = _around(text)
            yield from ((name,) for box in self.boxes if label.meets(box))
            for frame in self.frames:
                if frame.meets(label) and not frame.holds(label):
                    yield (name,)
            for line in self.lines:
                if any(map(label.has, (*line.points, *line.head))):
                    yield line.name, name

    @property
    def joints(self) -> tuple[Joint, ...]:
        """The ends of arrows that look like one."""
        return tuple(
            Joint(one, other)
            for line, another in combinations(self.lines, 2)
            for one, other in product(line.ends, another.ends)
            if "head" in (one.end, other.end) and math.dist(one.at, other.at) < NEAR
        )


def read(report: Mapping[str, Any]) -> Layout:
    """The layout of a report of the renderer, in its form `json`."""
    things = report.get("objects", ())
    arrows = report.get("edges", ())
    labels = tuple((arrow.get("id", ""), text) for arrow in arrows for text in _texts(arrow))
    others = (text for thing in (report, *things) for text in _texts(thing))
    groups = [thing for thing in things if "nodes" in thing]
    boxes = [thing for thing in things if "nodes" not in thing]
    return Layout(
        texts=(*others, *(text for _, text in labels)),
        labels=labels,
        boxes=tuple(_outline(thing) for thing in boxes),
        frames=tuple(_outline(thing) for thing in groups if _is_drawn(thing)),
        lines=tuple(_line(arrow) for arrow in arrows),
    )


def blank(text: Text) -> tuple[float, float]:
    """The widths of the blanks before and after what a text says."""
    before = len(text.said) - len(text.said.lstrip(_BLANKS))
    after = len(text.said) - len(text.said.rstrip(_BLANKS))
    return before * _BLANK * text.size, after * _BLANK * text.size


def _texts(part: Mapping[str, Any]) -> Iterator[Text]:
    size = 0.0
    for one in (*part.get("_draw_", ()), *part.get("_ldraw_", ())):
        if one["op"] == "F":
            size = one["size"]
        elif one["op"] == "T":
            across, line = one["pt"]
            shift = {"l": 0.0, "c": 0.5, "r": 1.0}[one["align"]] * one["width"]
            yield Text(one["text"], size, across - shift, line, one["width"])


def _around(text: Text) -> Box:
    before, after = blank(text)
    return Box(
        text.left + before - _AIR,
        text.line - _DOWN * text.size,
        text.left + text.width - after + _AIR,
        text.line + _UP * text.size,
    )


def _is_drawn(thing: Mapping[str, Any]) -> bool:
    """False for a frame that the renderer draws without colour."""
    return any(one["op"] == "c" and one["color"] != _UNSEEN for one in thing.get("_draw_", ()))


def _outline(thing: Mapping[str, Any]) -> Box:
    points: list[_Point] = []
    for one in thing.get("_draw_", ()):
        if one["op"] in ("e", "E"):
            x, y, width, height = one["rect"]
            points += [(x - width, y - height), (x + width, y + height)]
        points += ((x, y) for x, y in one.get("points", ()))
    across, up = zip(*points, strict=True) if points else ((0.0,), (0.0,))
    return Box(min(across), min(up), max(across), max(up))


def _line(arrow: Mapping[str, Any]) -> _Line:
    curves = [one["points"] for one in arrow["_draw_"] if one["op"] == "b"]
    heads = [one["points"] for one in arrow.get("_hdraw_", ()) if one["op"] == "P"]
    return _Line(
        name=arrow.get("id", ""),
        points=tuple(point for curve in curves for point in _on(curve)),
        head=tuple((x, y) for head in heads for x, y in head),
    )


def _on(curve: Sequence[Sequence[float]]) -> Iterable[_Point]:
    for place in range(0, len(curve) - 3, 3):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = curve[place : place + 4]
        for step in range(_STEPS + 1):
            at = step / _STEPS
            a, b, c, d = (1 - at) ** 3, 3 * (1 - at) ** 2 * at, 3 * (1 - at) * at**2, at**3
            yield a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3
