"""What a picture of a machine shows: boxes, clusters and as few arrows as say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from milepost_codegen.expressions import to_text

if TYPE_CHECKING:
    from milepost_codegen.model import Group, Machine, Transition

__all__ = ["Arrow", "Box", "Cluster", "Drawing", "Kind", "draw"]

Kind: TypeAlias = Literal["initial", "active", "final", "failed"]

_SHORT: Final = 34  # a longer `otherwise` is not written out
_FAILURES: Final = ("fail", "dead", "error", "cancel", "abort", "skip", "kill", "reject", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A state; `internal` has a line for each event that stays in it."""

    state: str
    doc: str
    kind: Kind
    final: bool
    internal: tuple[str, ...]
    classes: tuple[str, ...]


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
    return Drawing(
        boxes=tuple(_box(machine, name, moves) for name in (one.name for one in machine.states)),
        clusters=_nested(groups),
        arrows=_arrows(moves),
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
    lifted = list(moves)
    for (target, line), same in alike.items():
        if len(same) == len(group.states):
            position = lifted.index(same[0])
            lifted = [move for move in lifted if move not in same]
            together = _Move(
                source=group.name,
                target=target,
                line=line,
                remembered=any(move.remembered for move in same),
                transitions=tuple(one for move in same for one in move.transitions),
            )
            lifted.insert(position, together)
    return lifted


def _box(machine: Machine, name: str, moves: list[_Move]) -> Box:
    state = next(one for one in machine.states if one.name == name)
    inside = [move for move in moves if move.source == move.target == name]
    kind: Kind = "final" if state.final else "active"
    if any(part in name for part in _FAILURES):
        kind = "failed"
    elif name == machine.initial:
        kind = "initial"
    return Box(
        state=name,
        doc=state.doc,
        kind=kind,
        final=state.final,
        internal=tuple(dict.fromkeys(move.line for move in inside)),
        classes=_classes(inside),
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


def _classes(moves: list[_Move]) -> tuple[str, ...]:
    pairs = (f"t-{one.source}-{one.event}" for move in moves for one in move.transitions)
    return tuple(dict.fromkeys(pairs))


def _detail(one: Transition) -> str:
    """A transition's id and what happens by it."""
    done = [f"{part.name} = {to_text(part.value)}" for part in one.assignments]
    done += [f"{part.collection} in {part.state}: {part.event}" for part in one.members]
    return f"{one.id}: {'; '.join(done)}" if done else one.id
