"""A machine as a DOT graph, laid out for people who review it."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Final

from graphviz import Digraph, nohtml

from milepost.text.escapes import printable
from milepost_codegen.drawings.model import Arrow, Box, Cluster, Drawing, Kind, Members, draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.model import Lifecycle, Machine

__all__ = ["emit_dot", "tooltip"]

_FONT: Final = "Helvetica"
_INK: Final = "#37474f"
_FILLS: Final[Mapping[Kind, tuple[str, str]]] = {  # fill and border
    "initial": ("#e3f2fd", "#1e88e5"),
    "active": ("#fffdf5", "#8d8468"),
    "final": ("#e8f5e9", "#43a047"),
    "failed": ("#fdecea", "#d9736b"),
}
_FEW: Final = 4  # more events that stay in a state share lines
_LISTED: Final = 36  # where lists in a box are broken
_SHEET: Final = 72  # and in the sheet of a collection
_BOUND: Final = "\0"  # in the place of a blank at which a line is not to be broken
_GUARD: Final = 30  # a longer label has its guard on a line of its own;
_AMONG_MANY: Final = 48  # among many, or in a box, only one that is longer than this
_WRAP: Final = 16  # a label's line is broken at the next `and` or `or` after so many characters


def emit_dot(lifecycle: Lifecycle, machine: Machine) -> str:
    """The DOT text of `machine`, every element with a stable id."""
    drawing = draw(machine)
    graph = Digraph(
        name=f"{lifecycle.name}.{machine.name}",
        graph_attr={
            "id": f"machine-{machine.name}",
            "label": "",
            "tooltip": tooltip(machine.doc or machine.name),
            "rankdir": "TB",
            "newrank": "true",
            "compound": "true",
            "bgcolor": "white",
            "fontname": _FONT,
            "nodesep": "0.5",
            "ranksep": "0.55",
            "pad": "0.2",
        },
        node_attr={
            "shape": "box",
            "style": "rounded,filled",
            "fontname": _FONT,
            "fontsize": "13",
            "fontcolor": _INK,
            "penwidth": "1.3",
            "margin": "0.16,0.07",
        },
        edge_attr={
            "fontname": _FONT,
            "fontsize": "11",
            "fontcolor": _INK,
            "color": "#78909c",
            "arrowsize": "0.75",
        },
    )
    boxes = {box.state: box for box in drawing.boxes}
    graph.node(
        "initial",
        id="initial",
        label="",
        shape="circle",
        style="filled",
        fillcolor=_INK,
        color=_INK,
        width="0.14",
        fixedsize="true",
        tooltip="initial",
    )
    for cluster in drawing.clusters:
        _cluster(graph, cluster, boxes)
    clustered = {state for cluster in drawing.clusters for state in cluster.states}
    for box in drawing.boxes:
        if box.state not in clustered:
            _node(graph, box)
    graph.edge(
        "initial", _node_name(machine.initial), id="edge-initial", label="", tooltip="initial"
    )
    for arrow in drawing.arrows:
        _edge(graph, arrow, drawing)
    for members in drawing.members:
        _collection(graph, members)
    return str(graph.source)


def tooltip(*lines: str) -> str:
    """An attribute of DOT that is shown as `lines`; nothing in them is markup.

    It is ASCII, but for characters above U+FFFF: the renderer knows no numbers that high.
    """
    texts = (printable(line).replace("&", "&amp;").replace("\\", "\\\\") for line in lines)
    text = "\\n".join(texts)
    quoted: str = nohtml("".join(map(_reference, text)))
    return quoted


def _reference(char: str) -> str:
    return f"&#{ord(char)};" if "\x7f" < char <= "\uffff" else char


def _cluster(graph: Digraph, cluster: Cluster, boxes: Mapping[str, Box]) -> None:
    inner = Digraph(
        name=f"cluster_{cluster.group}",
        graph_attr={
            "id": f"group-{cluster.group}",
            "label": cluster.group,
            "labeljust": "l",
            "style": "rounded,dashed",
            "color": "#b0bec5",
            "fontsize": "11",
            "fontcolor": "#78909c",
            "tooltip": cluster.group,
            "margin": "14",
        },
    )
    for part in cluster.clusters:
        _cluster(inner, part, boxes)
    for state in cluster.boxes:
        _node(inner, boxes[state])
    graph.subgraph(inner)


def _node(graph: Digraph, box: Box) -> None:
    fill, border = _FILLS[box.kind]
    graph.node(
        _node_name(box.state),
        id=_node_name(box.state),
        label=_node_label(box),
        fillcolor=fill,
        color=border,
        peripheries="2" if box.final else "1",
        tooltip=tooltip(box.doc or box.state, *box.details),
        **{"class": " ".join(("state", box.kind, *box.classes))},
    )


def _node_label(box: Box) -> str:
    """The state's name, and below it what stays in it and what has no arrows of its own."""
    exits = "".join(_pair(f"-> {one.target}", _listed(one.lines)) for one in box.exits)
    entries = _pair("from", _listed(box.entries)) if box.entries else ""
    parts = [part for part in (_internal(box), exits, entries) if part]
    if not parts:
        return box.state
    name = f'<tr><td colspan="2">{box.state}</td></tr>'
    table = '<table border="0" cellborder="0" cellspacing="0" cellpadding="1">'
    return f"<{table}{name}{''.join(f'<hr/>{part}' for part in parts)}</table>>"


