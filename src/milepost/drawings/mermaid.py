"""A machine as a Mermaid state diagram."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from milepost.drawings.model import Cluster, Drawing, Label

__all__ = ["ids", "mermaid"]

# Words that Mermaid keeps for itself, in any case, somewhere in a state diagram.
_KEPT: Final = frozenset(
    {"accdescr", "acctitle", "as", "choice", "class", "classdef", "click", "default", "direction"}
    | {"end", "fork", "hide", "href", "join", "note", "scale", "state", "statediagram", "style"}
)


def mermaid(drawing: Drawing, note: Callable[[Label], str] = lambda _: "") -> str:
    """The Mermaid text of a machine: ASCII; groups are composite states.

    A state or a group with a name that Mermaid keeps for itself has another id, and its own name
    as its label. What `note` has to say of a label stands behind it.
    """
    own = ids(drawing)

    def texts(labels: Sequence[Label]) -> list[str]:
        return [label.text + note(label) for label in labels]

    lines = ["stateDiagram-v2", f"    [*] --> {own[drawing.initial]}"]
    for cluster in drawing.clusters:
        lines += _cluster(cluster, own, "    ")
    for box in drawing.boxes:
        exits = (f"{', '.join(texts(one.labels))} -> {one.target}" for one in box.exits)
        inside = (*texts(box.internal), *exits)
        if inside or own[box.state] != box.state:
            lines.append(f"    {own[box.state]}: {_label((box.state, *inside))}")
    for arrow in drawing.arrows:
        label = _label(texts(arrow.labels))
        lines.append(f"    {own[arrow.source]} --> {own[arrow.target]}: {label}")
    lines += [f"    {own[box.state]} --> [*]" for box in drawing.boxes if box.final]
    return "\n".join(lines) + "\n"


def ids(drawing: Drawing) -> Mapping[str, str]:
    """The id of each state and group: its name, or one that no other has."""
    names = [box.state for box in drawing.boxes]
    names += [group for cluster in drawing.clusters for group in cluster.groups]
    found: dict[str, str] = {}
    for name in names:
        own = name
        while own in _KEPT or (own != name and own in names):
            own += "_"
        found[name] = own
    return found


def _cluster(cluster: Cluster, own: Mapping[str, str], indent: str) -> Iterator[str]:
    group = cluster.group
    named = group if own[group] == group else f'"{group}" as {own[group]}'
    yield f"{indent}state {named} {{"
    for inner in cluster.clusters:
        yield from _cluster(inner, own, f"{indent}    ")
    for state in cluster.boxes:
        yield f"{indent}    {own[state]}"
    yield f"{indent}}}"


def _label(lines: Sequence[str]) -> str:
    """Lines one below the other; comparisons are no tags."""
    return "<br/>".join(line.replace("<", "#lt;").replace(">", "#gt;") for line in lines)
