"""A machine as a DOT graph, laid out for people who review it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from graphviz import Digraph

from milepost_codegen.drawing import Arrow, Box, Cluster, Drawing, Kind, draw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.model import Lifecycle, Machine

__all__ = ["emit_dot"]

_FONT: Final = "Helvetica"
_INK: Final = "#37474f"
_FILLS: Final[Mapping[Kind, tuple[str, str]]] = {  # fill and border
    "initial": ("#e3f2fd", "#1e88e5"),
    "active": ("#fffdf5", "#8d8468"),
    "final": ("#e8f5e9", "#43a047"),
    "failed": ("#fdecea", "#d9736b"),
}
_WRAP: Final = 16  # a label's line is broken at the next `and` or `or` after so many characters


def emit_dot(lifecycle: Lifecycle, machine: Machine) -> str:
    """The DOT text of `machine`: ASCII, every element with a stable id."""
    drawing = draw(machine)
    graph = Digraph(
        name=f"{lifecycle.name}.{machine.name}",
        graph_attr={
            "id": f"machine-{machine.name}",
            "label": "",
            "tooltip": _ascii(machine.doc or machine.name),
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
    return str(graph.source)


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
        tooltip=_ascii(box.doc or box.state),
        **{"class": " ".join(("state", box.kind, *box.classes))},
    )


def _node_label(box: Box) -> str:
    """The state's name, and below it the events that stay in it."""
    if not box.internal:
        return box.state
    rows = "".join(
        f'<tr><td align="left"><font point-size="10">{html.escape(line)}</font></td></tr>'
        for label in box.internal
        for line in _wrapped(label)
    )
    name = f"<tr><td>{box.state}</td></tr>"
    table = '<table border="0" cellborder="0" cellspacing="0" cellpadding="1">'
    return f"<{table}{name}<hr/>{rows}</table>>"


def _edge(graph: Digraph, arrow: Arrow, drawing: Drawing) -> None:
    tail, tail_cluster = _end(arrow.source, drawing, -1)
    head, head_cluster = _end(arrow.target, drawing, 0)
    remembered_state = arrow.remembered and not head_cluster  # a plain arrow may lead there too
    attributes = {
        "id": f"edge-{arrow.source}-{arrow.target}{'-history' if remembered_state else ''}",
        "class": " ".join(("transition", *arrow.classes)),
        "label": "".join(f"  {line}\\l" for label in arrow.lines for line in _wrapped(label)),
        "tooltip": _ascii("\\n".join(arrow.details)),
        "labeltooltip": _ascii("\\n".join(arrow.details)),
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


def _wrapped(label: str) -> list[str]:
    """A label in lines, broken before `and` and `or`."""
    lines = [""]
    for word in label.split(" "):
        if word in ("and", "or") and len(lines[-1]) >= _WRAP:
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _ascii(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode()
