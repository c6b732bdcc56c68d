"""Integers that satisfy linear constraints, or the constraints that cannot hold together.

The Omega test (W. Pugh, "The Omega test: a fast and practical integer programming algorithm for
dependence analysis", 1991). Equalities are solved by substitution, so that every congruence that
they hide comes out. Inequalities are tightened to integers, and variables eliminated from them as
Fourier and Motzkin do; where that loses nothing of the integers it is exact, else the dark shadow
and the splinters decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from milepost_codegen.logic.work import Work

__all__ = ["AtMost", "Conflict", "Terms", "integers", "nearest_to_zero", "reduced"]

Terms: TypeAlias = "tuple[tuple[int, int], ...]"
"""Variables by number with their factors, which are not 0, in the order of the numbers."""


@dataclass(frozen=True, slots=True)
class AtMost:
    """The sum of the terms is at most `bound`; `reasons` has a bit for each cause of it."""

    terms: Terms
    bound: int
    reasons: int


class Conflict(Exception):
    """The constraints with a bit in `reasons` have no common solution."""

    def __init__(self, reasons: int) -> None:
        self.reasons = reasons
        super().__init__(reasons)


@dataclass(slots=True)
class _Span:
    """What is known of a sum of terms: its least and greatest value, each with its reasons."""

    least: int | None = None
    why_least: int = 0
    most: int | None = None
    why_most: int = 0


_Table: TypeAlias = "dict[Terms, _Span]"


def integers(rows: Sequence[AtMost], work: Work) -> dict[int, int]:
    """Values of the variables with which all `rows` hold, near 0 where there is a choice.

    Raises Conflict where there are none, and Undecided where the work is used up. Variables whose
    value does not matter may be missing: they are 0.
    """
    return _Solver(work).solve(rows, _next_variable(rows))


def reduced(terms: Mapping[int, int]) -> tuple[Terms, int]:
    """The terms without a common factor and with a positive first one, and what was taken out."""
    return _divided(tuple(sorted([one for one in terms.items() if one[1]])))


def _divided(terms: Terms) -> tuple[Terms, int]:
    """As `reduced` has them, of terms in order without a factor of 0."""
    if not terms:
        return (), 1
    divisor = math.gcd(*[factor for _, factor in terms])
    if terms[0][1] < 0:
        divisor = -divisor
    if divisor == 1:
        return terms, 1
    return tuple([(name, factor // divisor) for name, factor in terms]), divisor


def nearest_to_zero(least: int | None, most: int | None) -> int:
    """The number in the span that is nearest to 0."""
    if least is not None and least > 0:
        return least
    if most is not None and most < 0:
        return most
    return 0


def _next_variable(rows: Sequence[AtMost]) -> int:
    return 1 + max((name for row in rows for name, _ in row.terms), default=-1)


@dataclass(slots=True)
class _Solver:
    """One question; `work` is shared by all that it leads to."""

    work: Work

    def solve(self, rows: Iterable[AtMost], fresh: int) -> dict[int, int]:
        """Values for all variables of `rows`; those from `fresh` on are not in use."""
        table = self.tabled(rows)
        equality = next((terms for terms, span in table.items() if span.least == span.most), None)
        if equality is not None:
            return self.without_equality(table, equality, fresh)
        many = [terms for terms in table if len(terms) > 1]
        if not many:
            return {
                terms[0][0]: nearest_to_zero(span.least, span.most) for terms, span in table.items()
            }
        return self.eliminate(table, fresh)

    def tabled(self, rows: Iterable[AtMost]) -> _Table:
        """What the rows say of each sum, tightened to integers. Raises Conflict."""
        table: _Table = {}
        for row in rows:
            self.work.spend(1 + len(row.terms))
            terms, divisor = _divided(row.terms)
            if not terms:
                if row.bound < 0:
                    raise Conflict(row.reasons)
                continue
            span = table.get(terms)
            if span is None:
                span = table[terms] = _Span()
            if divisor > 0:
                bound = row.bound // divisor
                if span.most is None or bound < span.most:
                    span.most, span.why_most = bound, row.reasons
            else:
                bound = -(row.bound // -divisor)
                if span.least is None or bound > span.least:
                    span.least, span.why_least = bound, row.reasons
            if span.least is not None and span.most is not None and span.least > span.most:
                raise Conflict(span.why_least | span.why_most)
        return table

    def without_equality(self, table: _Table, terms: Terms, fresh: int) -> dict[int, int]:
        """The solution with one variable of the equality expressed by the others.

        The one with the factor nearest to 0 is replaced by `new - sum of quotients of the others`,
        which leaves smaller factors in the equality, until one of them is 1 or nothing is left.
        """
        span = table[terms]
        value, why = span.least, span.why_least | span.why_most
        assert value is not None
        name, factor = min(terms, key=lambda one: (abs(one[1]), one[0]))
        others = [one for one in terms if one[0] != name]
        if not others:  # a factor of 1 after reduction
            definition: dict[int, int] = {}
            constant = value
        elif abs(factor) == 1:
            definition = {one: -factor * other for one, other in others}
            constant = value * factor
        else:
            definition = {one: -(other // factor) for one, other in others}
            definition[fresh] = 1
            constant = 0
            why = 0  # only a new name: every solution of the rest gives it a value
        rows = list(self.substituted(table, name, definition, constant, why))
        solution = self.solve(rows, fresh + 1)
        solution[name] = constant + sum(
            share * solution.get(one, 0) for one, share in definition.items()
        )
        return solution

    def substituted(
        self, table: _Table, name: int, definition: Mapping[int, int], constant: int, why: int
    ) -> Iterable[AtMost]:
        """The rows of the table with the variable replaced by its definition."""
        for terms, span in table.items():
            factors = dict(terms)
            factor = factors.pop(name, 0)
            if factor:
                for one, share in definition.items():
                    factors[one] = factors.get(one, 0) + factor * share
                new = tuple(sorted([one for one in factors.items() if one[1]]))
            else:
                new = terms
            reasons = why if factor else 0
            moved = factor * constant
            self.work.spend(1 + len(factors))
            if span.most is not None:
                yield AtMost(new, span.most - moved, span.why_most | reasons)
            if span.least is not None:
                opposite = tuple([(one, -share) for one, share in new])
                yield AtMost(opposite, moved - span.least, span.why_least | reasons)

    def eliminate(self, table: _Table, fresh: int) -> dict[int, int]:
        """The solution by eliminating the variable that costs least, exact ones first."""
        rows = _rows(table)
        lower: dict[int, list[tuple[int, AtMost]]] = {}
        upper: dict[int, list[tuple[int, AtMost]]] = {}
        for row in rows:
            self.work.spend(len(row.terms))
            for name, factor in row.terms:
                side = upper if factor > 0 else lower
                side.setdefault(name, []).append((abs(factor), row))
        names = sorted({*lower, *upper})

        def cost(name: int) -> tuple[bool, int, int]:
            below, above = lower.get(name, []), upper.get(name, [])
            exact = all(one == 1 for one, _ in below) or all(one == 1 for one, _ in above)
            size = len(below) * len(above) - len(below) - len(above)
            return not exact, size, name

        inexact, _, name = min(cost(one) for one in names)
        below, above = lower.get(name, []), upper.get(name, [])
        rest = [row for row in rows if all(one != name for one, _ in row.terms)]
        real = [*rest, *self.shadow(below, above, dark=False)]
        solution = self.solve(real, fresh)
        found = _between(name, below, above, solution)
        if found is not None:
            return {**solution, name: found}
        assert inexact
        return self.beyond(name, rest, below, above, fresh)

    def beyond(
        self,
        name: int,
        rest: Sequence[AtMost],
        below: Sequence[tuple[int, AtMost]],
        above: Sequence[tuple[int, AtMost]],
        fresh: int,
    ) -> dict[int, int]:
        """The solution where the real shadow has one that fits no integer: dark, then splinters."""
        try:
            dark = [*rest, *self.shadow(below, above, dark=True)]
            solution = self.solve(dark, fresh)
        except Conflict:
            pass
        else:
            found = _between(name, below, above, solution)
            assert found is not None
            return {**solution, name: found}
        sides = [row for _, row in (*below, *above)]
        steepest = max(factor for factor, _ in above)
        reasons = 0
        for row in (*rest, *sides):
            reasons |= row.reasons
        for factor, row in below:
            for offset in range((steepest * factor - steepest - factor) // steepest + 1):
                # `factor * name` is `offset` above what `row` allows least
                fixed = AtMost(tuple((one, -f) for one, f in row.terms), offset - row.bound, 0)
                try:
                    return self.solve([*rest, *sides, fixed, self.raised(row, offset)], fresh)
                except Conflict:
                    continue
        raise Conflict(reasons)

    @staticmethod
    def raised(row: AtMost, offset: int) -> AtMost:
        """The row with its bound lower by `offset`."""
        return AtMost(row.terms, row.bound - offset, row.reasons)

    def shadow(
        self,
        below: Sequence[tuple[int, AtMost]],
        above: Sequence[tuple[int, AtMost]],
        *,
        dark: bool,
    ) -> Iterable[AtMost]:
        """What every lower and upper bound of the variable say together of the others."""
        for low, lower in below:
            for high, upper in above:
                self.work.spend(2 + len(lower.terms) + len(upper.terms))
                factors: dict[int, int] = {}
                for share, row in ((high, lower), (low, upper)):
                    for one, factor in row.terms:
                        factors[one] = factors.get(one, 0) + share * factor
                bound = high * lower.bound + low * upper.bound
                if dark:
                    bound -= (low - 1) * (high - 1)
                terms = tuple(sorted(one for one in factors.items() if one[1]))
                yield AtMost(terms, bound, lower.reasons | upper.reasons)


def _rows(table: _Table) -> list[AtMost]:
    found: list[AtMost] = []
    for terms, span in table.items():
        if span.most is not None:
            found.append(AtMost(terms, span.most, span.why_most))
        if span.least is not None:
            opposite = tuple((one, -factor) for one, factor in terms)
            found.append(AtMost(opposite, -span.least, span.why_least))
    return found


def _between(
    name: int,
    below: Sequence[tuple[int, AtMost]],
    above: Sequence[tuple[int, AtMost]],
    solution: Mapping[int, int],
) -> int | None:
    """The value nearest to 0 that the bounds of the variable leave, None if there is none."""

    def rest(row: AtMost) -> int:
        others = sum(factor * solution.get(one, 0) for one, factor in row.terms if one != name)
        return row.bound - others

    least = max((-(rest(row) // factor) for factor, row in below), default=None)
    most = min((rest(row) // factor for factor, row in above), default=None)
    if least is not None and most is not None and least > most:
        return None
    return nearest_to_zero(least, most)
