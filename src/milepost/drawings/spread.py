"""Ends of arrows that meet in one point, moved apart along the side of the box that they are at."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from milepost.drawings.layout import NEAR, Box, End, Layout

__all__ = ["spread"]

_Shifts: TypeAlias = Mapping[tuple[str, str], tuple[float, float]]

_ARROW: Final = re.compile(
    r'(<g id="([^"]+)" class="edge.*?<path [^>]*?\bd=")([^"]*)'
    r'("/>\n<polygon [^>]*?points=")([^"]*)',
    re.DOTALL,
)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_ROUND: Final = 8.0  # the corners of a box, where no arrow ends


def spread(svg: str, layout: Layout) -> str:
    """`svg` with the ends of arrows apart that `layout` has in one place."""
    shifts = _shifts(layout)
    if not shifts:
        return svg

    def moved(found: re.Match[str]) -> str:
        before, name, path, between, head = found.groups()
        tail_by = shifts.get((html.unescape(name), "tail"), (0.0, 0.0))
        head_by = shifts.get((html.unescape(name), "head"), (0.0, 0.0))
        points = _points(path)
        points[:2] = [_by(point, tail_by) for point in points[:2]]
        points[-2:] = [_by(point, head_by) for point in points[-2:]]
        first, *rest = map(_written, points)
        corners = " ".join(_written(_by(point, head_by)) for point in _points(head))
        return f"{before}M{first}C{' '.join(rest)}{between}{corners}"

    return _ARROW.sub(moved, svg)


def _shifts(layout: Layout) -> _Shifts:
    """What each end is moved by, to the right and up, on sides where ends look like one.

    All ends on such a side keep their order, and go no further than they must.
    """
    crowded = {
        _side(layout, end)[:2] for joint in layout.joints for end in (joint.one, joint.other)
    }
    sides: dict[tuple[Box, str], list[End]] = {}
    for line in layout.lines:
        for end in line.ends:
            box, side, distance = _side(layout, end)
            if (box, side) in crowded and distance < NEAR:
                sides.setdefault((box, side), []).append(end)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for (box, side), ends in sides.items():
        axis = 1 if side in "we" else 0
        first, last = (box.low, box.high) if axis else (box.left, box.right)
        ends.sort(key=lambda end: (end.before[axis], end.name))
        places = _apart([end.at[axis] for end in ends], first + _ROUND, last - _ROUND)
        for end, place in zip(ends, places, strict=True):
            by = place - end.at[axis]
            found[end.name, end.end] = (0.0, by) if axis else (by, 0.0)
    return found


def _side(layout: Layout, end: End) -> tuple[Box, str, float]:
    """The box that an end is at, which of its sides, and how far it is from that."""
    box = min(layout.boxes, key=lambda one: one.distance(end.at))
    across, up = end.at
    away = {
        "w": abs(across - box.left),
        "e": abs(across - box.right),
        "s": abs(up - box.low),
        "n": abs(up - box.high),
    }
    side = min(away, key=lambda name: away[name])
    return box, side, max(away[side], box.distance(end.at))


def _apart(places: Sequence[float], first: float, last: float) -> list[float]:
    """Places in that order, between two ends and far enough from each other, if there is room."""
    gap = NEAR + 1
    if len(places) > 1:
        gap = min(gap, (last - first) / (len(places) - 1))
    found: list[float] = []
    for number, place in enumerate(places):
        least = found[-1] + gap if found else first
        most = last - gap * (len(places) - 1 - number)
        found.append(min(max(place, least), most))
    return found


def _points(text: str) -> list[tuple[float, float]]:
    numbers = [float(number) for number in _NUMBER.findall(text)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _by(point: tuple[float, float], shift: tuple[float, float]) -> tuple[float, float]:
    """A point of the drawing, in which lengths go downwards, moved to the right and up."""
    return point[0] + shift[0], point[1] - shift[1]


def _written(point: tuple[float, float]) -> str:
    return f"{point[0]:.2f},{point[1]:.2f}"
