"""Expressions as Python functions, written anew for the oracle: no code of the prover is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from milepost_codegen.expressions import Expression
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Choice,
    Comparison,
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

__all__ = ["Function", "Value", "function_of", "python_of"]

Value = int | bool | str
Function = Callable[[Mapping[str, Value], Mapping[str, Value]], Value]


_MADE: dict[int, tuple[Expression, Function]] = {}


def function_of(tree: Expression) -> Function:
    """`tree` as a function of context and payload."""
    kept = _MADE.get(id(tree))  # to hash a tree costs more than to go by it
    if kept is None:
        made: Function = eval(f"lambda c, p: {python_of(tree)}")  # noqa: S307 of our own text
        kept = _MADE[id(tree)] = tree, made
    return kept[1]


def python_of(tree: Expression) -> str:
    """`tree` as Python over the mappings `c` (context) and `p` (payload)."""
    match tree:
        case Number(value=value) | Truth(value=value):
            return f"({value})"
        case Member(name=name):
            return repr(name)
        case Read(name=name, payload=payload):
            return f"{'p' if payload else 'c'}[{name!r}]"
        case GuardUse(body=body):
            return python_of(body)
        case Negative(operand=operand):
            return f"(-{python_of(operand)})"
        case Not(operand=operand):
            return f"(not {python_of(operand)})"
        case Product(left=left, right=right):
            return f"({python_of(left)} * {python_of(right)})"
        case (
            Arithmetic(operands=operands, operators=operators)
            | Comparison(operands=operands, operators=operators)
        ):
            first, *rest = (python_of(one) for one in operands)
            told = " ".join(f"{sign} {one}" for sign, one in zip(operators, rest, strict=True))
            return f"({first} {told})"
        case Logic(operator=operator, operands=operands):
            return f"({f' {operator} '.join(python_of(one) for one in operands)})"
        case Implication(premise=premise, conclusion=conclusion):
            return f"((not {python_of(premise)}) or {python_of(conclusion)})"
        case Choice(then=then, condition=condition, otherwise=otherwise):
            return f"({python_of(then)} if {python_of(condition)} else {python_of(otherwise)})"
