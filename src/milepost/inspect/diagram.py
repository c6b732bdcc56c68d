"""A job's own path on the drawing of its lifecycle, and the states where it or its items are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from milepost.drawings import mermaid as texts
from milepost.drawings.course import Course
from milepost.drawings.draw import draw
from milepost.drawings.looks import CURRENT
from milepost.drawings.model import Drawing
from milepost.drawings.sketch import sketch
from milepost.extras import needing
from milepost.inspect.path import PathView
from milepost.machine import Lifecycle
from milepost.text.escapes import printable

__all__ = ["as_mermaid", "as_xml", "mermaid", "svg"]

_SVG: Final = "http://www.w3.org/2000/svg"
_TIMES: Final = "\N{MULTIPLICATION SIGN}"

_KEY: Final = (
    f"{CURRENT.glyph} thick frame: now · {_TIMES}N: taken N times",
    "green: been there · pale: never",
)

# So that what is written has the prefixes of what was read.
ET.register_namespace("", _SVG)
ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def as_xml(char: str) -> str:
    """The escape of XML for a character."""
    return f"&#{ord(char)};"


def as_mermaid(char: str) -> str:
    """The escape of Mermaid for a character of a label."""
    return texts.escape(char)


def svg(path: PathView, lifecycle: Lifecycle) -> str:
    """The drawing of a machine of `lifecycle` with `path` shown on it.

    States and arrows that were gone through have the class `visited`, and the states where the job
    or its items are now `current`. Raises ExtraAbsent without the
    package that writes DOT, RendererMissing or RendererFailed.
    """
    with needing("compile", "a drawing as SVG"):
        from milepost.drawings.dot import dot  # noqa: PLC0415  # with the library that writes DOT
    from milepost.drawings.svg import render_svg  # noqa: PLC0415

    title, *details = _description(path, lifecycle)
    course = _course(path, lifecycle, (title, *_KEY, *_earlier(path)))
    drawn = render_svg(dot(_drawing(path, lifecycle), lifecycle.name, course))
    root = ET.fromstring(drawn)  # noqa: S314 it is our own
    root.set("role", "img")
    for position, (name, text) in enumerate((("title", title), ("desc", "\n".join(details)))):
        element = ET.Element(f"{{{_SVG}}}{name}")
        element.text = text
        root.insert(position, element)
    return ET.tostring(root, encoding="unicode") + "\n"


def mermaid(path: PathView, lifecycle: Lifecycle) -> str:
    """The Mermaid text of a machine of `lifecycle` with `path` shown in it."""
    course = _course(path, lifecycle, tuple(_description(path, lifecycle)))
    return texts.mermaid(_drawing(path, lifecycle), course)


def _drawing(path: PathView, lifecycle: Lifecycle) -> Drawing:
    return draw(sketch(lifecycle.machines[path.machine]))


def _course(path: PathView, lifecycle: Lifecycle, caption: tuple[str, ...]) -> Course:
    own = path.machine == lifecycle.root
    current = {
        state: f"{CURRENT.glyph} {'now' if own else count}" for state, count in path.current.items()
    }
    return Course(times=path.transitions, visited=path.visited, current=current, caption=caption)


def _description(path: PathView, lifecycle: Lifecycle) -> Iterator[str]:
    """The content of the drawing in words."""
    own = path.machine == lifecycle.root
    now = ", ".join(state if own else f"{count} {state}" for state, count in path.current.items())
    subject = "job" if own else "items of job"
    yield printable(f"{subject} {path.job} at seq {path.seq}: {now}")
    yield printable(f"visited: {', '.join(path.visited)}")
    yield from (printable(f"{name}: {count}") for name, count in path.transitions.items())
    yield from _earlier(path)


def _earlier(path: PathView) -> Iterator[str]:
    """The transitions that have no place on the drawing."""
    if path.earlier:
        counts = ", ".join(f"{name} {_TIMES}{count}" for name, count in path.earlier.items())
        yield printable(f"of earlier versions, not drawn: {counts}")
