"""The contrast of each text of a drawing to what it lies on, on light pages and on dark ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from tests.drawings.boxes import SVG, Box, Point

__all__ = ["LEAST", "Said", "colours", "dark_rules", "texts"]

LEAST: Final = 4.5
"""What WCAG 2 asks of texts of this size."""

_RULE: Final = re.compile(r'\[(fill|stroke)="([^"]+)"\] \{ \1: (#[0-9a-f]{6}); \}')
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_NAMED: Final = {"white": "#ffffff", "black": "#000000"}
_NONE: Final = {"none", "transparent"}


class Said(NamedTuple):
    """A text with its colour, that of what it lies on, and the contrast of both."""

    text: str
    ink: str
    ground: str
    contrast: float


def dark_rules(svg: str) -> dict[tuple[str, str], str]:
    """What a drawing says of dark pages: an attribute and its value, and the colour then."""
    style = "".join(part.text or "" for part in ET.fromstring(svg).iter(f"{SVG}style"))
    media, brace, rules = style.partition("{")
    assert media.strip() == "@media (prefers-color-scheme: dark)"
    assert brace
    return {(name, value): colour for name, value, colour in _RULE.findall(rules)}


def colours(svg: str) -> set[tuple[str, str]]:
    """The fills and strokes of a drawing, as they are written; a text without one is black."""
    found: set[tuple[str, str]] = set()
    for part in ET.fromstring(svg).iter():
        found |= {(name, part.attrib[name]) for name in ("fill", "stroke") if name in part.attrib}
        if part.tag == f"{SVG}text":
            found.add(("fill", part.get("fill", "black")))
    return {(name, value) for name, value in found if value not in _NONE}


def texts(svg: str, *, dark: bool) -> Iterator[Said]:
    """The texts of a drawing, each with the last thing painted before it where its middle is."""
    rules = dark_rules(svg) if dark else {}

    def shown(part: ET.Element, otherwise: str) -> str:
        value = part.get("fill", otherwise)
        return rules.get(("fill", value), _NAMED.get(value, value))

    painted: list[tuple[Box, str]] = []
    for part in ET.fromstring(svg).iter():
        assert not {"opacity", "style", "fill-opacity"} & part.attrib.keys()
        if part.tag in (f"{SVG}polygon", f"{SVG}path", f"{SVG}ellipse"):
            if part.get("fill", "black") not in _NONE:
                painted.append((_outline(part), shown(part, "black")))
        elif part.tag == f"{SVG}text":
            ink, middle = shown(part, "black"), _middle(part)
            ground = next(colour for box, colour in reversed(painted) if box.has(middle))
            yield Said("".join(part.itertext()), ink, ground, _contrast(ink, ground))


def _middle(text: ET.Element) -> Point:
    across, line, size = (float(text.attrib[name]) for name in ("x", "y", "font-size"))
    return across + float(text.get("textLength", size)) / 2, line - size / 3


def _outline(part: ET.Element) -> Box:
    if part.tag == f"{SVG}ellipse":
        x, y, rx, ry = (float(part.attrib[name]) for name in ("cx", "cy", "rx", "ry"))
        return Box(x - rx, y - ry, x + rx, y + ry)
    numbers = [float(one) for one in _NUMBER.findall(part.get("points") or part.get("d") or "")]
    return Box(min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))


def _contrast(one: str, other: str) -> float:
    """By WCAG 2: 1 for the same colour, 21 for black and white."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
