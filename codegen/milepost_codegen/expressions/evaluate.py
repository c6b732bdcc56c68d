"""The value of a typed tree: the reference meaning of expressions."""

from __future__ import annotations

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
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def evaluate(
    tree: Expression,
    context: Mapping[str, int | bool | str],
    payload: Mapping[str, int | bool | str],
) -> int | bool | str:
    """The value of `tree`; enum members are their names. KeyError where an entry is missing."""

    def truth(part: Expression) -> bool:
        return bool(evaluate(part, context, payload))

    match tree:
        case Truth(value=value):
            return value
        case Member(name=name):
            return name
        case Read(name=name, payload=from_payload):
            return payload[name] if from_payload else context[name]
        case GuardUse(body=body):
            return truth(body)
        case Comparison(operands=operands, operators=operators):
            values = [cast("int", evaluate(part, context, payload)) for part in operands]
            pairs = zip(values, operators, values[1:], strict=False)
            return all(_COMPARE[operator](left, right) for left, operator, right in pairs)
        case Not(operand=operand):
            return not truth(operand)
        case Logic(operator=operator, operands=operands):
            return (all if operator == "and" else any)(truth(part) for part in operands)
        case Implication(premise=premise, conclusion=conclusion):
            return truth(conclusion) if truth(premise) else True
        case Choice(then=then, condition=condition, otherwise=otherwise):
            return evaluate(then if truth(condition) else otherwise, context, payload)
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
