"""Lemmas: what holds in every configuration that runs reach, guessed from those that were seen.

Every guess that no configuration contradicts is a candidate; what the start or a move breaks is
dropped until the rest keeps itself. The largest such set is unique, so it does not depend on who
decides, nor on the order.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.substitute import (
    FALSE,
    TRUE,
    both,
    constant,
    opposite,
    substitute,
)
from milepost_codegen.expressions.tree import (
    BOOL,
    INT,
    Comparison,
    Expression,
    GuardUse,
    Implication,
    Logic,
    Not,
    Number,
    Read,
    reads,
)
from milepost_codegen.prove.build import fixed_entries
from milepost_codegen.prove.closures import function
from milepost_codegen.prove.decider import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from milepost_codegen.prove.decider import Decider
    from milepost_codegen.prove.system import Configuration, Entry, Move, System, Values

__all__ = ["candidates", "strongest"]

_MOST_SEEN: Final = 300
_MOST_PAIRED: Final = 10
_MOST_CONDITIONS: Final = 24
_MOST_IMPLIED: Final = 12


def candidates(
    system: System, seen: Iterable[Configuration], wanted: Mapping[str, Sequence[Expression]]
) -> dict[str, tuple[Expression, ...]]:
    """Guesses by mode that hold in the first configurations that were seen, and what is `wanted`.

    A mode that was never seen is guessed to be out of reach, by a condition that never holds.
    """
    by_mode: dict[str, list[Values]] = defaultdict(list)
    for at in seen:
        if len(by_mode[at.mode]) < _MOST_SEEN:
            by_mode[at.mode].append(at.values)
    conditions = _conditions(system)
    found: dict[str, tuple[Expression, ...]] = {}
    for mode in system.modes:
        values = by_mode[mode]
        if not values:
            found[mode] = (FALSE, *wanted.get(mode, ()))
            continue
        guesses: dict[Expression, None] = dict.fromkeys(wanted.get(mode, ()))
        guesses.update(dict.fromkeys(_of_entries(system.entries, values)))
        guesses.update(dict.fromkeys(_of_conditions(conditions, values)))
        found[mode] = tuple(one for one in guesses if _all(one, values))
    return found


def strongest(
    system: System, guesses: Mapping[str, tuple[Expression, ...]], decider: Decider
) -> dict[str, tuple[Expression, ...]]:
    """The largest part of `guesses` that holds at every start and is kept by every move.

    Invariants are taken to hold before and after a move. Raises Undecided.
    """
    kept = {mode: list(trees) for mode, trees in guesses.items()}
    start = both((system.start, system.facts, *fixed_entries(system)))
    invariants = {mode: both(named.values()) for mode, named in system.invariants.items()}
    first = kept[system.initial]
    _drop(first, first, (start, invariants[system.initial]), decider)
    by_source: dict[str, list[Move]] = defaultdict(list)
    for move in system.moves:
        by_source[move.source].append(move)
    after: dict[tuple[str, int], Expression] = {}

    def then(move: Move, tree: Expression) -> Expression:
        key = move.name, id(tree)
        if key not in after:
            sets = {part.name: part.value for part in move.sets}
            after[key] = substitute(tree, sets) if sets else tree
        return after[key]

    waiting = list(system.modes)
    while waiting:
        mode = waiting.pop(0)
        if FALSE in kept[mode]:
            continue
        for move in by_source[mode]:
            target = kept[move.target]
            if not target or (not move.sets and move.source == move.target):
                continue
            before = (
                system.facts,
                invariants[mode],
                *kept[mode],
                move.guard,
                then(move, invariants[move.target]),
            )
            lost = _drop(target, [then(move, tree) for tree in target], before, decider)
            if lost and move.target not in waiting:
                waiting.append(move.target)
    return {mode: tuple(trees) for mode, trees in kept.items()}


def _drop(
    kept: list[Expression],
    claims: list[Expression],
    premises: tuple[Expression, ...],
    decider: Decider,
) -> bool:
    """Drop what `premises` do not imply of `claims`, which belong to `kept` one by one."""
    claims = list(claims)
    dropped = False
    while True:
        open_ones = [claim for claim in claims if claim != TRUE]
        if not open_ones:
            return dropped
        values = decider.some(*premises, opposite(both(open_ones)))
        if values is None:
            return dropped
        false = [index for index, claim in enumerate(claims) if _false(claim, values)]
        if not false:
            raise Undecided("the solver's values contradict none of the claims")
        for index in reversed(false):
            del claims[index], kept[index]
        dropped = True


def _false(tree: Expression, values: Values) -> bool:
    """True if `tree` is false there; what reads more than was asked about is left open."""
    payload = {name[6:]: value for name, value in values.items() if name.startswith("event.")}
    try:
        return not function(tree)(values, payload)
    except KeyError:
        return False


def _all(tree: Expression, values: Iterable[Values]) -> bool:
    holds = function(tree)
    return all(holds(one, {}) for one in values)


def _of_entries(entries: Sequence[Entry], seen: Sequence[Values]) -> Iterator[Expression]:
    """What single entries are, and how pairs of integers compare."""
    numbers: list[Read] = []
    for entry in entries:
        read = Read(name=entry.name, type=entry.type)
        found = {values[entry.name] for values in seen}
        if len(found) == 1:
            (only,) = found
            value = constant(entry.type, only)
            if entry.type == BOOL:
                yield read if only else Not(operand=read)
            else:
                yield Comparison(operands=(read, value), operators=("==",))
        if entry.type == INT:
            numbers.append(read)
            amounts = [int(one) for one in found]
            yield _compared(read, ">=", Number(value=min(amounts)))
            yield _compared(read, "<=", Number(value=max(amounts)))
        elif entry.type != BOOL:
            for member in entry.type.members:
                if member not in found:
                    other = constant(entry.type, member)
                    yield Comparison(operands=(read, other), operators=("!=",))
    if len(numbers) <= _MOST_PAIRED:
        for one, other in itertools.permutations(numbers, 2):
            yield _compared(one, "<", other)
            yield _compared(one, "<=", other)


def _compared(left: Expression, operator: str, right: Expression) -> Expression:
    return Comparison(operands=(left, right), operators=(operator,))  # type: ignore[arg-type]


def _of_conditions(
    conditions: Sequence[Expression], seen: Sequence[Values]
) -> Iterator[Expression]:
    """Conditions of the definition, their opposites, and what follows from one another."""
    for one in conditions:
        yield one
        yield opposite(one)
    if len(seen) > 1:
        for one, other in itertools.permutations(conditions[:_MOST_IMPLIED], 2):
            yield Implication(premise=one, conclusion=other)
            yield Implication(premise=one, conclusion=opposite(other))
            yield Implication(premise=opposite(one), conclusion=other)


def _conditions(system: System) -> list[Expression]:
    """The conditions on the context that guards and invariants are made of, the first ones."""
    found: dict[Expression, None] = {}
    trees = [move.guard for move in system.moves]
    trees += [tree for named in system.invariants.values() for tree in named.values()]
    for tree in trees:
        for part in _atoms(tree):
            if not any(one.payload for one in reads(part)):
                found[part] = None
    for entry in system.entries:
        if entry.type == BOOL:
            found[Read(name=entry.name, type=BOOL)] = None
    return list(found)[:_MOST_CONDITIONS]


def _atoms(tree: Expression) -> Iterator[Expression]:
    match tree:
        case GuardUse(body=body):
            yield from _atoms(body)
        case Not(operand=operand):
            yield from _atoms(operand)
        case Logic(operands=operands):
            for part in operands:
                yield from _atoms(part)
        case Implication(premise=premise, conclusion=conclusion):
            yield from _atoms(premise)
            yield from _atoms(conclusion)
        case Comparison() | Read():
            yield tree
        case _:
            return
