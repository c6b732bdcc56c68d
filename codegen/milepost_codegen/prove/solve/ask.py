"""Questions to z3, bounded by work and not by time; models are made small in a fixed order."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import BOOL, INT
from milepost_codegen.logic import Undecided as NotDecided
from milepost_codegen.prove.solve.terms import z3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.expressions import Type
    from milepost_codegen.prove.solve.terms import Encoder, Term
    from milepost_codegen.prove.system import Value, Values

__all__ = ["EFFORT", "GAVE_UP", "Solver", "Undecided", "available", "find"]

GAVE_UP: Final = "the solver gave up: it would take more work than one question is worth"
EFFORT: Final = 20_000_000
"""How much work z3 may do for one answer, in its own units: some seconds, the same every time."""


class Undecided(NotDecided):
    """The solver gave up, or ran into the bound of its work."""


def available() -> str:
    """The solver's name and version, or `""` where it is not installed."""
    try:
        module = z3()
    except ImportError:
        return ""
    return f"z3 {module.get_version_string()}"


class Solver:
    """What holds so far, and questions about it; every answer is yes, no, or Undecided."""

    def __init__(self, encoder: Encoder, *, effort: int = EFFORT) -> None:
        self.encoder = encoder
        self.effort = effort
        self._solver = encoder.z3.SimpleSolver(ctx=encoder.context)
        self._solver.set("rlimit", effort)
        self._bounded = 0
        self._model: Term = None

    def add(self, *terms: Term) -> None:
        """Let `terms` hold from here on."""
        solver, context = self._solver, self.encoder.context.ref()
        for term in terms:  # the wrapper looks at the kind of each once more, which takes longer
            self.encoder.z3.Z3_solver_assert(context, solver.solver, term.as_ast())

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is added within the `with` is forgotten behind it."""
        self._bound()
        before = self._bounded
        self._solver.push()
        try:
            yield
        finally:
            self._solver.pop()
            self._bounded = before

    def holds(self, *assumptions: Term) -> bool:
        """True if something satisfies all that holds and `assumptions`; raises Undecided."""
        self._bound()
        answer = self._solver.check(*assumptions)
        if answer == self.encoder.z3.unknown:
            raise Undecided(GAVE_UP)
        if answer == self.encoder.z3.unsat:
            return False
        self._model = self._solver.model()
        return True

    def core(self) -> frozenset[int]:
        """The assumptions, by `get_id`, that the last `holds` that was False needed, or more."""
        return frozenset(int(one.get_id()) for one in self._solver.unsat_core())

    def value(self, kind: Type, term: Term) -> Value:
        """The value of `term` in the model of the last `holds` that was True."""
        found = self._model.eval(term, model_completion=True)
        if kind == BOOL:
            return bool(self.encoder.z3.is_true(found))
        number = int(found.as_long())
        return number if kind == INT else kind.members[number]

    def true(self, term: Term) -> bool:
        """True if `term` is, in the last model; what it leaves open is not."""
        return bool(self.encoder.z3.is_true(self._model.eval(term)))

    def values(self, wanted: Mapping[str, tuple[Type, Term]]) -> Values:
        """The values of `wanted` in the last model, whatever z3 happened to choose."""
        return {name: self.value(kind, term) for name, (kind, term) in wanted.items()}

    def least(self, wanted: Mapping[str, tuple[Type, Term]], *assumptions: Term) -> Values | None:
        """The first values of `wanted` that satisfy all, or None if there are none.

        One after the other is fixed: to false, the first member, or the int nearest to 0, the
        positive one of two; so the answer depends on the question alone.
        """
        if not self.holds(*assumptions):
            return None
        found: dict[str, Value] = {}
        with self.scope():
            self.add(*assumptions)
            for name, (kind, term) in wanted.items():
                found[name] = self._first(kind, term, self.value(kind, term))
                self.add(term == self.encoder.literal(kind, found[name]))
        return found

    def _first(self, kind: Type, term: Term, known: Value) -> Value:
        """The first value that `term` can have; the last model, which had `known`, has it then."""
        if kind == BOOL:
            return bool(known) and not self.holds(term == self.encoder.truth(value=False))
        if kind != INT:
            for index, member in enumerate(kind.members[: kind.members.index(str(known))]):
                if self.holds(term == index):
                    return member
            return known
        return self._nearest(term, int(known))

    def _nearest(self, term: Term, known: int) -> int:
        """The int nearest to 0 that `term` can be: between what cannot be and what can."""
        below, found, step = -1, known, 0
        while abs(found) - below > 1:
            middle = min(step, (below + abs(found)) // 2)
            if self.holds(term >= -middle, term <= middle):
                found = int(self.value(INT, term))
            else:
                below = middle
                step = 2 * middle + 1
        if found < 0 and self.holds(term == -found):
            return -found
        return found

    def _bound(self) -> None:
        """Let the constants that were made since be members of their enums."""
        bounds = self.encoder.bounds
        if len(bounds) > self._bounded:
            self.add(*bounds[self._bounded :])
            self._bounded = len(bounds)


def find(
    encoder: Encoder,
    wanted: Mapping[str, tuple[Type, Term]],
    *terms: Term,
    effort: int = EFFORT,
) -> Values | None:
    """The first values of `wanted` that satisfy `terms`, or None if there are none.

    Raises Undecided where that would take more work than `effort`.
    """
    solver = Solver(encoder, effort=effort)
    solver.add(*terms)
    return solver.least(wanted)
