"""What holds of every job of the old version, beyond what it declares.

Declared invariants leave contexts open that no run comes to, and a change that is felt there alone
breaks nothing. So runs are sampled, what all samples have in common is guessed to hold of all
runs, and what a step does not keep is dropped, until induction shows the rest. It is certain: the
samples only say what is worth a guess.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_codegen.diff.asking import model_of
from milepost_codegen.diff.moves import member_moves, sent
from milepost_codegen.diff.space import invariants_of
from milepost_codegen.expressions import BOOL, INT, evaluate
from milepost_codegen.expressions.substitute import (
    FALSE,
    TRUE,
    both,
    constant,
    either,
    opposite,
    substitute,
)
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Comparison,
    Implication,
    Not,
    Number,
    Read,
    reads,
)
from milepost_codegen.logic import Undecided, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from milepost_codegen.diff.asking import Model
    from milepost_codegen.diff.space import Space
    from milepost_codegen.diff.terms import Value
    from milepost_codegen.expressions import Expression
    from milepost_codegen.expressions.tree import ComparisonOperator
    from milepost_codegen.model import Machine

__all__ = ["learnt"]

_MAX_SAMPLES: Final = 150
_MAX_CHOICES: Final = 24
_MAX_INTEGER: Final = 60
_MAX_GUESSES: Final = 60
_MAX_LISTED: Final = 4
_WORK: Final = 1_500_000
_INTEGERS: Final = (0, 1, -1, 2, 3, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a job may do: under `condition` it comes to `target`, with the values of `after`."""

    source: str
    target: str
    condition: Expression
    after: Mapping[str, Expression]


def learnt(
    space: Space, machines: Mapping[str, Machine], heard: frozenset[str] | None
) -> Mapping[str, Expression]:
    """What every job of OLD satisfies, by OLD's states; nothing where that takes too long.

    Args:
        space: What OLD is read in.
        machines: The machines of OLD by name.
        heard: The events that come to the machine; None if all may.
    """
    steps = tuple(_steps(space, machines, heard))
    samples = _samples(space, machines, steps)
    guesses = {
        state.name: _guesses(space, samples.get(state.name, [])) for state in space.old.states
    }
    try:
        kept = _kept(space, machines, steps, guesses)
    except Undecided:
        return {}
    return {state: both(trees) for state, trees in kept.items()}


def _steps(
    space: Space, machines: Mapping[str, Machine], heard: frozenset[str] | None
) -> Iterator[_Step]:
    old = space.old
    for (state, event), rows in old.pairs.items():
        if heard is not None and event not in heard:
            continue
        before: list[Expression] = []
        for row in rows:
            guard = TRUE if row.guard is None else space.of_old(row.guard)
            counting = sent(old, machines, row)
            yield _Step(
                source=state,
                target=row.target,
                condition=both((guard, *before, counting.condition)),
                after={one.name: space.of_old(one.value) for one in row.assignments}
                | dict(counting.after),
            )
            before.append(opposite(guard))
    for one in old.states:
        for change in member_moves(old, machines, one.name):
            yield _Step(
                source=one.name,
                target=one.name,
                condition=change.condition,
                after=change.after,
            )


def _begins(space: Space, machines: Mapping[str, Machine]) -> dict[str, Expression]:
    """What entries hold where a job begins; parameters and numbers of members are left out."""
    old = space.old
    found: dict[str, Expression] = {
        one.name: constant(space.types.get(one.type.name, one.type), one.initial)
        for one in old.variables
        if one.initial is not None and not one.param
    }
    found |= {one.entry: constant(space.types[one.entry], one.initial) for one in old.histories}
    for one in old.collections:
        initial = machines[one.machine].initial
        found |= {f"{one.name}.{part}": Number(value=0) for part in one.states if part != initial}
        found[f"{one.name}.total"] = Read(name=f"{one.name}.{initial}", type=INT)
    return found


# ---- samples


def _entries(space: Space) -> dict[str, Read]:
    """All that a job of OLD holds."""
    old = space.old
    found = {
        one.name: Read(name=one.name, type=space.types.get(one.type.name, one.type))
        for one in old.variables
    }
    found |= {one.entry: Read(name=one.entry, type=space.types[one.entry]) for one in old.histories}
    for one in old.collections:
        found |= {name: Read(name=name, type=INT) for name in one.entries}
    return found