def _internal(box: Box) -> str:
    """The events that stay in the box, one to a line if they are few."""
    lines = _listed(box.internal)
    if len(box.internal) <= _FEW:
        lines = [line.strip() for label in box.internal for line in _wrapped(label, _AMONG_MANY)]
    return "".join(
        f'<tr><td colspan="2" align="left">{_small(html.escape(line))}</td></tr>' for line in lines
    )


def _pair(name: str, lines: Sequence[str]) -> str:
    return f"<tr>{_cell([f'{name}  '])}{_cell(lines)}</tr>"


def _cell(lines: Sequence[str]) -> str:
    text = "".join(f'{html.escape(line)}<br align="left"/>' for line in lines)
    return f'<td align="left" valign="top">{_small(text)}</td>'


def _small(text: str) -> str:
    return f'<font point-size="10">{text}</font>'


def _listed(names: Sequence[str], width: int = _LISTED) -> list[str]:
    """Names with commas, in lines that are not too wide; a guard stays with its event."""
    text = ", ".join(name.replace(" ", _BOUND) for name in names)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_BOUND, " ") for line in lines]


def _collection(graph: Digraph, members: Members) -> None:
    """A sheet beside the states: what members may do while their owner is where."""
    rows = "".join(
        f"<tr>{_cell(_listed(states))}{_cell(_listed(events, _SHEET))}</tr>"
        for states, events in members.accepts
    )
    heading = f'<tr><td colspan="2">{members.name}: {members.machine}</td></tr>'
    table = '<table border="0" cellborder="0" cellspacing="0" cellpadding="2">'
    graph.node(
        f"collection-{members.name}",
        id=f"collection-{members.name}",
        label=f"<{table}{heading}{'<hr/>' if rows else ''}{rows}</table>>",
        shape="note",
        style="filled",
        fillcolor="#f5f5f5",
        color="#b0bec5",
        tooltip=f"the events that members of {members.name} may take, by the owner's state",
        **{"class": "collection"},
    )


def _edge(graph: Digraph, arrow: Arrow, drawing: Drawing) -> None:
    tail, tail_cluster = _end(arrow.source, drawing, -1)
    head, head_cluster = _end(arrow.target, drawing, 0)
    remembered_state = arrow.remembered and not head_cluster  # a plain arrow may lead there too
    width = _GUARD if len(arrow.lines) < _FEW else _AMONG_MANY
    lines = [line for label in arrow.lines for line in _wrapped(label, width)]
    attributes = {
        "id": f"edge-{arrow.source}-{arrow.target}{'-history' if remembered_state else ''}",
        "class": " ".join(("transition", *arrow.classes)),
        "label": "".join(f"  {line}\\l" for line in lines),
        "tooltip": tooltip(*arrow.details),
        "labeltooltip": tooltip(*arrow.details),
    }
    if tail_cluster:
        attributes["ltail"] = tail_cluster
    if head_cluster:
        attributes["lhead"] = head_cluster
    if arrow.remembered:
        attributes["style"] = "dashed"
    graph.edge(tail, head, **attributes)


def _end(name: str, drawing: Drawing, member: int) -> tuple[str, str]:
    """The node at an arrow's end, and the cluster at whose border it is cut, or `""`.

    `member` is the index of the state of a cluster that stands for it.
    """
    pending = list(drawing.clusters)
    while pending:
        cluster = pending.pop()
        if cluster.group == name:
            return _node_name(cluster.states[member]), f"cluster_{name}"
        pending.extend(cluster.clusters)
    return _node_name(name), ""


def _node_name(state: str) -> str:
    return f"state-{state}"


def _wrapped(label: str, width: int) -> list[str]:
    """A label in lines: a long one is broken before its guard, and that before `and` and `or`."""
    event, bracket, guard = label.partition(" [")
    if len(label) <= width or not bracket:
        return [label]
    lines = [event, f"    [{guard.split(' ')[0]}"]
    for word in guard.split(" ")[1:]:
        if word in ("and", "or") and len(lines[-1]) >= _WRAP:
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {word}"
    return lines
