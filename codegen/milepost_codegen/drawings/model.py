"""What a picture of a machine shows: boxes, clusters and as few arrows as say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from milepost_codegen.drawings.folding import folded
from milepost_codegen.expressions import to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_codegen.model import Collection, Group, Machine, State, Transition

__all__ = ["Arrow", "Box", "Cluster", "Drawing", "Exit", "Kind", "Members", "draw"]

Kind: TypeAlias = Literal["initial", "active", "final", "failed"]

_SHORT: Final = 34  # a longer `otherwise` is not written out
_BESIDE: Final = 4
_FAILURES: Final = ("fail", "dead", "error", "cancel", "abort", "skip", "kill", "reject", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A state; `internal` has a line for each event that stays in it.

    `exits` are the events, with their guards, that lead to states to which no arrow is drawn,
    and `entries` the states from which none is drawn to this one.
    """

    state: str
    doc: str
    kind: Kind
    final: bool
    internal: tuple[str, ...]
    exits: tuple[Exit, ...]
    entries: tuple[str, ...]
    classes: tuple[str, ...]
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """What leads from a box to `target` without an arrow: a line for each event and guard."""

    target: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """A collection that the machine owns, with the events that it accepts in each of its states.

    States that accept the same stand together.
    """

    name: str
    machine: str
    accepts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A group with the boxes that lie in no cluster within it."""

    group: str
    boxes: tuple[str, ...]
    clusters: tuple[Cluster, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """All states within."""
        inner = (state for cluster in self.clusters for state in cluster.states)
        return (*self.boxes, *inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """An arrow between states or clusters, with a line for each event and guard.

    `classes` has a name `t-STATE-EVENT` for each pair that the arrow stands for; `details`
    says what its transitions assign and send, each on a line.
    """

    source: str
    target: str
    lines: tuple[str, ...]
    classes: tuple[str, ...]
    details: tuple[str, ...]
    remembered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture of one machine; `boxes` and `arrows` are in definition order."""

    boxes: tuple[Box, ...]
    clusters: tuple[Cluster, ...]
    arrows: tuple[Arrow, ...]
    members: tuple[Members, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """A transition as drawn, before arrows are merged."""

    source: str
    target: str
    line: str
    remembered: bool
    transitions: tuple[Transition, ...]


def draw(machine: Machine) -> Drawing:
    """The picture of `machine`."""
    groups = _drawable(machine)
    moves = _moves(machine, {group.name for group in groups})
    for group in groups:
        moves = _lifted(moves, group)
    members = {group.name: group.states for group in groups}
    arrows = _arrows(moves)
    lengths = {(arrow.source, arrow.target): _length(arrow) for arrow in arrows}
    lines = folded(lengths, machine.initial, members)
    kept = tuple(one for one in arrows if one.remembered or (one.source, one.target) not in lines)
    gone = [one for one in arrows if not one.remembered and (one.source, one.target) in lines]
    return Drawing(
        boxes=_boxes(machine, moves, gone),
        clusters=_nested(groups),
        arrows=kept,
        members=tuple(_members(collection) for collection in machine.collections),
    )


def _length(arrow: Arrow) -> int:
    """How far its ends are apart: what has a condition is seldom the main way."""
    return _BESIDE if all(line.endswith("]") for line in arrow.lines) else 1


def _members(collection: Collection) -> Members:
    alike: dict[tuple[str, ...], list[str]] = {}
    for state, events in collection.accepts:
        alike.setdefault(events, []).append(state)
    return Members(
        name=collection.name,
        machine=collection.machine,
        accepts=tuple((tuple(states), events) for events, states in alike.items()),
    )


def _drawable(machine: Machine) -> list[Group]:
    """The groups that can be drawn as nested clusters, larger ones first."""
    chosen: list[Group] = []
    for group in sorted(machine.groups, key=lambda one: -len(one.states)):
        own = set(group.states)
        apart = all(own < set(one.states) or not own & set(one.states) for one in chosen)
        if len(own) > 1 and apart:
            chosen.append(group)
    return chosen


def _nested(groups: list[Group]) -> tuple[Cluster, ...]:
    """The clusters of groups, of which those that hold others come first."""
    if not groups:
        return ()
    first, *others = groups
    inside = [group for group in others if set(group.states) < set(first.states)]
    outside = [group for group in others if group not in inside]
    clusters = _nested(inside)
    within = {state for cluster in clusters for state in cluster.states}
    boxes = tuple(state for state in first.states if state not in within)
    return (Cluster(group=first.name, boxes=boxes, clusters=clusters), *_nested(outside))


def _moves(machine: Machine, clusters: set[str]) -> list[_Move]:
    """One move per transition, but one for all that a history decides among."""
    moves: dict[tuple[str, str, str, str], _Move] = {}
    for one in machine.transitions:
        if one.ignored:
            continue
        line = _line(one)
        target = one.history if one.history in clusters else one.target
        key = one.source, one.event, target, line
        before = moves[key].transitions if key in moves else ()
        moves[key] = _Move(
            source=one.source,
            target=target,
            line=line,
            remembered=bool(one.history),
            transitions=(*before, one),
        )
    return list(moves.values())


def _line(one: Transition) -> str:
    if one.written is None:
        return one.event
    text = to_text(one.written)
    if one.otherwise and len(text) > _SHORT:
        text = "otherwise"
    return f"{one.event} [{text}]"


def _lifted(moves: list[_Move], group: Group) -> list[_Move]:
    """The moves, those that every member of `group` makes alike drawn once from its cluster."""
    alike: dict[tuple[str, str], list[_Move]] = {}
    for move in moves:
        if move.source in group.states and move.target not in (*group.states, group.name):
            alike.setdefault((move.target, move.line), []).append(move)
    alike = {key: same for key, same in alike.items() if len(same) == len(group.states)}
    lifted: list[_Move] = []
    for move in moves:
        same = alike.get((move.target, move.line), [])
        if move.source not in group.states or not same:
            lifted.append(move)
        elif move is same[0]:
            together = _Move(
                source=group.name,
                target=move.target,
                line=move.line,
                remembered=any(one.remembered for one in same),
                transitions=tuple(one for part in same for one in part.transitions),
            )
            lifted.append(together)
    return lifted


def _boxes(machine: Machine, moves: Sequence[_Move], gone: Sequence[Arrow]) -> tuple[Box, ...]:
    """The states, with what stays in them and what the arrows that are not drawn stand for."""
    inside: dict[str, list[_Move]] = {}
    for move in moves:
        if move.source == move.target:
            inside.setdefault(move.source, []).append(move)
    leaving: dict[str, list[Arrow]] = {}
    entering: dict[str, list[str]] = {}
    for arrow in gone:
        leaving.setdefault(arrow.source, []).append(arrow)
        entering.setdefault(arrow.target, []).append(arrow.source)
    return tuple(
        _box(
            state,
            _kind(machine, state),
            inside.get(state.name, ()),
            leaving.get(state.name, ()),
            entering.get(state.name, ()),
        )
        for state in machine.states
    )


def _kind(machine: Machine, state: State) -> Kind:
    if any(part in state.name for part in _FAILURES):
        return "failed"
    if state.name == machine.initial:
        return "initial"
    return "final" if state.final else "active"


def _box(
    state: State,
    kind: Kind,
    inside: Sequence[_Move],
    leaving: Sequence[Arrow],
    entering: Sequence[str],
) -> Box:
    classes = (*_classes(inside), *(name for arrow in leaving for name in arrow.classes))
    return Box(
        state=state.name,
        doc=state.doc,
        kind=kind,
        final=state.final,
        internal=tuple(dict.fromkeys(move.line for move in inside)),
        exits=tuple(Exit(target=arrow.target, lines=arrow.lines) for arrow in leaving),
        entries=tuple(entering),
        classes=tuple(dict.fromkeys(classes)),
        details=tuple(line for arrow in leaving for line in arrow.details),
    )


def _arrows(moves: list[_Move]) -> tuple[Arrow, ...]:
    between: dict[tuple[str, str, bool], list[_Move]] = {}
    for move in moves:
        if move.source != move.target:
            between.setdefault((move.source, move.target, move.remembered), []).append(move)
    return tuple(
        Arrow(
            source=source,
            target=target,
            lines=tuple(dict.fromkeys(move.line for move in same)),
            classes=_classes(same),
            details=tuple(_detail(one) for move in same for one in move.transitions),
            remembered=remembered,
        )
        for (source, target, remembered), same in between.items()
    )


def _classes(moves: Sequence[_Move]) -> tuple[str, ...]:
    pairs = (f"t-{one.source}-{one.event}" for move in moves for one in move.transitions)
    return tuple(dict.fromkeys(pairs))


def _detail(one: Transition) -> str:
    """A transition's id and what happens by it."""
    done = [f"{part.name} = {to_text(part.value)}" for part in one.assignments]
    done += [f"{part.collection} in {part.state}: {part.event}" for part in one.members]
    return f"{one.id}: {'; '.join(done)}" if done else one.id
