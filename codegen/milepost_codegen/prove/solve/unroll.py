"""The shortest run that ends badly, by unrolling a system step by step; or that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_codegen.prove.solve.ask import EFFORT, Solver
from milepost_codegen.prove.solve.concrete import Found, with_values
from milepost_codegen.prove.solve.goals import Goal, at_mode, distances, start_view
from milepost_codegen.prove.solve.offers import Offers
from milepost_codegen.prove.solve.terms import Encoder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.solve.terms import Term, View
    from milepost_codegen.prove.system import Move, System

__all__ = ["exclude_shorter", "shortest"]

_PAIRS: Final = 8  # of modes that exclude each other two by two


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One step in the solver: the moves that may be it, and the truth values that say which is."""

    taken: Mapping[str, tuple[Move, Term]]


def shortest(
    system: System,
    bad: Mapping[str, Expression],
    *,
    at_most: int,
    shorter_than: int | None = None,
    bad_moves: Mapping[str, Expression] | None = None,
    stuck: Mapping[str, Collection[Move]] | None = None,
    keep_last: bool = True,
    effort: int = EFFORT,
) -> Found | None:
    """The shortest run that ends as a `Goal` of these says, or None if there is none so short.

    Of several shortest runs it is the one whose moves come first in the system, step by step, with
    the first values (`Solver.least`) of free entries and then of payloads. Runs have at most
    `at_most` steps and fewer than `shorter_than`. Raises Undecided where a question takes more
    work than `effort`.
    """
    goal = Goal(modes=bad, moves=bad_moves or {}, stuck=stuck or {}, keep_last=keep_last)
    limit = at_most if shorter_than is None else min(at_most, shorter_than - 1)
    unrolling = _Unrolling(system, goal, limit, effort)
    while unrolling.length <= limit:
        path = unrolling.path()
        if path is not None:
            return with_values(system, goal, path, effort)
        if not unrolling.extend():
            return None
    return None


def exclude_shorter(
    system: System,
    bad: Mapping[str, Expression],
    *,
    length: int,
    bad_moves: Mapping[str, Expression] | None = None,
    stuck: Mapping[str, Collection[Move]] | None = None,
    keep_last: bool = True,
    effort: int = EFFORT,
) -> bool:
    """True if no run of fewer than `length` steps ends as `shortest` would have it."""
    return (
        shortest(
            system,
            bad,
            at_most=length - 1,
            bad_moves=bad_moves,
            stuck=stuck,
            keep_last=keep_last,
            effort=effort,
        )
        is None
    )


