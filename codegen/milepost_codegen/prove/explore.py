"""A search through real runs, breadth first: what it meets first, it meets by a shortest run.

Free values are sampled, so that what is found is certain, and what is not found is not excluded.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import Logic, reads
from milepost_codegen.prove.closures import Function, function
from milepost_codegen.prove.samples import Samples
from milepost_codegen.prove.system import Configuration, Move, Run, RunStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.system import Entry, Input, System, Value, Values

__all__ = ["Break", "Explorer", "Pair", "Visit"]

_MOST_STARTS: Final = 64
_FEW: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The moves of one mode that answer the same event of the same subject."""

    mode: str
    event: str
    subject: str
    moves: tuple[Move, ...]
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What an event with a payload does at a configuration: the moves that it enables."""

    at: int
    pair: Pair
    payload: Values
    enabled: tuple[Move, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """An invariant that does not hold after a move from `at`, or, without a move, at a start."""

    name: str
    at: int
    move: Move | None
    payload: Values
    after: Configuration


@dataclass(slots=True)
class _Node:
    at: Configuration
    depth: int
    before: int
    move: Move | None
    payload: Values


@dataclass(slots=True)
class _Prepared:
    """A move with its trees as functions."""

    guard: Function
    sets: list[tuple[str, Function]]


@dataclass(slots=True)
class Explorer:
    """The configurations that runs of a system reach, in the order of their distance from a start.

    `visits` goes through them and can be asked to go on later. `breaks` are the first ones of each
    invariant. Runs end where an invariant is broken. With `evenly` every mode gets its turn, so
    that far ones are reached soon, by runs that need not be shortest.
    """

    system: System
    others: tuple[Expression, ...] = ()
    evenly: bool = False
    breaks: dict[str, Break] = field(default_factory=dict)
    nodes: list[_Node] = field(default_factory=list)
    _waiting: dict[str, deque[int]] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    _seen: set[tuple[object, ...]] = field(default_factory=set)
    _names: tuple[str, ...] = ()
    _prepared: dict[str, _Prepared] = field(default_factory=dict)
    _pairs: dict[str, tuple[Pair, ...]] = field(default_factory=dict)
    _invariants: dict[str, list[tuple[str, Function]]] = field(default_factory=dict)
    _samples: Samples = field(init=False)

    def __post_init__(self) -> None:
        self._samples = Samples(self.system, self.others)
        self._names = tuple(entry.name for entry in self.system.entries)
        grouped: dict[str, dict[tuple[str, str], list[Move]]] = {}
        for move in self.system.moves:
            self._prepared[move.name] = _Prepared(
                guard=function(move.guard),
                sets=[(one.name, function(one.value)) for one in move.sets],
            )
            key = (move.subject, move.event if move.transition is None else _of(move))
            grouped.setdefault(move.source, {}).setdefault(key, []).append(move)
        for mode, pairs in grouped.items():
            self._pairs[mode] = tuple(
                Pair(
                    mode=mode,
                    event=moves[0].event,
                    subject=subject,
                    moves=tuple(moves),
                    inputs=_distinct(moves),
                )
                for (subject, _), moves in pairs.items()
            )
        for mode, named in self.system.invariants.items():
            self._invariants[mode] = [(name, function(holds)) for name, holds in named.items()]
        for values in self.starts({}, _MOST_STARTS):
            at = Configuration(mode=self.system.initial, values=values)
            broken = self._broken(at)
            for name in broken:
                self.breaks.setdefault(
                    name, Break(name=name, at=-1, move=None, payload={}, after=at)
                )
            if not broken:
                self._add(at, -1, None, {})

    def pairs(self, mode: str) -> tuple[Pair, ...]:
        """The pairs of a mode, in the order of their first moves."""
        return self._pairs.get(mode, ())

    def visits(self, most: int) -> Iterator[Visit]:
        """What can happen at configurations not looked at yet, until `most` are known."""
        while len(self.nodes) < most:
            index = self._next()
            if index is None:
                break
            node = self.nodes[index]
            for pair in self.pairs(node.at.mode):
                for payload in self._samples.of_inputs(
                    pair.subject, pair.event, pair.inputs, node.at.values
                ):
                    yield self._visit(index, pair, payload)

    def run_to(self, index: int) -> Run:
        """The run by which a configuration was reached first."""
        steps: list[RunStep] = []
        while self.nodes[index].before >= 0:
            node = self.nodes[index]
            if node.move is not None:
                steps.append(RunStep(move=node.move, payload=node.payload, after=node.at))
            index = node.before
        return Run(start=self.nodes[index].at, steps=tuple(reversed(steps)))

    def run_of(self, found: Break) -> Run:
        """The run that breaks an invariant."""
        if found.move is None:
            return Run(start=found.after)
        before = self.run_to(found.at)
        last = RunStep(move=found.move, payload=found.payload, after=found.after)
        return Run(start=before.start, steps=(*before.steps, last))

    def after(self, move: Move, at: Configuration, payload: Values) -> Configuration:
        """Where a move leads."""
        prepared = self._prepared[move.name]
        if not prepared.sets:
            return Configuration(mode=move.target, values=at.values)
        new = {name: value(at.values, payload) for name, value in prepared.sets}
        return Configuration(mode=move.target, values={**at.values, **new})

    def holds(self, at: Configuration) -> bool:
        """True if every declared invariant of its mode holds there."""
        return not self._broken(at)

    def allows(self, move: Move, at: Configuration, payload: Values) -> bool:
        """True if the guard of a move allows it there."""
        return bool(self._prepared[move.name].guard(at.values, payload))

    def taken(self, pair: Pair, at: Configuration, payload: Values) -> Move | None:
        """The first move of a pair that its guard allows there."""
        return next((move for move in pair.moves if self.allows(move, at, payload)), None)

    def payloads(self, pair: Pair, at: Configuration) -> Iterator[Values]:
        """The payloads to try for a pair."""
        return self._samples.of_inputs(pair.subject, pair.event, pair.inputs, at.values)

    def _next(self) -> int | None:
        """The configuration to look at next; None if there is none."""
        waiting = [(self._turns.get(mode, 0), mode) for mode, one in self._waiting.items() if one]
        if not waiting:
            return None
        turns, mode = min(waiting)
        self._turns[mode] = turns + 1
        return self._waiting[mode].popleft()

    def _visit(self, index: int, pair: Pair, payload: Values) -> Visit:
        at = self.nodes[index].at
        taken = tuple(move for move in pair.moves if self.allows(move, at, payload))
        if taken:
            move = taken[0]
            reached = self.after(move, at, payload)
            broken = self._broken(reached)
            for name in broken:
                self.breaks.setdefault(
                    name, Break(name=name, at=index, move=move, payload=payload, after=reached)
                )
            if not broken:
                self._add(reached, index, move, payload)
        return Visit(at=index, pair=pair, payload=payload, enabled=taken)

    def _broken(self, at: Configuration) -> list[str]:
        return [name for name, holds in self._invariants[at.mode] if not holds(at.values, {})]

    def _add(self, at: Configuration, before: int, move: Move | None, payload: Values) -> None:
        key = (at.mode, *(at.values[name] for name in self._names))
        if key in self._seen:
            return
        self._seen.add(key)
        depth = 0 if before < 0 else self.nodes[before].depth + 1
        self._waiting.setdefault(at.mode if self.evenly else "", deque()).append(len(self.nodes))
        self.nodes.append(_Node(at=at, depth=depth, before=before, move=move, payload=payload))

    def starts(self, given: Values, most: int) -> Iterator[dict[str, Value]]:
        """What all entries may be where a run begins, with those that are `given` as they are.

        First the small values of all free entries together, then every value of each one alone.
        """
        parts = self.system.start
        together = isinstance(parts, Logic) and parts.operator == "and"
        conditions = parts.operands if isinstance(parts, Logic) and together else (parts,)
        waiting = [(frozenset(_read(part)), function(part)) for part in conditions]
        known = {one.name: one.initial for one in self.system.entries if one.initial is not None}
        known.update({name: value for name, value in given.items() if name in self._names})
        free = [one for one in self.system.entries if one.name not in known]
        pools = {one.name: self._samples.of_entry(one) for one in free}
        few = {
            name: values[:_FEW] if _numbers(values) else values for name, values in pools.items()
        }
        tries: list[Mapping[str, tuple[Value, ...]]] = [few]
        tries += [{**few, one.name: pools[one.name]} for one in free]
        seen: set[tuple[Value, ...]] = set()
        for number, pool in enumerate(tries):
            share = most // 2 if number == 0 else max(4, most // (2 * len(tries)))
            found = (
                values
                for values in _assigned(known, free, waiting, pool)
                if tuple(values[one.name] for one in free) not in seen
            )
            for values in itertools.islice(found, share):
                seen.add(tuple(values[one.name] for one in free))
                yield values


def _of(move: Move) -> str:
    """What tells the pair of a move from others of its subject: the event, and a member's state."""
    if move.subject and move.transition is not None:
        return f"{move.transition.source}.{move.event}"
    return move.event


def _distinct(moves: Iterable[Move]) -> tuple[Input, ...]:
    return tuple({one.name: one for move in moves for one in move.inputs}.values())


def _numbers(values: tuple[Value, ...]) -> bool:
    return bool(values) and not isinstance(values[0], bool | str)


def _read(tree: Expression) -> set[str]:
    return {one.name for one in reads(tree) if not one.payload}


def _assigned(
    values: dict[str, Value],
    free: list[Entry],
    waiting: list[tuple[frozenset[str], Function]],
    pools: Mapping[str, tuple[Value, ...]],
) -> Iterator[dict[str, Value]]:
    """`values` with every free entry given; conditions are asked as soon as they can be."""
    ready = [holds for reads, holds in waiting if reads <= values.keys()]
    if not all(holds(values, {}) for holds in ready):
        return
    if not free:
        yield values
        return
    later = [one for one in waiting if not one[0] <= values.keys()]
    first, *rest = free
    for value in pools[first.name]:
        yield from _assigned({**values, first.name: value}, rest, later, pools)