def _samples(
    space: Space, machines: Mapping[str, Machine], steps: Sequence[_Step]
) -> dict[str, list[dict[str, Value]]]:
    """Contexts that runs come to, by state, the nearest first."""
    old = space.old
    found: dict[str, list[dict[str, Value]]] = {}
    seen: set[tuple[str, tuple[Value, ...]]] = set()
    queue: deque[tuple[str, dict[str, Value]]] = deque()
    lawful = {
        state.name: both((space.parameters(), space.kept(state.name))) for state in old.states
    }

    def come(state: str, values: dict[str, Value]) -> None:
        key = state, tuple(values.values())
        large = any(abs(one) > _MAX_INTEGER for one in values.values() if isinstance(one, int))
        if large or key in seen or len(seen) >= _MAX_SAMPLES:
            return
        if evaluate(lawful[state], values, {}):
            seen.add(key)
            queue.append((state, values))
            found.setdefault(state, []).append(values)

    begins = _begins(space, machines)
    entries = _entries(space)
    free = [read for name, read in entries.items() if name not in begins]
    for chosen in _choices(space, free, 2 * _MAX_CHOICES):
        values: dict[str, Value] = {}
        for name in entries:
            values[name] = chosen.get(name, 0)
        told = {name: evaluate(tree, values, {}) for name, tree in begins.items()}
        if all(int(values[one]) >= 0 for one in values if _counts(space, one)):
            come(old.initial, values | told)
    by_source: dict[str, list[tuple[_Step, list[Read]]]] = {}
    for step in steps:
        fields = {
            node.name: node
            for tree in (step.condition, *step.after.values())
            for node in reads(tree)
            if node.payload
        }
        by_source.setdefault(step.source, []).append((step, list(fields.values())))
    while queue:
        state, values = queue.popleft()
        for step, inputs in by_source.get(state, ()):
            for payload in _choices(space, inputs, _MAX_CHOICES):
                if evaluate(step.condition, values, payload):
                    after = {
                        name: evaluate(tree, values, payload) for name, tree in step.after.items()
                    }
                    come(step.target, values | after)
    return found


def _choices(space: Space, reads: Sequence[Read], most: int) -> Iterator[dict[str, Value]]:
    options: list[tuple[Value, ...]] = []
    for one in reads:
        members = space.before.get(one.type.name, one.type.members)
        options.append(members or ((False, True) if one.type == BOOL else _INTEGERS))
    names = [one.name for one in reads]
    for chosen in itertools.islice(itertools.product(*options), most):
        yield dict(zip(names, chosen, strict=True))


def _counts(space: Space, name: str) -> bool:
    return any(name in one.entries for one in space.old.collections)


# ---- guesses


def _guesses(space: Space, seen: Sequence[Mapping[str, Value]]) -> list[Expression]:
    """What all samples of a state have in common; that no run comes there if there are none."""
    if not seen:
        return [FALSE]
    entries = list(_entries(space).values())
    found: dict[Expression, None] = dict.fromkeys(_of_entries(space, entries, seen))
    found |= dict.fromkeys(_of_pairs(entries, seen))
    found |= dict.fromkeys(_of_cases(space, entries, seen))
    return list(found)[:_MAX_GUESSES]


def _of_entries(
    space: Space, entries: Iterable[Read], seen: Sequence[Mapping[str, Value]]
) -> Iterator[Expression]:
    """What single entries are, or between what they are."""
    for read in entries:
        values = {one[read.name] for one in seen}
        if len(values) == 1:
            yield _is(read, values.pop())
            continue
        if read.type == INT:
            numbers = sorted(map(int, values))
            if len(numbers) <= _MAX_LISTED:
                yield either(_is(read, one) for one in numbers)
            yield _compared(read, ">=", Number(value=numbers[0]))
            yield _compared(read, "<=", Number(value=numbers[-1]))
        for member in space.before.get(read.type.name, read.type.members):
            if member not in values:
                yield Not(operand=_is(read, member))


