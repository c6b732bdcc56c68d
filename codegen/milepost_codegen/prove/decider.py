"""Who decides whether conditions can hold together: z3, or without it the compiler's own logic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from milepost_codegen.expressions.substitute import both
from milepost_codegen.expressions.tree import Read, reads
from milepost_codegen.logic import Undecided, satisfy
from milepost_codegen.prove.solve import ask
from milepost_codegen.prove.solve.offers import Offers
from milepost_codegen.prove.solve.terms import Encoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.prove.solve.terms import Term, View
    from milepost_codegen.prove.system import Move, Values

__all__ = ["Z3", "Decider", "OwnLogic", "Undecided", "decider"]


class Decider(Protocol):
    """What the prover asks. Every answer may raise Undecided."""

    @property
    def name(self) -> str:
        """The solver's name and version; `""` of the compiler's own logic."""
        ...

    def some(self, *conditions: Expression, stuck: Sequence[Move] = ()) -> Values | None:
        """Values with which all hold, or None if there are none. Fields are named `event.NAME`.

        With `stuck`, none of these moves can be taken, whatever comes from outside.
        """
        ...


class Z3:
    """Answers of z3, whose terms are kept from one question to the next."""

    def __init__(self) -> None:
        self.name = ask.available()
        self._encoder = Encoder()
        self._view = self._encoder.view()

    def some(self, *conditions: Expression, stuck: Sequence[Move] = ()) -> Values | None:
        """Values with which all hold, or None."""
        try:
            wanted, solver = self._ask(conditions)
            if stuck:
                offered = Offers(self._encoder, stuck).at(self._view)
                solver.add(self._encoder.opposite(offered))
            return solver.values(wanted) if solver.holds() else None
        except ask.Undecided as error:
            raise Undecided(str(error)) from error

    def _ask(
        self, conditions: tuple[Expression, ...]
    ) -> tuple[Mapping[str, tuple[Type, Term]], ask.Solver]:
        view: View = self._view
        solver = ask.Solver(self._encoder)
        read: dict[str, Read] = {}
        for condition in conditions:
            solver.add(view.term(condition))
            read.update({one.key: one for one in reads(condition)})
        wanted = {
            name: (
                one.type,
                view.field(one.name, one.type) if one.payload else view.entry(one.name, one.type),
            )
            for name, one in sorted(read.items())
        }
        return wanted, solver


class OwnLogic:
    """Answers of the compiler's own logic, which gives up sooner."""

    name = ""

    def some(self, *conditions: Expression, stuck: Sequence[Move] = ()) -> Values | None:
        """Values with which all hold, or None."""
        if stuck:
            raise Undecided("whether some payload lets an event happen is left to z3")
        return satisfy(both(conditions))


def decider(*, solver: bool = True) -> Decider:
    """z3 if it is wanted and installed, else the compiler's own logic."""
    return Z3() if solver and ask.available() else OwnLogic()
