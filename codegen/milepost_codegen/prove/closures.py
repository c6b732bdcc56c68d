"""Trees as Python functions, for searches that evaluate them very often."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

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

__all__ = ["Function", "function"]

# Any: values of the language are typed by the tree, which Python's checkers cannot follow here.
Function: TypeAlias = "Callable[[Mapping[str, Any], Mapping[str, Any]], Any]"

_COMPARE: Final[dict[ComparisonOperator, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def function(tree: Expression) -> Function:  # noqa: PLR0912  # one case for each kind of node
    """`tree` as a function of a context and a payload; its meaning is that of `evaluate`."""
    match tree:
        case Number(value=value) | Truth(value=value):
            return lambda _values, _payload: value
        case Member(name=name):
            return lambda _values, _payload: name
        case Read(name=name, payload=payload):
            if payload:
                return lambda _values, payload: payload[name]
            return lambda values, _payload: values[name]
        case GuardUse(body=body):
            return function(body)
        case Not(operand=operand):
            part = function(operand)
            return lambda values, payload: not part(values, payload)
        case Negative(operand=operand):
            part = function(operand)
            return lambda values, payload: -part(values, payload)
        case Choice(then=then, condition=condition, otherwise=otherwise):
            yes, when, no = function(then), function(condition), function(otherwise)
            return lambda values, payload: (yes if when(values, payload) else no)(values, payload)
        case Implication(premise=premise, conclusion=conclusion):
            first, second = function(premise), function(conclusion)
            return lambda values, payload: not first(values, payload) or second(values, payload)
        case Product(left=left, right=right):
            first, second = function(left), function(right)
            return lambda values, payload: first(values, payload) * second(values, payload)
        case Logic():
            return _logic(tree)
        case Arithmetic():
            return _sum(tree)
        case Comparison():
            return _comparison(tree)


def _logic(tree: Logic) -> Function:
    parts = [function(part) for part in tree.operands]
    if tree.operator == "and":
        return lambda values, payload: all(part(values, payload) for part in parts)
    return lambda values, payload: any(part(values, payload) for part in parts)


def _sum(tree: Arithmetic) -> Function:
    first = function(tree.operands[0])
    signs = [1 if sign == "+" else -1 for sign in tree.operators]
    rest = list(zip(signs, map(function, tree.operands[1:]), strict=True))

    def value(values: Mapping[str, Any], payload: Mapping[str, Any]) -> Any:
        result = first(values, payload)
        for sign, part in rest:
            result += sign * part(values, payload)
        return result

    return value


def _comparison(tree: Comparison) -> Function:
    if len(tree.operators) == 1:
        compare = _COMPARE[tree.operators[0]]
        left, right = map(function, tree.operands)
        return lambda values, payload: compare(left(values, payload), right(values, payload))
    parts = list(map(function, tree.operands))
    compares = [_COMPARE[one] for one in tree.operators]

    def value(values: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
        found = [part(values, payload) for part in parts]
        pairs = zip(found, compares, found[1:], strict=False)
        return all(compare(one, two) for one, compare, two in pairs)

    return value
