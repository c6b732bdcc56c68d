"""A machine as a Mermaid state diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.drawing import Cluster, draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.model import Machine

__all__ = ["emit_mermaid"]


# Words that Mermaid keeps for itself, in any case.
_KEPT: Final = frozenset(
    {"as", "choice", "class", "classdef", "click", "default", "direction", "end", "fork", "hide"}
    | {"join", "note", "scale", "state", "style"}
)


def emit_mermaid(machine: Machine) -> str:
    """The Mermaid text of `machine`: ASCII; groups are composite states."""
    drawing = draw(machine)
    lines = ["stateDiagram-v2", f"    [*] --> {_id(machine.initial)}"]
    for cluster in drawing.clusters:
        lines += _cluster(cluster, "    ")
    for box in drawing.boxes:
        inside = (*box.internal, *(f"{', '.join(one.lines)} -> {one.target}" for one in box.exits))
        if inside or _id(box.state) != box.state:
            lines.append(f"    {_id(box.state)}: {_label((box.state, *inside))}")
    for arrow in drawing.arrows:
        lines.append(f"    {_id(arrow.source)} --> {_id(arrow.target)}: {_label(arrow.lines)}")
    lines += [f"    {_id(box.state)} --> [*]" for box in drawing.boxes if box.final]
    return "\n".join(lines) + "\n"


def _cluster(cluster: Cluster, indent: str) -> Iterator[str]:
    yield f"{indent}state {_id(cluster.group)} {{"
    for inner in cluster.clusters:
        yield from _cluster(inner, f"{indent}    ")
    for state in cluster.boxes:
        yield f"{indent}    {_id(state)}"
    yield f"{indent}}}"


def _id(name: str) -> str:
    return f"{name}_" if name in _KEPT else name


def _label(lines: tuple[str, ...]) -> str:
    """Lines one below the other; comparisons are no tags."""
    return "<br/>".join(line.replace("<", "#lt;").replace(">", "#gt;") for line in lines)
