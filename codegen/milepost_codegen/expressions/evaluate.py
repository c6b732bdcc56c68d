"""The value of a typed tree: the reference meaning of expressions."""

from __future__ import annotations

from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Final, cast

from milepost_codegen.expressions.tree import (
    Arithmetic,
    Choice,
    Comparison,
    Expression,
    GuardUse,
    Implication,
    Logic,
    Member,
    Negative,
    Not,
    Number,
    Product,
    Read,
    Truth,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milepost_codegen.expressions.tree import ComparisonOperator

__all__ = ["evaluate"]

_COMPARE: Final[Mapping[ComparisonOperator, Callable[[int, int], bool]]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


def evaluate(  # noqa: PLR0912 a case for each kind of node, without calls between: it is hot
    tree: Expression,
    context: Mapping[str, int | bool | str],
    payload: Mapping[str, int | bool | str],
) -> int | bool | str:
    """The value of `tree`; enum members are their names. KeyError where an entry is missing."""
    match tree:
        case Read(name=name, payload=from_payload):
            return payload[name] if from_payload else context[name]
        case Truth(value=value):
            return value
        case Member(name=name):
            return name
        case GuardUse(body=body):
            return bool(evaluate(body, context, payload))
        case Comparison(operands=operands, operators=operators):
            values = [cast("int", evaluate(part, context, payload)) for part in operands]
            for at, operator in enumerate(operators):
                if not _COMPARE[operator](values[at], values[at + 1]):
                    return False
            return True
        case Not(operand=operand):
            return not evaluate(operand, context, payload)
        case Logic(operator=operator, operands=operands):
            final = operator == "or"  # one of these decides
            for part in operands:
                if bool(evaluate(part, context, payload)) is final:
                    return final
            return not final
        case Implication(premise=premise, conclusion=conclusion):
            if evaluate(premise, context, payload):
                return bool(evaluate(conclusion, context, payload))
            return True
        case Choice(then=then, condition=condition, otherwise=otherwise):
            chosen = then if evaluate(condition, context, payload) else otherwise
            return evaluate(chosen, context, payload)
        case _:
            return _number(tree, lambda part: cast("int", evaluate(part, context, payload)))


def _number(
    tree: Number | Negative | Product | Arithmetic, value_of: Callable[[Expression], int]
) -> int:
    """The value of arithmetic over operands that `value_of` evaluates."""
    match tree:
        case Number(value=value):
            return value
        case Negative(operand=operand):
            return -value_of(operand)
        case Product(left=left, right=right):
            return value_of(left) * value_of(right)
        case Arithmetic(operands=operands, operators=operators):
            total = value_of(operands[0])
            for operator, operand in zip(operators, operands[1:], strict=True):
                total += value_of(operand) if operator == "+" else -value_of(operand)
            return total
