"""Ends of arrows that meet in one point, moved apart along the side of the box that they are at."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from milepost.drawings.layout import NEAR, Box, Joint, Layout

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
    """What each end is moved by, to the right and up: half of what lacks, away from the other."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for joint in layout.joints:
        box = min(layout.boxes, key=lambda one: one.distance(joint.one.at))
        upright = _upright(box, joint)
        one, other = joint.one, joint.other
        axis = 1 if upright else 0
        low, high = sorted((one, other), key=lambda end: end.before[axis])
        lacking = (NEAR + 1 - (high.at[axis] - low.at[axis])) / 2
        start, stop = (box.low, box.high) if upright else (box.left, box.right)
        for end, by in ((low, -lacking), (high, lacking)):
            place = min(max(end.at[axis] + by, start + _ROUND), stop - _ROUND) - end.at[axis]
            across, up = found.get((end.name, end.end), (0.0, 0.0))
            found[end.name, end.end] = (across, up + place) if upright else (across + place, up)
    return found


def _upright(box: Box, joint: Joint) -> bool:
    """True if the ends are at the left or right side."""
    across, up = joint.one.at
    sides = min(abs(across - box.left), abs(across - box.right))
    return sides < min(abs(up - box.low), abs(up - box.high))


def _points(text: str) -> list[tuple[float, float]]:
    numbers = [float(number) for number in _NUMBER.findall(text)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _by(point: tuple[float, float], shift: tuple[float, float]) -> tuple[float, float]:
    """A point of the drawing, in which lengths go downwards, moved to the right and up."""
    return point[0] + shift[0], point[1] - shift[1]


def _written(point: tuple[float, float]) -> str:
    return f"{point[0]:.2f},{point[1]:.2f}"
