"""Whether what is stored of the old version satisfies what the new one asks of it.

The new version asks for parameters that satisfy `where`, and for its invariants, which it enforces
at every step. An invariant of the new version holds of every stored job if what the old version
asks for implies it; else if it holds where a job begins, and every step of the old version that
the new one takes keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.diff.asking import model_of
from milepost_codegen.diff.moves import counted, member_moves, sent
from milepost_codegen.diff.space import FREE, invariants_of
from milepost_codegen.expressions.substitute import TRUE, both, constant, substitute
from milepost_codegen.expressions.tree import Member, Not, Number, Truth, reads
from milepost_codegen.logic import Undecided
from milepost_codegen.model import reads_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from milepost_codegen.diff.asking import Model
    from milepost_codegen.diff.replay import Rows
    from milepost_codegen.diff.space import Space
    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Invariant, Machine, Migration, Variable

__all__ = ["Claims", "Unlawful", "broken_invariants", "broken_parameters", "claims_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlawful:
    """What NEW asks for and a stored job may not satisfy: a parameter's `where`, or an invariant.

    `state` is that of OLD, `""` for a parameter. `model` is such a job; None where it could not
    be told whether there is one.
    """

    part: Variable | Invariant
    state: str
    model: Model | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What NEW asks of a job in each of OLD's states, over the space.

    `kept` are the invariants that hold all along a replay, `broken` those that do not.
    """

    kept: Mapping[str, Mapping[str, Expression]]
    broken: tuple[Unlawful, ...]

    def of(self, state: str) -> Expression:
        """All that holds of NEW in a replay while OLD is in `state`."""
        return both(self.kept.get(state, {}).values())


def broken_parameters(space: Space, entries: Mapping[str, Expression]) -> Iterator[Unlawful]:
    """The parameters of NEW whose `where` a job may not satisfy that has these entries."""
    for one in space.new.variables:
        if one.where is not None:
            holds = space.of_new(one.where, {}, entries)
            yield from _unless(space, one, "", holds, [space.parameters()])


def broken_invariants(space: Space, states: Iterable[str]) -> Iterator[Unlawful]:
    """The invariants of NEW that read what the migration gives, and that a stored job may break."""
    for state in states:
        known = [space.parameters(), space.kept(state)]
        for one in _invariants(space, state):
            if not space.given.isdisjoint(reads_in(one.holds)):
                holds = space.of_new(one.holds, {}, space.stored)
                yield from _unless(space, one, state, holds, known)


def claims_of(
    space: Space,
    pairs: Sequence[Rows],
    machines: Mapping[str, Machine],
    states: Sequence[str],
    migrations: Sequence[Migration],
) -> Claims:
    """The invariants of NEW that hold of every job that OLD has, state by state.

    `migrations` are OLD's own, by which jobs came that did not begin under it. What is not implied
    at once is taken to hold, and dropped where a job begins or comes without it, or where a step
    does not keep it, until nothing more is dropped.
    """
    search = _Search(space, pairs, machines, states)
    for state in states:
        for one in _invariants(space, state):
            search.consider(state, one)
    search.begin()
    for migration in migrations:
        search.come(migration)
    search.settle()
    return Claims(kept=search.kept, broken=tuple(search.broken.values()))


