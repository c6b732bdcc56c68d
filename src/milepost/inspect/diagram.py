"""A job's own path on the committed drawings: what it went through, how often, where it is now.

Nothing is laid out anew. In the SVG, elements get the classes `visited` and `current`, which a
style block colours, and counts as text; in the Mermaid text, states get classes and labels counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from milepost.inspect.drawings import drawing
from milepost.inspect.palette import CURRENT, VISITED
from milepost.inspect.path import PathView
from milepost.machine import Machine, Transition
from milepost.text.escapes import printable

__all__ = ["as_mermaid", "as_xml", "mermaid", "svg"]

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_LEGEND_HEIGHT: Final = 44.0
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_MERMAID_EDGE: Final = re.compile(r"\s+(?P<tail>\w+) --> (?P<head>\w+): (?P<label>.+)")

_STYLE: Final = f"""
.node.state, .edge.transition {{ opacity: 0.4; }}
.node.visited, .edge.visited {{ opacity: 1; }}
.edge.visited path {{ stroke: {VISITED.colour}; stroke-width: 2; }}
.edge.visited polygon {{ stroke: {VISITED.colour}; fill: {VISITED.colour}; }}
.node.visited path {{ stroke: {VISITED.colour}; stroke-width: 1.5; }}
.node.current path {{ stroke: {CURRENT.colour}; stroke-width: 3; }}
.count {{ font: bold 11px Helvetica, sans-serif; fill: {VISITED.colour}; }}
.now {{ font: bold 11px Helvetica, sans-serif; fill: {CURRENT.colour}; }}
.legend text {{ font: 11px Helvetica, sans-serif; fill: #37474f; }}
"""

_KEY: Final = (
    f"{CURRENT.glyph} thick frame: now · full colour: been there ·"
    f" {_TIMES}N: taken N times · pale: never"
)

# So that what is written has the prefixes of what was read.
ET.register_namespace("", _SVG)
ET.register_namespace("xlink", _XLINK)


class _Taken(NamedTuple):
    """A transition that was taken, and how often."""

    transition: Transition
    times: int


def as_xml(char: str) -> str:
    """The escape of XML for a character."""
    return f"&#{ord(char)};"


def as_mermaid(char: str) -> str:
    """The escape of Mermaid for a character of a label."""
    return f"#{ord(char)};"


def svg(path: PathView, machine: Machine) -> str:
    """The committed drawing of `machine` with `path` shown on it. Raises DrawingAbsent."""
    committed = drawing(path.lifecycle, path.machine, "svg")
    root = ET.fromstring(committed)  # noqa: S314 it is part of this package
    taken = _taken(path, machine)
    for element in root.iter(f"{{{_SVG}}}g"):
        classes = element.get("class", "").split()
        if "state" in classes:
            _mark_state(element, path, taken)
        elif "transition" in classes:
            _mark_edge(element, taken, machine)
    _explain(root, path)
    return ET.tostring(root, encoding="unicode") + "\n"


def mermaid(path: PathView, machine: Machine) -> str:
    """The committed Mermaid text of `machine` with `path` shown in it. Raises DrawingAbsent."""
    committed = drawing(path.lifecycle, path.machine, "mmd")
    taken = _taken(path, machine)
    lines = [f"%% {line}" for line in _description(path)]
    lines += [
        _counted(line, taken, machine.groups)
        for line in committed.splitlines()
        if not line.startswith("%%")
    ]
    for name, look, width in (("visited", VISITED, 2), ("current", CURRENT, 4)):
        lines += [f"    classDef {name} stroke:{look.colour},stroke-width:{width}px"]
    gone = [state for state in path.visited if state not in path.current]
    for name, states in (("visited", gone), ("current", list(path.current))):
        lines += [f"    class {state} {name}" for state in states]
    return "\n".join(lines) + "\n"


def _taken(path: PathView, machine: Machine) -> list[_Taken]:
    rows = {row.id: row for row in machine.transitions}
    return [_Taken(rows[name], count) for name, count in path.transitions.items()]


def _mark_state(element: ET.Element, path: PathView, taken: list[_Taken]) -> None:
    """Add classes to a state, how many are in it, and how often what its box lists was taken."""
    state = element.get("id", "").removeprefix("state-")
    classes = element.get("class", "").split()
    listed = [
        one
        for one in taken
        if one.transition.source == state and f"t-{state}-{one.transition.event}" in classes
    ]
    _say(element, [state, *_counts(listed)])
    for text in element.iter(f"{{{_SVG}}}text"):
        event = "".join(text.itertext())
        times = sum(one.times for one in listed if one.transition.event == event)
        if times:
            _add_count(text, times)
    if state not in path.visited:
        return
    _add_class(element, "visited")
    if state in path.current:
        _add_class(element, "current")
        here = path.current[state]
        _badge(
            element, f"{CURRENT.glyph} now" if path.machine == "job" else f"{CURRENT.glyph} {here}"
        )


def _mark_edge(element: ET.Element, taken: list[_Taken], machine: Machine) -> None:
    """Add the class to an arrow that was taken, and how often.

    An arrow carries a class for each pair of state and event, and its id says between which
    states, or groups of them, it is drawn.
    """
    classes = element.get("class", "").split()
    _, tail, head = element.get("id", "").split("-")
    along = [
        one
        for one in taken
        if f"t-{one.transition.source}-{one.transition.event}" in classes
        and _joins(one.transition, tail, head, machine.groups)
    ]
    if not along:
        return
    _add_class(element, "visited")
    _say(element, _counts(along))
    labels = _labels(element, machine)
    for event, text in labels.items():
        times = sum(one.times for one in along if one.transition.event == event)
        if times:
            _add_count(text, times)


def _labels(element: ET.Element, machine: Machine) -> dict[str, ET.Element]:
    """The last line of an arrow's label about each event: a line goes on until another is named."""
    labels: dict[str, ET.Element] = {}
    event = ""
    for text in element.iter(f"{{{_SVG}}}text"):
        words = "".join(text.itertext()).split()
        if words and words[0] in machine.events:
            event = words[0]
        labels[event] = text
    return labels


def _explain(root: ET.Element, path: PathView) -> None:
    """A style block, a title and a legend, for which the drawing grows at its foot."""
    left, top, width, height = (float(n) for n in root.get("viewBox", "0 0 0 0").split())
    root.set("viewBox", f"{left:.2f} {top:.2f} {width:.2f} {height + _LEGEND_HEIGHT:.2f}")
    root.set("height", f"{height + _LEGEND_HEIGHT:.0f}pt")
    root.set("role", "img")
    title, *details = _description(path)
    style = ET.Element(f"{{{_SVG}}}style")
    style.text = _STYLE
    heading = ET.Element(f"{{{_SVG}}}title")
    heading.text = title
    about = ET.Element(f"{{{_SVG}}}desc")
    about.text = "\n".join(details)
    for position, element in enumerate((heading, about, style)):
        root.insert(position, element)
    legend = ET.SubElement(root, f"{{{_SVG}}}g", {"class": "legend"})
    box = {"x": f"{left:g}", "y": f"{height:g}", "width": f"{width:g}", "fill": "white"}
    ET.SubElement(legend, f"{{{_SVG}}}rect", {**box, "height": f"{_LEGEND_HEIGHT:g}"})
    for line, text in enumerate((title, _KEY)):
        at = {"x": "14", "y": f"{height + 14 + 18 * line:.1f}"}
        ET.SubElement(legend, f"{{{_SVG}}}text", at).text = text


def _description(path: PathView) -> Iterator[str]:
    """What the drawing says, in words."""
    now = ", ".join(
        state if path.machine == "job" else f"{count} {state}"
        for state, count in path.current.items()
    )
    what = "job" if path.machine == "job" else "items of job"
    yield printable(f"{what} {path.job} at seq {path.seq}: {now}")
    yield printable(f"visited: {', '.join(path.visited)}")
    yield from (printable(f"{name}: {count}") for name, count in path.transitions.items())


def _counted(line: str, taken: list[_Taken], groups: Mapping[str, tuple[str, ...]]) -> str:
    """A line of Mermaid, with how often its arrow was taken."""
    match = _MERMAID_EDGE.fullmatch(line)
    if match is None:
        return line
    events = [part.split(" ", 1)[0] for part in match["label"].split("<br/>")]
    count = sum(
        one.times
        for one in taken
        if one.transition.event in events
        and _joins(one.transition, match["tail"], match["head"], groups)
    )
    return f"{line} {_TIMES}{count}" if count else line


def _joins(
    transition: Transition, tail: str, head: str, groups: Mapping[str, tuple[str, ...]]
) -> bool:
    """True if an arrow from `tail` to `head`, states or groups, stands for the transition."""
    sources, targets = groups.get(tail, (tail,)), groups.get(head, (head,))
    return transition.source in sources and transition.target in targets


def _counts(taken: list[_Taken]) -> list[str]:
    return [f"{one.transition.id}: {one.times}" for one in taken]


def _add_count(text: ET.Element, times: int) -> None:
    span = ET.SubElement(text, f"{{{_SVG}}}tspan", {"class": "count"})
    span.text = f" {_TIMES}{times}"


def _add_class(element: ET.Element, name: str) -> None:
    element.set("class", f"{element.get('class', '')} {name}".strip())


def _say(element: ET.Element, lines: list[str]) -> None:
    """Put `lines` into the element's title, and add them to the tooltips of its links."""
    title = element.find(f"{{{_SVG}}}title")
    if title is not None:
        title.text = "\n".join(lines)
    for link in element.iter(f"{{{_SVG}}}a"):
        link.set(f"{{{_XLINK}}}title", "\n".join((link.get(f"{{{_XLINK}}}title", ""), *lines)))


def _badge(element: ET.Element, text: str) -> None:
    """Write `text` above the right corner of a box."""
    shape = next(element.iter(f"{{{_SVG}}}path"), None)
    if shape is None:
        return
    numbers = [float(n) for n in _NUMBER.findall(shape.get("d", ""))]
    at = {"x": f"{max(numbers[0::2]):.2f}", "y": f"{min(numbers[1::2]) - 7:.2f}"}
    badge = ET.SubElement(element, f"{{{_SVG}}}text", {**at, "class": "now", "text-anchor": "end"})
    badge.text = text
