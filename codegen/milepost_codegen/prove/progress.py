"""Whether the measures of progress fall on every cycle: a proof, or a cycle on which they do not.

For each row the most by which it raises a measure is found. A measure falls on every cycle if the
rises around it add up to less than nothing; where they add up to nothing, the next measure counts.
So a measure may rise on one row of a cycle if others make up for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.substitute import substitute
from milepost_codegen.expressions.tree import Arithmetic, Comparison, Number
from milepost_codegen.prove.closures import function
from milepost_codegen.prove.system import Run, RunStep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.explore import Explorer
    from milepost_codegen.prove.judge import Judge
    from milepost_codegen.prove.system import Configuration, Move

__all__ = ["Cycle", "falls", "find_cycle"]

_MOST_RISE: Final = 1 << 40
_MOST_ANCHORS: Final = 2_000
_MOST_STEPS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """A run that ends in a cycle on which the measures do not fall; `begins` is its first step."""

    run: Run
    begins: int


def falls(judge: Judge, measures: Sequence[Expression], excepted: Sequence[str]) -> bool:
    """True if it is proved that the measures fall on every cycle. Raises Undecided.

    False says only that it is not proved. What members do between two steps of their owner must
    raise no measure at all.
    """
    moves = [
        move
        for move in judge.system.moves
        if move.subject or move.event not in excepted
        if judge.decider.some(*judge.premises(move.source), move.guard) is not None
    ]
    remaining = [move for move in moves if not move.subject]
    outside = [move for move in moves if move.subject]
    for measure in measures:
        if any(_may_rise(_rise(judge, move, measure)) for move in outside):
            return False
        rises: dict[str, int] = {}
        remaining = _in_cycles(remaining)
        for move in remaining:
            rise = _rise(judge, move, measure)
            if rise is None:
                return False
            rises[move.name] = rise
        levels = _levels(remaining, rises)
        if levels is None:
            return False
        remaining = [
            move
            for move in remaining
            if rises[move.name] + levels[move.target] - levels[move.source] == 0
        ]
    return not _in_cycles(remaining)


def find_cycle(
    explorer: Explorer, measures: Sequence[Expression], excepted: Sequence[str]
) -> Cycle | None:
    """The shortest run into a cycle on which the measures do not fall, of those that were seen.

    A cycle comes back to the state that it began in. What members do is a step of it, if the owner
    steps as well.
    """
    values = [function(one) for one in measures]

    def measured(at: Configuration) -> tuple[int, ...]:
        return tuple(int(one(at.values, {})) for one in values)

    best: Cycle | None = None
    budget = [_MOST_STEPS]
    for index, node in enumerate(explorer.nodes[:_MOST_ANCHORS]):
        most = len(best.run.steps) - node.depth - 1 if best else len(explorer.system.modes) * 2
        if most < 1 or budget[0] <= 0:
            break
        found = _back(explorer, node.at, measured, excepted, most, budget)
        if found is not None:
            stem = explorer.run_to(index)
            run = Run(start=stem.start, steps=(*stem.steps, *found))
            best = Cycle(run=run, begins=len(stem.steps))
    return best


def _back(
    explorer: Explorer,
    anchor: Configuration,
    measured: Callable[[Configuration], tuple[int, ...]],
    excepted: Sequence[str],
    most: int,
    budget: list[int],
) -> tuple[RunStep, ...] | None:
    """The fewest steps from a configuration back to its mode with measures that did not fall."""
    first = measured(anchor)
    seen = {(anchor.mode, False, *anchor.values.values())}
    level: list[tuple[Configuration, bool, tuple[RunStep, ...]]] = [(anchor, False, ())]
    for _ in range(most):
        following: list[tuple[Configuration, bool, tuple[RunStep, ...]]] = []
        for at, stepped, steps in level:
            for pair in explorer.pairs(at.mode):
                if not pair.subject and pair.event in excepted:
                    continue
                if pair.subject and (pair.moves[0].transition is None):
                    continue
                for payload in explorer.payloads(pair, at):
                    budget[0] -= 1
                    if budget[0] <= 0:
                        return None
                    move = next(
                        (one for one in pair.moves if explorer.allows(one, at, payload)), None
                    )
                    if move is None:
                        continue
                    reached = explorer.after(move, at, payload)
                    own = stepped or not pair.subject
                    key = (reached.mode, own, *reached.values.values())
                    if not explorer.holds(reached):
                        continue
                    there = (*steps, RunStep(move=move, payload=payload, after=reached))
                    if own and reached.mode == anchor.mode and measured(reached) >= first:
                        return there
                    if key not in seen:
                        seen.add(key)
                        following.append((reached, own, there))
        level = following
    return None


def _may_rise(rise: int | None) -> bool:
    return rise is None or rise > 0


def _rise(judge: Judge, move: Move, measure: Expression) -> int | None:
    """The most by which a move raises a measure; None if there is no most. Raises Undecided."""
    sets = {part.name: part.value for part in move.sets}
    after = substitute(measure, sets)
    before = substitute(measure, {})
    if after == before:
        return 0
    difference = Arithmetic(operands=(after, before), operators=("-",))
    premises = (*judge.premises(move.source), move.guard)

    def above(amount: int) -> bool:
        more = Comparison(operands=(difference, Number(value=amount)), operators=(">",))
        return judge.decider.some(*premises, more) is not None

    low, high = -1, 0  # above(low) is to be true, above(high) false
    while above(high):
        low, high = high, max(1, high * 2)
        if high > _MOST_RISE:
            return None
    if low == -1:
        step = 1
        while not above(low):
            high, low = low, low - step
            step *= 2
            if -low > _MOST_RISE:
                return low
    while high - low > 1:
        middle = (high + low) // 2
        if above(middle):
            low = middle
        else:
            high = middle
    return high


def _in_cycles(moves: Sequence[Move]) -> list[Move]:
    """The moves that are part of a cycle of them."""
    after: dict[str, set[str]] = {}
    for move in moves:
        after.setdefault(move.source, set()).add(move.target)
    reach = {mode: _reach(mode, after) for mode in after}
    return [
        move
        for move in moves
        if move.source in reach.get(move.target, set()) or move.source == move.target
    ]


def _reach(mode: str, after: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    pending = [mode]
    while pending:
        for target in after.get(pending.pop(), ()):
            if target not in seen:
                seen.add(target)
                pending.append(target)
    return seen


def _levels(moves: Sequence[Move], rises: Mapping[str, int]) -> dict[str, int] | None:
    """A level for each mode such that rise + level after - level before is never above 0.

    None if some cycle rises. It is 0 exactly for moves on cycles that neither rise nor fall, as
    far as one set of levels can tell.
    """
    modes = {mode for move in moves for mode in (move.source, move.target)}
    levels = dict.fromkeys(modes, 0)
    for _ in range(len(modes) + 1):
        changed = False
        for move in moves:
            least = levels[move.target] + rises[move.name]
            if levels[move.source] < least:
                levels[move.source] = least
                changed = True
        if not changed:
            return levels
    return None