def _of_pairs(entries: Sequence[Read], seen: Sequence[Mapping[str, Value]]) -> Iterator[Expression]:
    """How integers compare."""
    numbers = [read for read in entries if read.type == INT and "." not in read.name]
    for one, other in itertools.combinations(numbers, 2):
        gaps = {int(values[one.name]) - int(values[other.name]) for values in seen}
        if len(gaps) == 1:
            yield _compared(one, "==", _more(other, gaps.pop()))
        elif len(gaps) > 1:
            yield _compared(one, ">=", _more(other, min(gaps)))
            yield _compared(one, "<=", _more(other, max(gaps)))


def _of_cases(
    space: Space, entries: Sequence[Read], seen: Sequence[Mapping[str, Value]]
) -> Iterator[Expression]:
    """What entries are where a truth value, or a member, is one of those that it is."""
    for case in entries:
        members = space.before.get(case.type.name, case.type.members)
        options: tuple[Value, ...] = members or ((False, True) if case.type == BOOL else ())
        for option in options:
            there = [one for one in seen if one[case.name] == option]
            if not there or len(there) == len(seen):
                continue
            for read in entries:
                if read == case:
                    continue
                values = {one[read.name] for one in there}
                if len(values) == 1:
                    yield _if(_is(case, option), _is(read, values.pop()))
                elif read.type == INT:
                    least = Number(value=min(map(int, values)))
                    yield _if(_is(case, option), _compared(read, ">=", least))


def _is(read: Read, value: Value) -> Expression:
    if read.type == BOOL:
        return read if value else Not(operand=read)
    return _compared(read, "==", constant(read.type, value))


def _if(premise: Expression, conclusion: Expression) -> Expression:
    return Implication(premise=premise, conclusion=conclusion)


def _more(read: Read, number: int) -> Expression:
    return Arithmetic(operands=(read, Number(value=number)), operators=("+",)) if number else read


def _compared(left: Expression, operator: ComparisonOperator, right: Expression) -> Expression:
    return Comparison(operands=(left, right), operators=(operator,))


# ---- induction


def _kept(
    space: Space,
    machines: Mapping[str, Machine],
    steps: Sequence[_Step],
    guesses: Mapping[str, Sequence[Expression]],
) -> Mapping[str, Sequence[Expression]]:
    """Those of the guesses that hold where a job begins, and that every step keeps."""
    work = Work(_WORK)
    kept = {state: list(trees) for state, trees in guesses.items()}
    begins = _begins(space, machines)

    def ask(conditions: Iterable[Expression]) -> Model | None:
        return model_of(space, conditions, work)

    first = kept[space.old.initial]
    start = (substitute(space.parameters(), begins), _substituted(space, space.old.initial, begins))
    _drop(first, [substitute(one, begins) for one in first], start, ask)
    waiting = [state.name for state in space.old.states]
    while waiting:
        state = waiting.pop(0)
        if FALSE in kept[state]:
            continue
        for step in steps:
            target = kept[step.target]
            if step.source != state or not target:
                continue
            premise = (
                space.parameters(),
                space.kept(state),
                *kept[state],
                step.condition,
                _substituted(space, step.target, step.after),
            )
            claims = [substitute(one, step.after) for one in target]
            if _drop(target, claims, premise, ask) and step.target not in waiting:
                waiting.append(step.target)
    return kept


def _substituted(space: Space, state: str, values: Mapping[str, Expression]) -> Expression:
    """What the invariants of a state say with those values."""
    return both(
        substitute(space.of_old(one.holds), values) for one in invariants_of(space.old, state)
    )


def _drop(
    kept: list[Expression],
    claims: list[Expression],
    premise: Sequence[Expression],
    ask: Callable[[Iterable[Expression]], Model | None],
) -> bool:
    """Drop what the premise does not imply of `claims`, which belong to `kept` one by one."""
    dropped = False
    while claims:
        model = ask((*premise, opposite(both(claims))))
        if model is None:
            return dropped
        payload = {
            name.removeprefix("event."): value
            for name, value in model.items()
            if name.startswith("event.")
        }
        false = [at for at, one in enumerate(claims) if not evaluate(one, model, payload)]
        if not false:
            raise Undecided
        for at in reversed(false):
            del claims[at], kept[at]
        dropped = True
    return dropped
