"""A machine as a DOT graph, laid out for people who review it."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from graphviz import Digraph

from milepost.drawings.canvas import (
    Names,
    arrow,
    beginning,
    cell,
    coloured,
    lay_out,
    listed,
    new_graph,
    sheet,
    small,
    table,
    text_of,
    tooltip,
    wrapped,
)
from milepost.drawings.colours import (
    BLUE_FILL,
    BLUE_LINE,
    CREAM_FILL,
    CREAM_LINE,
    GREEN_FILL,
    GREEN_LINE,
    GREY,
    INK,
    LINE,
    PAPER,
    RED_FILL,
    ROSE_LINE,
    SHEET,
    SOFT,
    sign_ink,
)
from milepost.drawings.course import MARK, NOWHERE, Course
from milepost.drawings.looks import CURRENT, VISITED, Meaning, look
from milepost.drawings.model import Arrow, Box, Drawing, Kind, Label, Members

__all__ = ["dot"]

_FILLS: Final[Mapping[Kind, tuple[str, str]]] = {  # fill and border
    "initial": (BLUE_FILL, BLUE_LINE),
    "active": (CREAM_FILL, CREAM_LINE),
    "final": (GREEN_FILL, GREEN_LINE),
    "failed": (RED_FILL, ROSE_LINE),
}
_NAMES: Final = Names()
_FEW: Final = 4  # more events that stay in a state share lines
_LISTED: Final = 36  # where lists in a box are broken
_SHEET: Final = 72  # and in the sheet of a collection
_GUARD: Final = 30  # a longer label has its guard on a line of its own;
_AMONG_MANY: Final = 48  # among many, or in a box, only one that is longer than this


def dot(drawing: Drawing, lifecycle: str, course: Course = NOWHERE) -> str:
    """The DOT text of a machine of `lifecycle`, every element with a stable id.

    What was gone through on `course` has the class `visited`, and the states where it is now
    `current`.
    """
    graph = new_graph(
        f"{lifecycle}.{drawing.machine}",
        graph={
            "id": f"machine-{drawing.machine}",
            **_caption(drawing, course),
            "tooltip": tooltip(drawing.doc or drawing.machine),
        },
        node={
            "shape": "box",
            "style": "rounded,filled",
            "fontcolor": INK,
            "penwidth": "1.3",
            "margin": "0.16,0.07",
        },
        edge={"fontcolor": INK, "color": GREY},
    )
    boxes = {box.state: box for box in drawing.boxes}
    beginning(graph, "initial", id="initial", tooltip="initial")
    lay_out(
        graph,
        drawing.clusters,
        boxes,
        names=_NAMES,
        node=lambda inner, state: _node(inner, boxes[state], course),
        color=LINE,
        fontcolor=SOFT,
    )
    graph.edge(
        "initial", _NAMES.node(drawing.initial), id="edge-initial", label="", tooltip="initial"
    )
    for one in drawing.arrows:
        _arrow(graph, one, drawing, course)
    for members in drawing.members:
        _collection(graph, members)
    return text_of(graph)


def _node(graph: Digraph, box: Box, course: Course) -> None:
    fill, border = _FILLS[box.kind]
    ink = _inked(course, passed=box.state in course.visited, now=box.state in course.current)
    if course.visited and box.state not in course.visited:
        ink["fillcolor"] = PAPER
    labels = (*box.internal, *(label for one in box.exits for label in one.labels))
    marks = [name for name, states in _marks(course) if box.state in states]
    said = (f"role: {', '.join(box.roles)}",) if box.roles else ()
    graph.node(
        _NAMES.node(box.state),
        id=_NAMES.node(box.state),
        label=_node_label(box, course),
        peripheries="2" if box.final else "1",
        **{"fillcolor": fill, "color": border, **ink},
        tooltip=tooltip(
            box.doc or box.state, *said, *box.details, *_roles(labels), *_counts(labels, course)
        ),
        **{"class": " ".join(("state", box.kind, *box.classes, *marks))},
    )


def _node_label(box: Box, course: Course) -> str:
    """The state's name, and below it the events that have no arrows."""
    exits = "".join(
        _pair(f"-> {one.target}", listed(_texts(one.labels, course), _LISTED)) for one in box.exits
    )
    entries = _pair("from", listed(box.entries, _LISTED)) if box.entries else ""
    parts = [part for part in (_internal(box, course), exits, entries) if part]
    name = box.state
    if box.meaning is not Meaning.NONE:
        sign = look(box.meaning)
        name = f"{coloured(sign.glyph, sign_ink(sign))} {name}"
    if box.state in course.current:
        now = coloured(course.current[box.state], sign_ink(CURRENT))
        return table(_wide(name) + _wide(now) + "".join(f"<hr/>{part}" for part in parts))
    if parts:
        return table(_wide(name) + "".join(f"<hr/>{part}" for part in parts))
    return name if name == box.state else f"<{name}>"


