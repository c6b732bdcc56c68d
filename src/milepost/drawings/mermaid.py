"""A machine as a Mermaid state diagram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from milepost.drawings.course import MARK, NOWHERE, Course
from milepost.drawings.looks import CURRENT, VISITED, look
from milepost.drawings.model import Box, Cluster, Drawing, Label
from milepost.text.escapes import printable

__all__ = ["as_ascii", "escape", "mermaid"]

# Words that Mermaid keeps for itself, in any case, somewhere in a state diagram, and the ids that
# it gives to the whole and to the dots where that begins and ends.
_KEPT: Final = frozenset(
    {"accdescr", "acctitle", "as", "choice", "class", "classdef", "click", "default", "direction"}
    | {"end", "fork", "hide", "href", "join", "note", "scale", "state", "statediagram", "style"}
    | {"root", "root_end", "root_start"}
)


def mermaid(drawing: Drawing, course: Course = NOWHERE) -> str:
    """The Mermaid text of a machine; groups are composite states.

    A state or a group with a name that Mermaid keeps for itself has another id, and its own name
    as its label. What was gone through on `course` has the class `visited`, and the states where
    it is now `current`.
    """
    own = _ids(drawing)

    def texts(labels: Sequence[Label]) -> list[str]:
        return [course.text(label) for label in labels]

    lines = [f"%% {printable(line)}" for line in course.caption]
    lines += ["stateDiagram-v2", f"    [*] --> {own[drawing.initial]}"]
    for cluster in drawing.clusters:
        lines += _cluster(cluster, own, "    ")
    drawn = _drawn(drawing)
    for box in drawing.boxes:
        exits = (f"{', '.join(texts(one.labels))} -> {one.target}" for one in box.exits)
        inside = (*texts(box.internal), *exits)
        named = (_named(box), *_here(box, course), *inside)
        if named != (own[box.state],):
            lines.append(f"    {own[box.state]}: {_label(named)}")
        elif box.state not in drawn:
            lines.append(f"    {own[box.state]}")
    for arrow in drawing.arrows:
        label = _label(texts(arrow.labels))
        lines.append(f"    {own[arrow.source]} --> {own[arrow.target]}: {label}")
    lines += [f"    {own[box.state]} --> [*]" for box in drawing.boxes if box.final]
    lines += _legend(drawing, own)
    lines += _classes(course, own)
    return "\n".join(lines) + "\n"


def as_ascii(text: str) -> str:
    """Mermaid text without characters beyond ASCII."""
    return "".join(char if char.isascii() else escape(char) for char in text)


def escape(char: str) -> str:
    """A character as Mermaid spells it in a label."""
    return f"#{ord(char)};"


def _named(box: Box) -> str:
    return f"{look(box.meaning).glyph} {box.state}" if box.roles else box.state


def _here(box: Box, course: Course) -> tuple[str, ...]:
    return (course.current[box.state],) if box.state in course.current else ()


def _drawn(drawing: Drawing) -> set[str]:
    """The states that are in a group or at an end of an arrow."""
    found = {drawing.initial, *(box.state for box in drawing.boxes if box.final)}
    found |= {end for arrow in drawing.arrows for end in (arrow.source, arrow.target)}
    return found | {state for cluster in drawing.clusters for state in cluster.states}


def _legend(drawing: Drawing, own: Mapping[str, str]) -> Iterator[str]:
    """The meaning of the signs of roles: a note beside the first state that is in no group."""
    grouped = {state for cluster in drawing.clusters for state in cluster.states}
    single = (box.state for box in drawing.boxes if box.state not in grouped)
    place = next((f"    note left of {own[state]} : " for state in single), "%% ")
    parts = [f"{glyph} {word}" for (_, glyph), word in drawing.signs.items()]
    if any(label.roles for label in drawing.labels):
        parts.append(f"{MARK} an event with a role")
    if parts:
        yield place + "<br/>".join(parts)


def _classes(course: Course, own: Mapping[str, str]) -> Iterator[str]:
    if not course.visited:
        return
    for name, a_look, width in (("visited", VISITED, 2), ("current", CURRENT, 4)):
        yield f"    classDef {name} stroke:{a_look.colour},stroke-width:{width}px"
    for state in course.visited:
        yield f"    class {own[state]} {'current' if state in course.current else 'visited'}"


def _ids(drawing: Drawing) -> Mapping[str, str]:
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
