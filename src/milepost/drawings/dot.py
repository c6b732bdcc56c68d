"""A machine as a DOT graph, laid out for people who review it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Final

from graphviz import Digraph

from milepost.drawings.canvas import (
    GREY,
    INK,
    LINE,
    Names,
    arrow,
    beginning,
    cell,
    lay_out,
    listed,
    new_graph,
    sheet,
    small,
    table,
    tooltip,
    wrapped,
)
from milepost.drawings.model import Arrow, Box, Drawing, Kind, Label, Members

__all__ = ["dot", "label_lines"]

_FILLS: Final[Mapping[Kind, tuple[str, str]]] = {  # fill and border
    "initial": ("#e3f2fd", "#1e88e5"),
    "active": ("#fffdf5", "#8d8468"),
    "final": ("#e8f5e9", "#43a047"),
    "failed": ("#fdecea", "#d9736b"),
}
_NAMES: Final = Names()
_FEW: Final = 4  # more events that stay in a state share lines
_LISTED: Final = 36  # where lists in a box are broken
_SHEET: Final = 72  # and in the sheet of a collection
_GUARD: Final = 30  # a longer label has its guard on a line of its own;
_AMONG_MANY: Final = 48  # among many, or in a box, only one that is longer than this


def dot(drawing: Drawing, lifecycle: str) -> str:
    """The DOT text of a machine of `lifecycle`, every element with a stable id."""
    graph = new_graph(
        f"{lifecycle}.{drawing.machine}",
        graph={
            "id": f"machine-{drawing.machine}",
            "tooltip": tooltip(drawing.doc or drawing.machine),
            "nodesep": "0.5",
            "ranksep": "0.55",
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
        node=lambda inner, state: _node(inner, boxes[state]),
        color=LINE,
        fontcolor=GREY,
    )
    graph.edge(
        "initial", _NAMES.node(drawing.initial), id="edge-initial", label="", tooltip="initial"
    )
    for one in drawing.arrows:
        _arrow(graph, one, drawing)
    for members in drawing.members:
        _collection(graph, members)
    return str(graph.source)


def _node(graph: Digraph, box: Box) -> None:
    fill, border = _FILLS[box.kind]
    graph.node(
        _NAMES.node(box.state),
        id=_NAMES.node(box.state),
        label=_node_label(box),
        fillcolor=fill,
        color=border,
        peripheries="2" if box.final else "1",
        tooltip=tooltip(box.doc or box.state, *box.details),
        **{"class": " ".join(("state", box.kind, *box.classes))},
    )


def _node_label(box: Box) -> str:
    """The state's name, and below it what stays in it and what has no arrows of its own."""
    exits = "".join(
        _pair(f"-> {one.target}", listed(_texts(one.labels), _LISTED)) for one in box.exits
    )
    entries = _pair("from", listed(box.entries, _LISTED)) if box.entries else ""
    parts = [part for part in (_internal(box), exits, entries) if part]
    if not parts:
        return box.state
    name = f'<tr><td colspan="2">{box.state}</td></tr>'
    return table(name + "".join(f"<hr/>{part}" for part in parts))


def _internal(box: Box) -> str:
    """The events that stay in the box, one to a line if they are few."""
    texts = _texts(box.internal)
    lines = listed(texts, _LISTED)
    if len(texts) <= _FEW:
        lines = [line.strip() for text in texts for line in wrapped(text, _AMONG_MANY)]
    return "".join(
        f'<tr><td colspan="2" align="left">{small(html.escape(line))}</td></tr>' for line in lines
    )


def _texts(labels: Sequence[Label]) -> tuple[str, ...]:
    return tuple(label.text for label in labels)


def _pair(name: str, lines: Sequence[str]) -> str:
    return f"<tr>{cell([f'{name}  '])}{cell(lines)}</tr>"


def _collection(graph: Digraph, members: Members) -> None:
    """A sheet beside the states: what members may do while their owner is where."""
    rows = "".join(
        f"<tr>{cell(listed(states, _LISTED))}{cell(listed(events, _SHEET))}</tr>"
        for states, events in members.accepts
    )
    heading = f'<tr><td colspan="2">{members.name}: {members.machine}</td></tr>'
    sheet(
        graph,
        f"collection-{members.name}",
        table(f"{heading}{'<hr/>' if rows else ''}{rows}", padding=2),
        fillcolor="#f5f5f5",
        tooltip=f"the events that members of {members.name} may take, by the owner's state",
        **{"class": "collection"},
    )


def label_lines(one: Arrow) -> list[list[str]]:
    """The labels of an arrow, each in the lines in which it is drawn."""
    width = _GUARD if len(one.labels) < _FEW else _AMONG_MANY
    return [wrapped(label.text, width) for label in one.labels]


def _arrow(graph: Digraph, one: Arrow, drawing: Drawing) -> None:
    attributes = {"style": "dashed"} if one.remembered else {}
    arrow(
        graph,
        (one.source, one.target),
        drawing.clusters,
        [line for lines in label_lines(one) for line in lines],
        names=_NAMES,
        id=one.id,
        tooltip=tooltip(*one.details),
        labeltooltip=tooltip(*one.details),
        **attributes,
        **{"class": " ".join(("transition", *one.classes))},
    )
