"""Two versions of a lifecycle as one DOT graph: what is new, gone, changed and as it was."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from milepost.drawings.canvas import (
    Names,
    arrow,
    beginning,
    coloured,
    frame,
    lay_out,
    new_graph,
    sheet,
    table,
    text_of,
    tooltip,
)
from milepost.drawings.colours import (
    AMBER_FILL,
    AMBER_LINE,
    AMBER_TEXT,
    GREEN_FILL,
    GREEN_LINE,
    GREEN_TEXT,
    INK,
    MIST_LINE,
    PALE,
    PAPER,
    RED_FILL,
    RED_LINE,
    RED_TEXT,
    SNOW,
    SOFT,
)
from milepost.drawings.draw import draw
from milepost_codegen.drawings.sketch import sketch
from milepost_codegen.drawings.union import STATUSES, unions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphviz import Digraph

    from milepost.drawings.model import Arrow, Drawing
    from milepost_codegen.drawings.union import Status, Union
    from milepost_codegen.model import Lifecycle

__all__ = ["emit_diff"]

_WIDTH: Final = 28
_INDENT: Final = "    "
_INKS: Final[Mapping[Status, str]] = {
    "unchanged": MIST_LINE,
    "changed": AMBER_LINE,
    "added": GREEN_LINE,
    "removed": RED_LINE,
}
_TEXTS: Final[Mapping[Status, str]] = {
    "unchanged": SOFT,
    "changed": AMBER_TEXT,
    "added": GREEN_TEXT,
    "removed": RED_TEXT,
}
_FILLS: Final[Mapping[Status, str]] = {
    "unchanged": SNOW,
    "changed": AMBER_FILL,
    "added": GREEN_FILL,
    "removed": RED_FILL,
}
_SIGNS: Final[Mapping[Status, str]] = {
    "unchanged": "",
    "changed": "~ ",
    "added": "+ ",
    "removed": "- ",
}


def emit_diff(old: Lifecycle, new: Lifecycle) -> str:
    """The DOT text of both versions laid over each other, one cluster per machine, and a legend."""
    graph = new_graph(
        f"{new.name}.diff",
        graph={},
        node={"margin": "0.3,0.14"},
        edge={},
    )
    for union in unions(old, new):
        with frame(
            graph,
            f"cluster_{union.name}",
            union.name,
            id=f"machine-{union.name}",
            peripheries="0",
            fontsize="16",
            fontcolor=SOFT,
            margin="16",
        ) as inner:
            _machine(inner, union)
    _legend(graph, f"{new.name}  {old.version} -> {new.version}")
    return text_of(graph)


def _machine(graph: Digraph, union: Union) -> None:
    drawings: dict[Status, Drawing] = {
        status: draw(sketch(union.layers[status])) for status in STATUSES
    }
    names = Names(union.name)
    start = f"{union.name}.initial"
    beginning(graph, start, id=start, tooltip="initial")
    clusters = drawings["unchanged"].clusters
    lay_out(
        graph,
        clusters,
        union.states,
        names=names,
        node=lambda inner, state: _node(inner, state, union, drawings),
        color=PALE,
        fontcolor=SOFT,
        peripheries="1",
    )
    moved = union.initial != union.old_initial
    ink = _INKS["changed" if moved else "unchanged"]
    graph.edge(start, names.node(union.initial), id=f"edge-{start}", color=ink)
    if moved:
        graph.edge(
            start,
            names.node(union.old_initial),
            id=f"edge-{start}-removed",
            color=_INKS["removed"],
            style="dashed",
        )
    for status in STATUSES:
        for one in drawings[status].arrows:
            lines = [part for label in one.labels for part in _broken(_SIGNS[status] + label.text)]
            arrow(
                graph,
                (one.source, one.target),
                clusters,
                lines,
                names=names,
                **_look(one, status, union.name),
            )


def _look(one: Arrow, status: Status, machine: str) -> dict[str, str]:
    return {
        "id": f"{one.id.replace('edge', f'edge-{machine}', 1)}-{status}",
        "class": " ".join(("transition", status, *one.classes)),
        "color": _INKS[status],
        "fontcolor": _TEXTS[status],
        "penwidth": "1" if status == "unchanged" else "2.2",
        "style": "dashed" if status == "removed" else "solid",
        "tooltip": tooltip(*one.details),
    }


def _node(graph: Digraph, state: str, union: Union, drawings: Mapping[Status, Drawing]) -> None:
    status = union.states[state]
    box = next(one for one in drawings["unchanged"].boxes if one.state == state)
    name = Names(union.name).node(state)
    graph.node(
        name,
        id=name,
        label=_label(state, union, drawings),
        shape="box",
        style="rounded,filled,dashed" if status == "removed" else "rounded,filled",
        fillcolor=_FILLS[status],
        color=_INKS[status],
        penwidth="1.1" if status == "unchanged" else "2.2",
        peripheries="2" if box.final else "1",
        tooltip=f"{state}: {status}",
        **{"class": f"state {status}"},
    )


def _label(state: str, union: Union, drawings: Mapping[Status, Drawing]) -> str:
    """The state's name and what became of it, and below it the events that have no arrow."""
    status = union.states[state]
    name = _SIGNS[status] + state
    note = union.notes.get(state, "")
    rows = f"<tr><td>{_said(name, status, 15)}</td></tr>"
    if note:
        rows += f"<tr><td>{_said(note, status, 12)}</td></tr>"
    inside = "".join(_rows(_inside(state, one, union, drawings[one]), one) for one in STATUSES)
    if inside:
        rows += f"<hr/>{inside}"
    return table(rows)


def _inside(state: str, status: Status, union: Union, drawing: Drawing) -> list[str]:
    """The events of one status that have no arrow; ignored ones only where they changed."""
    box = next(one for one in drawing.boxes if one.state == state)
    internal = [label.text for label in box.internal]
    leaving = [
        f"-> {one.target}: {', '.join(label.text for label in one.labels)}" for one in box.exits
    ]
    if status == "unchanged":
        return [", ".join(internal), *leaving] if internal else leaving
    rows = union.layers[status].transitions
    ignored = [f"ignores {one.event}" for one in rows if one.ignored and one.source == state]
    return [*internal, *leaving, *ignored]


def _rows(lines: Sequence[str], status: Status) -> str:
    """Lines in a box, broken where they are too wide."""
    return "".join(
        f'<tr><td align="left">{_said(part, status, 12)}</td></tr>'
        for line in lines
        for part in _broken(_SIGNS[status] + line)
    )


def _broken(line: str) -> list[str]:
    """A line in parts that are not too wide, those after the first indented."""
    parts = textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return parts[:1] + [f"{_INDENT}{part}" for part in parts[1:]]


def _said(text: str, status: Status, size: int) -> str:
    ink = INK if status == "unchanged" and size > 12 else _TEXTS[status]
    return coloured(text, ink, size)


def _legend(graph: Digraph, title: str) -> None:
    """The meaning of the colours; signs and dashes say the same without colour."""
    rows = f'<tr><td align="left">{_said(title, "unchanged", 14)}</td></tr><hr/>'
    for status in STATUSES:
        text = f"{_SIGNS[status]}{status}{' (dashed)' if status == 'removed' else ''}"
        cell = f'<td align="left" bgcolor="{_FILLS[status]}">{_said(text, status, 13)}</td>'
        rows += f"<tr>{cell}</tr>"
    sheet(
        graph,
        "legend",
        table(rows, spacing=2, padding=2),
        fillcolor=PAPER,
        tooltip="legend",
    )
