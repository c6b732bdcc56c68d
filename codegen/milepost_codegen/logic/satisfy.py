"""Values under which a condition holds, or the certainty that there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import Logic, negation
from milepost_codegen.logic.cases import Cases
from milepost_codegen.logic.clauses import Clauses, unknowns
from milepost_codegen.logic.integers import AtMost, Conflict, integers
from milepost_codegen.logic.smaller import holds, smaller
from milepost_codegen.logic.work import Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.logic.clauses import Unknown

__all__ = ["DEFAULT_WORK", "implies", "satisfy"]

DEFAULT_WORK: Final = 200_000
"""Steps that a question may take; about half a second at most."""


def satisfy(
    tree: Expression, *, work: int | Work = DEFAULT_WORK
) -> Mapping[str, int | bool | str] | None:
    """Values of all that `tree` reads with which it holds; None if it certainly never holds.

    Entries are given by name and fields of the payload as `event.NAME`, in the order of the text;
    members of enums by their names. Values are small where there is a choice (0, false, the first
    member), the same for the same tree, and were tried on the tree.

    Args:
        tree: A condition; of what it reads as an enum, any member may come.
        work: How many steps it may take, or a count that several questions share.

    Raises:
        Undecided: The steps were used up.

    Cost:
        Often linear in the size of the tree; exponential at worst, up to the bound.
    """
    counted = work if isinstance(work, Work) else Work(work)
    found = unknowns(tree)
    least = {one.key: one.least for one in found.values()}
    if holds(tree, least):
        return least
    model = _model(tree, found, counted)
    if model is None:
        return None
    assert holds(tree, model), "a model that is none"
    return smaller(tree, model, found)


def implies(
    premise: Expression, conclusion: Expression, *, work: int | Work = DEFAULT_WORK
) -> bool:
    """True if `conclusion` certainly holds wherever `premise` does, False if it certainly may not.

    Raises Undecided where `work` is used up, as `satisfy` does.
    """
    counter = Logic(operator="and", operands=(premise, negation(conclusion)))
    return satisfy(counter, work=work) is None


def _model(
    tree: Expression, found: Mapping[str, Unknown], work: Work
) -> dict[str, int | bool | str] | None:
    clauses = Clauses(work)
    clauses.read(found.values())
    clauses.require(clauses.literal(tree))
    clauses.ordered()
    cases = Cases(clauses.count, clauses.clauses, clauses.hints, work)
    while cases.find():
        rows, causes = _rows(clauses, cases)
        try:
            numbers = integers(rows, work)
        except Conflict as conflict:
            cases.refuse(one for bit, one in enumerate(causes) if conflict.reasons >> bit & 1)
            continue
        names = {code: member for member, code in clauses.codes.items()}
        model: dict[str, int | bool | str] = {}
        for one in found.values():
            if one.key in clauses.switches:
                model[one.key] = cases.holds(clauses.switches[one.key])
            else:
                value = numbers.get(clauses.numbers[one.key], 0)
                model[one.key] = names[value] if one.members else value
        return model
    return None


def _rows(clauses: Clauses, cases: Cases) -> tuple[list[AtMost], list[int]]:
    """What the assignment says of each sum, with the literals that say it by bit."""
    rows: list[AtMost] = []
    causes: list[int] = []
    for terms, bounds in clauses.sums.items():
        holding = [bound for bound, literal in bounds.items() if cases.holds(literal)]
        failing = [bound for bound, literal in bounds.items() if not cases.holds(literal)]
        if holding:
            most = min(holding)
            rows.append(AtMost(terms, most, 1 << len(causes)))
            causes.append(bounds[most])
        if failing:
            least = max(failing)
            opposite = tuple((name, -factor) for name, factor in terms)
            rows.append(AtMost(opposite, -least - 1, 1 << len(causes)))
            causes.append(-bounds[least])
    return rows, causes