class _Unrolling:
    """The system step by step in one solver, which keeps what it learned of shorter runs.

    Each mode at each step is a truth value, of which at most one is true: it implies that one of
    the moves into it was taken, and that one the mode that it comes from, its guard and its
    assignments. So only runs from the start lead to a mode.
    """

    def __init__(self, system: System, goal: Goal, limit: int, effort: int) -> None:
        self.system = system
        self.goal = goal
        self.limit = limit
        self.encoder = Encoder()
        self.solver = Solver(self.encoder, effort=effort)
        self.distances = distances(system, goal)
        self.changing = {one.name for move in system.moves for one in move.sets}
        self.offers = {mode: Offers(self.encoder, moves) for mode, moves in goal.stuck.items()}
        self.steps: list[_Step] = []
        self.views = [start_view(system, self.encoder)]
        begins = self.encoder.truth(value=True)
        near = self.distances.get(system.initial, limit + 1) <= limit
        self.modes: list[dict[str, Term]] = [{system.initial: begins} if near else {}]
        self.solver.add(self.views[0].term(system.start), self.views[0].term(system.facts))

    @property
    def length(self) -> int:
        """The number of steps of the runs that are asked for now."""
        return len(self.steps)

    def extend(self) -> bool:
        """Allow one step more; False if no run has one."""
        index, view = self.length, self.views[-1]
        left = self.limit - index
        moves = [
            move
            for move in self.system.moves
            if move.source in self.modes[-1]
            and (
                self.distances.get(move.target, left) < left
                or (move.name in self.goal.moves and left > 0)
            )
        ]
        if not moves:
            return False
        for mode, term in self.modes[-1].items():
            self._imply(term, [view.term(one) for one in self._invariants(mode)])
        following = self._next_view(moves)
        taken = {move.name: (move, self.encoder.fresh("move")) for move in moves}
        modes = {move.target: self.encoder.fresh("mode") for move in moves}
        for move, term in taken.values():
            self._imply(
                term,
                [
                    self.modes[-1][move.source],
                    modes[move.target],
                    view.term(move.guard),
                    *self._effects(move, view, following),
                ],
            )
        for mode, term in modes.items():
            ways = [each for move, each in taken.values() if move.target == mode]
            self._imply(term, [self.encoder.any_of(ways)])
        self._exclude(list(modes.values()))
        self.solver.add(following.term(self.system.facts))
        self.steps.append(_Step(taken=taken))
        self.views.append(following)
        self.modes.append(modes)
        return True

    def path(self) -> tuple[Move, ...] | None:
        """The moves of the first run of this length that reaches the goal."""
        ends = list(self._ends())
        if not ends:
            return None
        aim = self.encoder.fresh("goal")
        self._imply(aim, [self.encoder.any_of(ends)])
        if not self.solver.holds(aim):
            return None
        chosen: list[Move] = []
        fixed: list[Term] = [aim]
        for step in self.steps:
            ways = list(step.taken.values())
            number = self._taken(ways)
            while number and self.solver.holds(
                *fixed, self._some([term for _, term in ways[:number]])
            ):
                number = self._taken(ways)
            chosen.append(ways[number][0])
            fixed.append(ways[number][1])
        return tuple(chosen)

    def _taken(self, ways: list[tuple[Move, Term]]) -> int:
        """Which of the moves the last model takes, the first of them."""
        return next(index for index, (_, term) in enumerate(ways) if self.solver.true(term))

    def _some(self, terms: list[Term]) -> Term:
        """A truth value that implies one of `terms`."""
        found = self.encoder.fresh("some")
        self._imply(found, [self.encoder.any_of(terms)])
        return found

    def _ends(self) -> Iterator[Term]:
        """What is true where a run of this length reaches the goal, in each of its ways."""
        view, goal = self.views[-1], self.goal
        for mode, term in self.modes[-1].items():
            if mode in goal.modes or mode in goal.stuck:
                yield self.encoder.all_of(
                    [term, *self._last(mode, view), *at_mode(goal, mode, view, self.offers)]
                )
        if self.steps:
            for move, term in self.steps[-1].taken.values():
                if move.name in goal.moves:
                    condition = self.views[-2].term(goal.moves[move.name])
                    yield self.encoder.all_of([term, condition, *self._last(move.target, view)])

    def _last(self, mode: str, view: View) -> list[Term]:
        kept = self._invariants(mode) if self.goal.keep_last else ()
        return [view.term(one) for one in kept]

    def _invariants(self, mode: str) -> tuple[Expression, ...]:
        return tuple(self.system.invariants.get(mode, {}).values())

    def _next_view(self, moves: list[Move]) -> View:
        """The entries after a step: those that none of `moves` sets are what they were."""
        view = self.views[-1]
        new = {one.name for move in moves for one in move.sets}
        kept = {
            entry.name: view.entry(entry.name, entry.type)
            for entry in self.system.entries
            if entry.name not in new
        }
        following = self.encoder.view(f"@{self.length + 1}", kept)
        for entry in self.system.entries:
            following.entry(entry.name, entry.type)
        return following

    def _effects(self, move: Move, view: View, following: View) -> list[Term]:
        sets = {one.name: one.value for one in move.sets}
        found = []
        for entry in self.system.entries:
            before = view.entry(entry.name, entry.type)
            later = following.entry(entry.name, entry.type)
            if entry.name in sets:
                found.append(later == view.term(sets[entry.name]))
            elif later is not before:
                found.append(later == before)
        return found

    def _imply(self, premise: Term, conclusions: list[Term]) -> None:
        self.solver.add(*(self.encoder.z3.Implies(premise, one) for one in conclusions))

    def _exclude(self, terms: list[Term]) -> None:
        """At most one of `terms` is true."""
        module = self.encoder.z3
        if len(terms) > _PAIRS:
            self.solver.add(module.AtMost(*terms, 1))
            return
        for index, one in enumerate(terms):
            for other in terms[:index]:
                self.solver.add(module.Or(module.Not(one), module.Not(other)))