def _wide(markup: str) -> str:
    return f'<tr><td colspan="2">{markup}</td></tr>'


def _internal(box: Box, course: Course) -> str:
    """The events that stay in the box, one to a line if they are few."""
    texts = _texts(box.internal, course)
    lines = listed(texts, _LISTED)
    if len(texts) <= _FEW:
        lines = [line.strip() for text in texts for line in wrapped(text, _AMONG_MANY)]
    return "".join(
        f'<tr><td colspan="2" align="left">{small(html.escape(line))}</td></tr>' for line in lines
    )


def _texts(labels: Sequence[Label], course: Course) -> tuple[str, ...]:
    return tuple(course.text(label) for label in labels)


def _marks(course: Course) -> tuple[tuple[str, Collection[str]], ...]:
    return ("visited", course.visited), ("current", course.current)


def _roles(labels: Sequence[Label]) -> list[str]:
    """The roles of the events of labels, each event once."""
    roles = {label.text.partition(" ")[0]: label.roles for label in labels if label.roles}
    return [f"role of {event}: {', '.join(said)}" for event, said in roles.items()]


def _counts(labels: Sequence[Label], course: Course) -> list[str]:
    rows = (row for label in labels for row in label.rows)
    return [f"{row}: {course.times[row]}" for row in rows if row in course.times]


def _pair(name: str, lines: Sequence[str]) -> str:
    return f"<tr>{cell([f'{name}  '])}{cell(lines)}</tr>"


def _collection(graph: Digraph, members: Members) -> None:
    """A sheet beside the states: the events that members may take, by the owner's state."""
    rows = "".join(
        f"<tr>{cell(listed(states, _LISTED))}{cell(listed(events, _SHEET))}</tr>"
        for states, events in members.accepts
    )
    grows = listed(members.grows, _LISTED)
    parts = [
        f'<tr><td colspan="2">{members.name}: {members.machine}</td></tr>',
        rows,
        f"<tr>{cell(grows)}{cell(['may be added'])}</tr>" if grows else "",
    ]
    sheet(
        graph,
        f"collection-{members.name}",
        table("<hr/>".join(part for part in parts if part), padding=2),
        fillcolor=SHEET,
        tooltip=f"what members of {members.name} may take and when more may come, by owner's state",
        **{"class": "collection"},
    )


def _arrow(graph: Digraph, one: Arrow, drawing: Drawing, course: Course) -> None:
    width = _GUARD if len(one.labels) < _FEW else _AMONG_MANY
    lines = [line for text in _texts(one.labels, course) for line in wrapped(text, width)]
    said = tooltip(*one.details, *_roles(one.labels), *_counts(one.labels, course))
    marks = ("visited",) if course.taken(one.labels) else ()
    attributes = {"style": "dashed"} if one.remembered else {}
    attributes |= _inked(course, passed=bool(marks), now=False)
    arrow(
        graph,
        (one.source, one.target),
        drawing.clusters,
        lines,
        names=_NAMES,
        id=one.id,
        tooltip=said,
        labeltooltip=said,
        **attributes,
        **{"class": " ".join(("transition", *one.classes, *marks))},
    )


def _inked(course: Course, *, passed: bool, now: bool) -> dict[str, str]:
    """The colours of what was gone through, or was not, where anything was."""
    if not course.visited:
        return {}
    if now:
        return {"color": CURRENT.colour, "penwidth": "3"}
    if passed:
        return {"color": VISITED.colour, "penwidth": "2.4"}
    return {"color": LINE, "fontcolor": SOFT}


def _caption(drawing: Drawing, course: Course) -> dict[str, str]:
    """The lines below the drawing: the meaning of its signs, and the caption of the course."""
    parts = [
        f"{coloured(sign.glyph, sign_ink(sign))} {small(word)}"
        for sign, word in drawing.signs.items()
    ]
    if any(label.roles for label in drawing.labels):
        parts.append(small(f"{MARK} an event with a role"))
    lines = [" &nbsp; ".join(parts)] if parts else []
    shapes = [small(word) for word, there in _shapes(drawing) if there]
    lines += [" &nbsp; ".join(shapes)] if shapes else []
    lines += [small(html.escape(line)) for line in course.caption]
    if not lines:
        return {}
    label = "".join(f'{line}<br align="left"/>' for line in lines)
    return {"label": f"<{label}>", "labelloc": "b", "labeljust": "l", "fontcolor": SOFT}


def _shapes(drawing: Drawing) -> tuple[tuple[str, bool], ...]:
    """The meaning of frames and lines, each with whether the drawing has such."""
    return (
        ("double frame: final", any(box.final for box in drawing.boxes)),
        ("dashed frame: a group", bool(drawing.clusters)),
        ("dashed arrow: back to where it was", any(one.remembered for one in drawing.arrows)),
        ("below a name: events that stay", any(box.internal for box in drawing.boxes)),
    )