class _Search:
    """Which of NEW's invariants hold, found by dropping those that do not."""

    def __init__(
        self,
        space: Space,
        pairs: Sequence[Rows],
        machines: Mapping[str, Machine],
        states: Sequence[str],
    ) -> None:
        self.space = space
        self.pairs = pairs
        self.machines = machines
        self.states = states
        self.kept: dict[str, dict[str, Expression]] = {}
        self.broken: dict[tuple[str, str], Unlawful] = {}
        self.doubted: dict[tuple[str, str], tuple[Invariant, Unlawful]] = {}

    def consider(self, state: str, one: Invariant) -> None:
        """Take an invariant to hold; it is doubted unless OLD's own claims imply it."""
        space = self.space
        holds = space.of_new(one.holds, {}, space.entries)
        self.kept.setdefault(state, {})[one.name] = holds
        for found in _unless(space, one, state, holds, [space.parameters(), space.kept(state)]):
            self.doubted[state, one.name] = one, found

    def come(self, migration: Migration) -> None:
        """Drop what may not hold where a job comes from a version before OLD, in any state."""
        space = self.space
        given = {
            one.name: one.value
            for answers in migration.answers
            if answers.machine == space.old.name
            for one in answers.values
            if isinstance(one.value, (Number, Truth, Member))
        }
        come = {name: space.of_old(value) for name, value in given.items()}
        fresh = {FREE + name: substitute(tree, come) for name, tree in space.stored.items()}
        for state in self.states:
            known = [substitute(one, come) for one in (space.parameters(), space.kept(state))]
            for name, (one, _) in self._doubts(state):
                holds = substitute(self.kept[state][name], come | fresh)
                for found in _unless(space, one, state, holds, known):
                    self._drop(state, name, found)

    def begin(self) -> None:
        """Drop what does not hold where a job begins."""
        space = self.space
        state = space.old.initial
        at_start = {
            **{
                one.name: constant(space.types.get(one.type.name, one.type), one.initial)
                for one in space.old.variables
                if one.initial is not None and not one.param
            },
            **{
                one.entry: constant(space.types[one.entry], one.initial)
                for one in space.old.histories
            },
            **{
                f"{one.name}.{part}": Number(value=0)
                for one in space.old.collections
                for part in one.states
                if part != self.machines[one.machine].initial
            },
        }
        fresh = {
            FREE + one.name: constant(space.types.get(one.type.name, one.type), one.initial)
            for one in space.new.variables
            if one.initial is not None and not one.param
        } | {
            FREE + one.entry: constant(space.types[one.entry], one.initial)
            for one in space.new.histories
        }
        for name, (one, _) in self._doubts(state):
            holds = substitute(self.kept[state][name], at_start | fresh)
            known = [substitute(space.parameters(), at_start)]
            for found in _unless(space, one, state, holds, known):
                self._drop(state, name, found)

    def settle(self) -> None:
        """Drop what some step does not keep, until every step keeps all that is left."""
        while self.doubted and self._round():
            pass

    def _round(self) -> bool:
        before = len(self.doubted)
        for pair in self.pairs:
            for index, one in enumerate(pair.before):
                doubts = self._doubts(one.row.target)
                if doubts:
                    self._keep_row(pair, index, doubts)
        for state in self.states:
            doubts = self._doubts(state)
            if doubts:
                self._keep_counts(state, doubts)
        return len(self.doubted) < before

    def _keep_row(
        self, pair: Rows, index: int, doubts: Sequence[tuple[str, tuple[Invariant, Unlawful]]]
    ) -> None:
        """Drop what the row of OLD breaks, whichever row of NEW replays it."""
        space, one = self.space, pair.before[index]
        counting = sent(space.old, self.machines, one.row)
        values = {part.name: space.of_old(part.value) for part in one.row.assignments}
        premise = [
            one.guard,
            *(Not(operand=other.guard) for other in pair.before[:index]),
            *self._known(pair.state),
            counting.condition,
            substitute(counted(space.kept(one.row.target), counting), values),
        ]
        ways: list[tuple[list[Expression], dict[str, Expression]]] = []
        if space.names.answer_row(one.row):  # NEW need not take it, and jobs are there all the same
            ways.append(([], {}))
        for place, other in enumerate(pair.after):
            if other.target == one.target:
                earlier = (Not(operand=first.guard) for first in pair.after[:place])
                told = {FREE + name: value for name, value in other.apart.items()}
                ways.append(([other.guard, *earlier], told))
        for taken, fresh in ways:
            for name, (invariant, _) in doubts:
                holds = self.kept[one.row.target].get(name)
                if holds is None:
                    continue
                after = substitute(counted(holds, counting), values | fresh)
                state = one.row.target
                for found in _unless(space, invariant, state, after, [*premise, *taken]):
                    self._drop(state, name, found)

    def _keep_counts(
        self, state: str, doubts: Sequence[tuple[str, tuple[Invariant, Unlawful]]]
    ) -> None:
        """Drop what members break by what they do on their own."""
        space = self.space
        for change in member_moves(space.old, self.machines, state):
            premise = [
                *self._known(state),
                change.condition,
                counted(space.kept(state), change),
            ]
            for name, (invariant, _) in doubts:
                holds = self.kept[state].get(name)
                if holds is None:
                    continue
                after = counted(holds, change)
                if after != holds:
                    for found in _unless(space, invariant, state, after, premise):
                        self._drop(state, name, found)

    def _known(self, state: str) -> list[Expression]:
        held = self.kept.get(state, {}).values()
        return [self.space.parameters(), self.space.kept(state), *held]

    def _doubts(self, state: str) -> list[tuple[str, tuple[Invariant, Unlawful]]]:
        return [(name, doubt) for (where, name), doubt in self.doubted.items() if where == state]

    def _drop(self, state: str, name: str, found: Unlawful) -> None:
        """Give an invariant up; what breaks it is told by the job that it was doubted for."""
        _, doubt = self.doubted.pop((state, name), (None, found))
        del self.kept[state][name]
        self.broken[state, name] = doubt


def _invariants(space: Space, state: str) -> Iterator[Invariant]:
    """The invariants of NEW that a job of OLD has to satisfy which is in `state`."""
    moved = space.names.moved_states.get(state)
    return invariants_of(space.new, moved) if moved else iter(())


def _unless(
    space: Space,
    part: Variable | Invariant,
    state: str,
    holds: Expression,
    known: Sequence[Expression],
) -> Iterator[Unlawful]:
    """What breaks `holds` where all that is `known` holds, if anything may."""
    if holds == TRUE:
        return
    try:
        model = model_of(space, (*known, *_asked(space), Not(operand=holds)))
    except Undecided:
        yield Unlawful(part=part, state=state, model=None)
        return
    if model is not None:
        yield Unlawful(part=part, state=state, model=model)


def _asked(space: Space) -> Iterator[Expression]:
    """What NEW asks of parameters that only it has: without that, no job can be."""
    for one in space.new.variables:
        if one.where is not None:
            holds = space.of_new(one.where, {}, space.entries)
            if _apart(holds):
                yield holds


def _apart(tree: Expression) -> bool:
    """True if it reads what only NEW has."""
    return any(one.name.startswith(FREE) for one in reads(tree))
