"""Two versions of a lifecycle as one DOT graph: what is new, gone, changed and as it was."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Final

from graphviz import Digraph

from milepost_codegen.drawings.dot import tooltip
from milepost_codegen.drawings.model import draw
from milepost_codegen.drawings.union import STATUSES, unions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.drawings.model import Arrow, Cluster, Drawing
    from milepost_codegen.drawings.union import Status, Union
    from milepost_codegen.model import Lifecycle

__all__ = ["emit_diff"]

_FONT: Final = "Helvetica"
_WIDTH: Final = 34
_INDENT: Final = "    "
_INKS: Final[Mapping[Status, str]] = {
    "unchanged": "#90a4ae",
    "changed": "#e08600",
    "added": "#2e9e44",
    "removed": "#d32f2f",
}
_TEXTS: Final[Mapping[Status, str]] = {**_INKS, "unchanged": "#607d8b", "changed": "#a85f00"}
_FILLS: Final[Mapping[Status, str]] = {
    "unchanged": "#fafafa",
    "changed": "#fff3e0",
    "added": "#e8f5e9",
    "removed": "#fdecea",
}
_SIGNS: Final[Mapping[Status, str]] = {
    "unchanged": "",
    "changed": "~ ",
    "added": "+ ",
    "removed": "- ",
}


def emit_diff(old: Lifecycle, new: Lifecycle) -> str:
    """The DOT text of both versions laid over each other, one cluster per machine, and a legend."""
    graph = Digraph(
        name=f"{new.name}.diff",
        graph_attr={
            "label": "",
            "rankdir": "TB",
            "newrank": "true",
            "compound": "true",
            "bgcolor": "white",
            "fontname": _FONT,
            "nodesep": "0.4",
            "ranksep": "0.5",
            "pad": "0.2",
        },
        node_attr={"fontname": _FONT, "fontsize": "13", "margin": "0.14,0.07"},
        edge_attr={"fontname": _FONT, "fontsize": "11", "arrowsize": "0.75"},
    )
    for union in unions(old, new):
        _machine(graph, union)
    _legend(graph, f"{new.name}  {old.version} -> {new.version}")
    return str(graph.source)


def _machine(graph: Digraph, union: Union) -> None:
    drawings: dict[Status, Drawing] = {status: draw(union.layers[status]) for status in STATUSES}
    inner = Digraph(
        name=f"cluster_{union.name}",
        graph_attr={
            "id": f"machine-{union.name}",
            "label": union.name,
            "labeljust": "l",
            "style": "rounded",
            "color": "#cfd8dc",
            "fontsize": "14",
            "fontcolor": "#546e7a",
            "margin": "16",
        },
    )
    beginning = f"{union.name}-initial"
    inner.node(
        beginning,
        label="",
        shape="circle",
        style="filled",
        fillcolor="#37474f",
        color="#37474f",
        width="0.14",
        fixedsize="true",
    )
    clusters = drawings["unchanged"].clusters
    for cluster in clusters:
        _cluster(inner, cluster, union, drawings)
    clustered = {state for cluster in clusters for state in cluster.states}
    for state in union.states:
        if state not in clustered:
            _node(inner, state, union, drawings)
    moved = union.initial != union.old_initial
    ink = _INKS["changed" if moved else "unchanged"]
    inner.edge(beginning, _node_name(union, union.initial), color=ink)
    if moved:
        ink = _INKS["removed"]
        inner.edge(beginning, _node_name(union, union.old_initial), color=ink, style="dashed")
    for status in STATUSES:
        for arrow in drawings[status].arrows:
            _edge(inner, arrow, status, union, clusters)
    graph.subgraph(inner)


def _cluster(
    graph: Digraph, cluster: Cluster, union: Union, drawings: Mapping[Status, Drawing]
) -> None:
    inner = Digraph(
        name=f"cluster_{union.name}_{cluster.group}",
        graph_attr={
            "id": f"group-{union.name}-{cluster.group}",
            "label": cluster.group,
            "labeljust": "l",
            "style": "rounded,dashed",
            "color": "#cfd8dc",
            "fontsize": "11",
            "fontcolor": "#90a4ae",
            "margin": "14",
        },
    )
    for part in cluster.clusters:
        _cluster(inner, part, union, drawings)
    for state in cluster.boxes:
        _node(inner, state, union, drawings)
    graph.subgraph(inner)


def _node(graph: Digraph, state: str, union: Union, drawings: Mapping[Status, Drawing]) -> None:
    status = union.states[state]
    box = next(one for one in drawings["unchanged"].boxes if one.state == state)
    graph.node(
        _node_name(union, state),
        id=_node_name(union, state),
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
    rows = f"<tr><td>{_coloured(name, status, 13)}</td></tr>"
    if note:
        rows += f"<tr><td>{_coloured(note, status, 10)}</td></tr>"
    inside = "".join(_rows(_inside(state, one, union, drawings[one]), one) for one in STATUSES)
    if inside:
        rows += f"<hr/>{inside}"
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{rows}</table>>'


def _inside(state: str, status: Status, union: Union, drawing: Drawing) -> list[str]:
    """The events of one status that have no arrow; ignored ones only where they changed."""
    box = next(one for one in drawing.boxes if one.state == state)
    leaving = [f"-> {one.target}: {', '.join(one.lines)}" for one in box.exits]
    if status == "unchanged":
        return [", ".join(box.internal), *leaving] if box.internal else leaving
    rows = union.layers[status].transitions
    ignored = [f"ignores {one.event}" for one in rows if one.ignored and one.source == state]
    return [*box.internal, *leaving, *ignored]


def _rows(lines: Sequence[str], status: Status) -> str:
    """Lines in a box, broken where they are too wide."""
    return "".join(
        f'<tr><td align="left">{_coloured(part, status, 10)}</td></tr>'
        for line in lines
        for part in _broken(_SIGNS[status] + line)
    )


def _broken(line: str) -> list[str]:
    """A line in parts that are not too wide, those after the first indented."""
    parts = textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return parts[:1] + [f"{_INDENT}{part}" for part in parts[1:]]


def _coloured(text: str, status: Status, size: int) -> str:
    ink = "#263238" if status == "unchanged" and size > 10 else _TEXTS[status]
    return f'<font color="{ink}" point-size="{size}">{html.escape(text)}</font>'


def _edge(
    graph: Digraph, arrow: Arrow, status: Status, union: Union, clusters: Sequence[Cluster]
) -> None:
    tail, tail_cluster = _end(arrow.source, union, clusters, -1)
    head, head_cluster = _end(arrow.target, union, clusters, 0)
    lines = [part for line in arrow.lines for part in _broken(_SIGNS[status] + line)]
    attributes = {
        "id": f"edge-{union.name}-{arrow.source}-{arrow.target}-{status}",
        "class": " ".join(("transition", status, *arrow.classes)),
        "label": "".join(f"  {line}\\l" for line in lines),
        "color": _INKS[status],
        "fontcolor": _TEXTS[status],
        "penwidth": "1" if status == "unchanged" else "2.2",
        "style": "dashed" if status == "removed" else "solid",
        "tooltip": tooltip(*arrow.details),
    }
    if tail_cluster:
        attributes["ltail"] = tail_cluster
    if head_cluster:
        attributes["lhead"] = head_cluster
    graph.edge(tail, head, **attributes)


def _end(name: str, union: Union, clusters: Sequence[Cluster], member: int) -> tuple[str, str]:
    """The node at an arrow's end, and the cluster at whose border it is cut, or `""`."""
    pending = list(clusters)
    while pending:
        cluster = pending.pop()
        if cluster.group == name:
            return _node_name(union, cluster.states[member]), f"cluster_{union.name}_{name}"
        pending.extend(cluster.clusters)
    return _node_name(union, name), ""


def _node_name(union: Union, state: str) -> str:
    return f"{union.name}-{state}"


def _legend(graph: Digraph, title: str) -> None:
    """What the colours mean; signs and dashes say the same without colour."""
    rows = f'<tr><td align="left">{_coloured(title, "unchanged", 12)}</td></tr><hr/>'
    for status in STATUSES:
        text = f"{_SIGNS[status]}{status}{' (dashed)' if status == 'removed' else ''}"
        cell = f'<td align="left" bgcolor="{_FILLS[status]}">{_coloured(text, status, 11)}</td>'
        rows += f"<tr>{cell}</tr>"
    graph.node(
        "legend",
        id="legend",
        label=f'<<table border="0" cellborder="0" cellspacing="2" cellpadding="2">{rows}</table>>',
        shape="note",
        style="filled",
        fillcolor="white",
        color="#b0bec5",
        tooltip="legend",
    )
