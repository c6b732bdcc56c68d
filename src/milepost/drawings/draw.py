"""The picture of a machine, with as few arrows as say the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from milepost import machine as tables
from milepost.drawings.folding import folded
from milepost.drawings.looks import Meaning, meaning_of
from milepost.drawings.model import Arrow, Box, Cluster, Drawing, Exit, Kind, Label, Members
from milepost.drawings.sketch import Row, Sketch
from milepost.drawings.words import roles_of_events, roles_of_states

__all__ = ["draw"]

_BESIDE: Final = 4
_FAILURES: Final = (Meaning.FAILED, Meaning.DEAD, Meaning.SKIPPED, Meaning.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """A transition as drawn, before arrows are merged."""

    source: str
    target: str
    label: str
    remembered: bool
    rows: tuple[Row, ...]


def draw(sketch: Sketch) -> Drawing:
    """The picture of a machine."""
    groups = _drawable(sketch)
    moves = _moves(sketch, groups.keys())
    for group, states in groups.items():
        moves = _lifted(moves, group, states)
    arrows = _arrows(moves, groups.keys(), roles_of_events(sketch.roles))
    lengths = {(arrow.source, arrow.target): _length(arrow) for arrow in arrows}
    lines = folded(lengths, sketch.initial, groups)
    kept = tuple(one for one in arrows if one.remembered or (one.source, one.target) not in lines)
    gone = [one for one in arrows if not one.remembered and (one.source, one.target) in lines]
    return Drawing(
        machine=sketch.name,
        doc=sketch.doc,
        initial=sketch.initial,
        boxes=_boxes(sketch, moves, gone),
        clusters=_nested(list(groups.items())),
        arrows=kept,
        members=tuple(_members(collection) for collection in sketch.collections),
    )


def _length(arrow: Arrow) -> int:
    """The distance of its ends: a way with a condition is seldom the main one."""
    return _BESIDE if all(label.text.endswith("]") for label in arrow.labels) else 1


def _members(collection: tables.Collection) -> Members:
    alike: dict[tuple[str, ...], list[str]] = {}
    for state, events in collection.accepts.items():
        alike.setdefault(events, []).append(state)
    return Members(
        name=collection.name,
        machine=collection.machine,
        accepts=tuple((tuple(states), events) for events, states in alike.items()),
        grows=collection.grows or (),
    )


def _drawable(sketch: Sketch) -> dict[str, tuple[str, ...]]:
    """The states of groups that can be drawn as nested clusters, larger groups first."""
    chosen: dict[str, tuple[str, ...]] = {}
    for group, states in sorted(sketch.groups.items(), key=lambda one: -len(one[1])):
        own = set(states)
        apart = all(own < set(one) or not own & set(one) for one in chosen.values())
        if len(own) > 1 and apart:
            chosen[group] = states
    return chosen


def _nested(groups: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[Cluster, ...]:
    """The clusters of groups, of which those that hold others come first."""
    if not groups:
        return ()
    (name, states), *others = groups
    inside = [group for group in others if set(group[1]) < set(states)]
    outside = [group for group in others if group not in inside]
    clusters = _nested(inside)
    within = {state for cluster in clusters for state in cluster.states}
    boxes = tuple(state for state in states if state not in within)
    return (Cluster(group=name, boxes=boxes, clusters=clusters), *_nested(outside))


def _moves(sketch: Sketch, clusters: Collection[str]) -> list[_Move]:
    """One move per row, but one for all that a history decides among."""
    moves: dict[tuple[str, str, str, str], _Move] = {}
    for one in sketch.rows:
        target = one.history if one.history in clusters else one.target
        key = one.source, one.event, target, one.label
        before = moves[key].rows if key in moves else ()
        moves[key] = _Move(
            source=one.source,
            target=target,
            label=one.label,
            remembered=bool(one.history),
            rows=(*before, one),
        )
    return list(moves.values())


def _lifted(moves: list[_Move], group: str, states: tuple[str, ...]) -> list[_Move]:
    """The moves, those that every member of `group` makes alike drawn once from its cluster."""
    alike: dict[tuple[str, str], list[_Move]] = {}
    for move in moves:
        if move.source in states and move.target not in (*states, group):
            alike.setdefault((move.target, move.label), []).append(move)
    alike = {key: same for key, same in alike.items() if len(same) == len(states)}
    lifted: list[_Move] = []
    for move in moves:
        same = alike.get((move.target, move.label), [])
        if move.source not in states or not same:
            lifted.append(move)
        elif move is same[0]:
            together = _Move(
                source=group,
                target=move.target,
                label=move.label,
                remembered=any(one.remembered for one in same),
                rows=tuple(one for part in same for one in part.rows),
            )
            lifted.append(together)
    return lifted


def _boxes(sketch: Sketch, moves: Sequence[_Move], gone: Sequence[Arrow]) -> tuple[Box, ...]:
    """The states, with what stays in them and what the arrows that are not drawn stand for."""
    events, states = roles_of_events(sketch.roles), roles_of_states(sketch.roles)
    inside: dict[str, list[_Move]] = {}
    for move in moves:
        if move.source == move.target:
            inside.setdefault(move.source, []).append(move)
    leaving: dict[str, list[Arrow]] = {}
    entering: dict[str, list[str]] = {}
    for arrow in gone:
        leaving.setdefault(arrow.source, []).append(arrow)
        entering.setdefault(arrow.target, []).append(arrow.source)
    boxes: list[Box] = []
    for state in sketch.states:
        name = state.name
        staying, away = inside.get(name, ()), leaving.get(name, ())
        meaning = meaning_of(sketch.roles, name)
        classes = (*_classes(staying), *(pair for arrow in away for pair in arrow.classes))
        box = Box(
            state=name,
            doc=state.doc,
            kind=_kind(meaning, first=name == sketch.initial, final=state.final),
            meaning=meaning,
            roles=states.get(name, ()),
            final=state.final,
            internal=_labels(staying, events),
            exits=tuple(Exit(target=arrow.target, labels=arrow.labels) for arrow in away),
            entries=tuple(entering.get(name, ())),
            classes=tuple(dict.fromkeys(classes)),
            details=tuple(line for arrow in away for line in arrow.details),
        )
        boxes.append(box)
    return tuple(boxes)


def _kind(meaning: Meaning, *, first: bool, final: bool) -> Kind:
    if meaning in _FAILURES:
        return "failed"
    if first:
        return "initial"
    return "final" if final else "active"


def _arrows(
    moves: Sequence[_Move], clusters: Collection[str], roles: Mapping[str, tuple[str, ...]]
) -> tuple[Arrow, ...]:
    between: dict[tuple[str, str, bool], list[_Move]] = {}
    for move in moves:
        if move.source != move.target:
            between.setdefault((move.source, move.target, move.remembered), []).append(move)
    return tuple(
        Arrow(
            id=_id(source, target, beside=remembered and target not in clusters),
            source=source,
            target=target,
            labels=_labels(same, roles),
            classes=_classes(same),
            details=tuple(one.detail for move in same for one in move.rows),
            remembered=remembered,
        )
        for (source, target, remembered), same in between.items()
    )


def _id(source: str, target: str, *, beside: bool) -> str:
    """The id of an arrow, another one where a plain arrow may lead there too."""
    return f"edge-{source}-{target}{'-history' if beside else ''}"


def _labels(moves: Sequence[_Move], roles: Mapping[str, tuple[str, ...]]) -> tuple[Label, ...]:
    """The labels of moves, each once."""
    rows: dict[str, list[Row]] = {}
    for move in moves:
        rows.setdefault(move.label, []).extend(move.rows)
    return tuple(
        Label(text, tuple(one.id for one in same), roles.get(same[0].event, ()))
        for text, same in rows.items()
    )


def _classes(moves: Sequence[_Move]) -> tuple[str, ...]:
    pairs = (f"t-{one.source}-{one.event}" for move in moves for one in move.rows)
    return tuple(dict.fromkeys(pairs))
