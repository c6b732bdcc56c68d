"""Whether two trees have the same value everywhere: by their form, or else by proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import BOOL, type_of
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Choice,
    Comparison,
    Expression,
    GuardUse,
    Implication,
    Logic,
    Negative,
    Not,
    Product,
)
from milepost_codegen.logic import Undecided, satisfy
from milepost_codegen.validate.difference import Different

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions.tree import ComparisonOperator

__all__ = ["form", "opposite", "prove_equal"]

_OPPOSITE: Final[Mapping[ComparisonOperator, ComparisonOperator]] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
}
_TURNED: Final[Mapping[ComparisonOperator, ComparisonOperator]] = {">": "<", ">=": "<="}


def prove_equal(code: Expression, meant: Expression, what: str, line: int = 0) -> None:
    """Return if the two have one value whatever is read. Raises Different otherwise.

    Cost: linear where the two have one form, and what the logic takes, within its bound, elsewhere.
    """
    if form(code) == form(meant):
        return
    try:
        model = satisfy(_differ(code, meant))
    except Undecided:
        raise Different(f"{what}: it is not decided whether they are equal", line) from None
    if model is not None:
        raise Different(what, line, model)


def form(tree: Expression) -> Expression:
    """The tree in a form that many of equal meaning share.

    Guards are written out, `implies` is an `or`, negations stand as deep as they go without taking
    an `and` apart, chains of one operator are flat, and a single comparison has its smaller side
    first.
    """
    match tree:
        case GuardUse(body=body):
            return form(body)
        case Not(operand=operand):
            return opposite(form(operand))
        case Implication(premise=premise, conclusion=conclusion):
            return _joined("or", (opposite(form(premise)), form(conclusion)))
        case Logic(operator=operator, operands=operands):
            return _joined(operator, tuple(map(form, operands)))
        case Comparison(operands=operands, operators=operators):
            return _compared(tuple(map(form, operands)), operators)
        case Negative(operand=operand):
            return Negative(operand=form(operand))
        case Product(left=left, right=right):
            return Product(left=form(left), right=form(right))
        case Arithmetic(operands=operands, operators=operators):
            first, *rest = map(form, operands)
            if isinstance(first, Arithmetic):
                return Arithmetic(
                    operands=(*first.operands, *rest), operators=(*first.operators, *operators)
                )
            return Arithmetic(operands=(first, *rest), operators=operators)
        case Choice(then=then, condition=condition, otherwise=otherwise):
            return Choice(then=form(then), condition=form(condition), otherwise=form(otherwise))
    return tree


def opposite(tree: Expression) -> Expression:
    """The opposite of a tree that has its form already."""
    match tree:
        case Not(operand=operand):
            return operand
        case Comparison(operands=operands, operators=(operator,)):
            return _compared(operands, (_OPPOSITE[operator],))
    return Not(operand=tree)


def _joined(operator: str, operands: tuple[Expression, ...]) -> Expression:
    flat: list[Expression] = []
    for one in operands:
        same = isinstance(one, Logic) and one.operator == operator
        flat.extend(one.operands if same and isinstance(one, Logic) else (one,))
    return Logic(operator="and" if operator == "and" else "or", operands=tuple(flat))


def _compared(
    operands: tuple[Expression, ...], operators: tuple[ComparisonOperator, ...]
) -> Comparison:
    if len(operators) == 1:
        (operator,) = operators
        if operator in _TURNED:
            return Comparison(operands=operands[::-1], operators=(_TURNED[operator],))
        if operator in ("==", "!="):
            operands = tuple(sorted(operands, key=repr))
    return Comparison(operands=operands, operators=operators)


def _differ(code: Expression, meant: Expression) -> Expression:
    """That the two have different values."""
    if type_of(code) != BOOL:
        return Comparison(operands=(code, meant), operators=("!=",))
    return Logic(
        operator="or",
        operands=(
            Logic(operator="and", operands=(code, Not(operand=meant))),
            Logic(operator="and", operands=(Not(operand=code), meant)),
        ),
    )
