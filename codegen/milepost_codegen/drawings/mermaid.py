"""A machine as a Mermaid state diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.drawings.model import Cluster, draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.model import Machine

__all__ = ["emit_mermaid"]


# Words that Mermaid keeps for itself, in any case, somewhere in a state diagram.
_KEPT: Final = frozenset(
    {"accdescr", "acctitle", "as", "choice", "class", "classdef", "click", "default", "direction"}
    | {"end", "fork", "hide", "href", "join", "note", "scale", "state", "statediagram", "style"}
)


def emit_mermaid(machine: Machine) -> str:
    """The Mermaid text of `machine`: ASCII; groups are composite states.

    A state or a group with a name that Mermaid keeps for itself has another id, and its own name
    as its label.
    """
    drawing = draw(machine)
    ids = _ids(machine)
    lines = ["stateDiagram-v2", f"    [*] --> {ids[machine.initial]}"]
    for cluster in drawing.clusters:
        lines += _cluster(cluster, ids, "    ")
    for box in drawing.boxes:
        inside = (*box.internal, *(f"{', '.join(one.lines)} -> {one.target}" for one in box.exits))
        if inside or ids[box.state] != box.state:
            lines.append(f"    {ids[box.state]}: {_label((box.state, *inside))}")
    for arrow in drawing.arrows:
        lines.append(f"    {ids[arrow.source]} --> {ids[arrow.target]}: {_label(arrow.lines)}")
    lines += [f"    {ids[box.state]} --> [*]" for box in drawing.boxes if box.final]
    return "\n".join(lines) + "\n"


def _cluster(cluster: Cluster, ids: Mapping[str, str], indent: str) -> Iterator[str]:
    group, own = cluster.group, ids[cluster.group]
    named = own if own == group else f'"{group}" as {own}'
    yield f"{indent}state {named} {{"
    for inner in cluster.clusters:
        yield from _cluster(inner, ids, f"{indent}    ")
    for state in cluster.boxes:
        yield f"{indent}    {ids[state]}"
    yield f"{indent}}}"


def _ids(machine: Machine) -> Mapping[str, str]:
    """The id of each state and group: its name, or one that no other has."""
    names = [state.name for state in machine.states] + [group.name for group in machine.groups]
    ids: dict[str, str] = {}
    for name in names:
        own = name
        while own in _KEPT or (own != name and own in names):
            own += "_"
        ids[name] = own
    return ids


def _label(lines: tuple[str, ...]) -> str:
    """Lines one below the other; comparisons are no tags."""
    return "<br/>".join(line.replace("<", "#lt;").replace(">", "#gt;") for line in lines)
