"""The parts that every DOT graph here is drawn of: frames, arrows, tables, and texts in lines."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from graphviz import Digraph, nohtml

from milepost.drawings.colours import INK, LINE, PAPER
from milepost.drawings.model import Cluster
from milepost.text.escapes import printable

__all__ = [
    "Names",
    "arrow",
    "beginning",
    "cell",
    "coloured",
    "frame",
    "lay_out",
    "listed",
    "new_graph",
    "sheet",
    "small",
    "table",
    "text_of",
    "tooltip",
    "wrapped",
]

_FONT: Final = "Helvetica"
_SMALL: Final = 12  # the size of texts in a box, in points
_WRAP: Final = 10  # a label's line is broken at the next `and` or `or` after so many characters
_BOUND: Final = "\0"  # in the place of a blank at which a line is not to be broken


class Names(NamedTuple):
    """Names for the parts of a machine in a graph, with its own name where it is one of several."""

    machine: str = ""

    def node(self, state: str) -> str:
        """The node of a state, and its id."""
        return f"{self.machine or 'state'}-{state}"

    def cluster(self, group: str) -> str:
        """The cluster of a group."""
        return f"cluster_{self._before('.')}{group}"

    def group(self, group: str) -> str:
        """The id of a group."""
        return f"group-{self._before('-')}{group}"

    def _before(self, sign: str) -> str:
        return f"{self.machine}{sign}" if self.machine else ""


def new_graph(
    name: str, *, graph: dict[str, str], node: dict[str, str], edge: dict[str, str]
) -> Digraph:
    """An empty graph from top to bottom, with attributes beside those that all graphs have."""
    return Digraph(
        name=name,
        graph_attr={
            "label": "",
            "rankdir": "TB",
            "newrank": "true",
            "compound": "true",
            "bgcolor": PAPER,
            "fontname": _FONT,
            "pad": "0.2",
            **graph,
        },
        node_attr={"fontname": _FONT, "fontsize": "15", **node},
        edge_attr={"fontname": _FONT, "fontsize": "13", "arrowsize": "0.75", **edge},
    )


@contextmanager
def frame(graph: Digraph, name: str, label: str, **attributes: str) -> Iterator[Digraph]:
    """A cluster of `graph` with a label at its left, to be drawn in."""
    inner = Digraph(
        name=name, graph_attr={"label": label, "labeljust": "l", "labelloc": "t", **attributes}
    )
    yield inner
    graph.subgraph(inner)


def lay_out(
    graph: Digraph,
    clusters: Sequence[Cluster],
    states: Iterable[str],
    *,
    names: Names,
    node: Callable[[Digraph, str], None],
    **attributes: str,
) -> None:
    """The groups of a machine, each in a dashed frame, and the states that are in none."""

    def groups(outer: Digraph, some: Iterable[Cluster]) -> None:
        for cluster in some:
            with frame(
                outer,
                names.cluster(cluster.group),
                cluster.group,
                id=names.group(cluster.group),
                style="rounded,dashed",
                fontsize="13",
                margin="14",
                tooltip=cluster.group,
                **attributes,
            ) as inner:
                groups(inner, cluster.clusters)
                for state in cluster.boxes:
                    node(inner, state)

    groups(graph, clusters)
    within = {state for cluster in clusters for state in cluster.states}
    for state in states:
        if state not in within:
            node(graph, state)


def beginning(graph: Digraph, name: str, **attributes: str) -> None:
    """The dot from which an arrow leads to the initial state."""
    graph.node(
        name,
        label="",
        shape="circle",
        style="filled",
        fillcolor=INK,
        color=INK,
        width="0.14",
        fixedsize="true",
        **attributes,
    )


def arrow(
    graph: Digraph,
    ends: tuple[str, str],
    clusters: Sequence[Cluster],
    lines: Iterable[str],
    *,
    names: Names,
    **attributes: str,
) -> None:
    """An arrow between states or groups, at whose frames it is cut, with a label in lines."""
    tail, tail_cluster = _end(ends[0], clusters, names, -1)
    head, head_cluster = _end(ends[1], clusters, names, 0)
    if tail_cluster:
        attributes["ltail"] = tail_cluster
    if head_cluster:
        attributes["lhead"] = head_cluster
    graph.edge(tail, head, label="".join(f"  {line}\\l" for line in lines), **attributes)


def _end(name: str, clusters: Sequence[Cluster], names: Names, member: int) -> tuple[str, str]:
    """The node at an arrow's end, and the cluster at whose border it is cut, or `""`.

    `member` is the index of the state of a cluster that stands for it.
    """
    pending = list(clusters)
    while pending:
        cluster = pending.pop()
        if cluster.group == name:
            return names.node(cluster.states[member]), names.cluster(name)
        pending.extend(cluster.clusters)
    return names.node(name), ""


def sheet(graph: Digraph, name: str, label: str, **attributes: str) -> None:
    """A sheet of paper beside the states."""
    graph.node(
        name,
        id=name,
        label=label,
        shape="note",
        style="filled",
        color=LINE,
        **attributes,
    )


def table(rows: str, *, spacing: int = 0, padding: int = 1) -> str:
    """A label that is a table without lines."""
    sizes = f'cellspacing="{spacing}" cellpadding="{padding}"'
    return f'<<table border="0" cellborder="0" {sizes}>{rows}</table>>'


def cell(lines: Iterable[str]) -> str:
    """A cell of a table with small lines, one below the other."""
    text = "".join(f'{html.escape(line)}<br align="left"/>' for line in lines)
    return f'<td align="left" valign="top">{small(text)}</td>'


def small(markup: str) -> str:
    """Markup in the size of what stands below a state's name."""
    return f'<font point-size="{_SMALL}">{markup}</font>'


def coloured(text: str, ink: str, size: int = _SMALL) -> str:
    """Text in a colour."""
    return f'<font color="{ink}" point-size="{size}">{html.escape(text)}</font>'


def listed(names: Iterable[str], width: int) -> list[str]:
    """Names with commas, in lines that are not too wide; a guard stays with its event."""
    text = ", ".join(name.replace(" ", _BOUND) for name in names)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_BOUND, " ") for line in lines]


def wrapped(label: str, width: int) -> list[str]:
    """A label in lines: a long one is broken before its guard, and that before `and` and `or`."""
    event, bracket, guard = label.partition(" [")
    if len(label) <= width or not bracket:
        return [label]
    lines = [event, f"  [{guard.split(' ')[0]}"]
    for word in guard.split(" ")[1:]:
        if word in ("and", "or") and len(lines[-1]) >= _WRAP:
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}"
    return lines


def tooltip(*lines: str) -> str:
    """An attribute of DOT that is shown as `lines`; nothing in them is markup."""
    texts = (printable(line).replace("&", "&amp;").replace("\\", "\\\\") for line in lines)
    quoted: str = nohtml("\\n".join(texts))
    return quoted


def text_of(graph: Digraph) -> str:
    """The graph in DOT.

    It is ASCII, but for characters above U+FFFF: the renderer knows no numbers that high.
    """
    return "".join(map(_reference, graph.source))


def _reference(char: str) -> str:
    return f"&#{ord(char)};" if "\x7f" < char <= "\uffff" else char
