"""The typed tree as readable source text, which parses back to the same tree."""

from __future__ import annotations

from typing import Final

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

__all__ = ["to_text"]

# How tightly each form binds; an operand that binds less tightly needs parentheses.
_CHOICE: Final = 0
_IMPLIES: Final = 1
_OR: Final = 2
_AND: Final = 3
_NOT: Final = 4
_COMPARISON: Final = 5
_SUM: Final = 6
_PRODUCT: Final = 7
_SIGN: Final = 8
_ATOM: Final = 9


def to_text(tree: Expression) -> str:
    """`tree` in the definition language, with no more parentheses than it needs."""
    return _render(tree)[0]


def _render(tree: Expression) -> tuple[str, int]:
    """The text and how tightly it binds."""
    match tree:
        case Number(value=value):
            return str(value), _ATOM if value >= 0 else _SIGN
        case Truth(value=value):
            return "true" if value else "false", _ATOM
        case Read(name=name, payload=payload):
            return f"event.{name}" if payload else name, _ATOM
        case Member(name=name) | GuardUse(name=name):
            return name, _ATOM
        case Negative(operand=operand):
            return f"-{_in(operand, _SIGN)}", _SIGN
        case Product(left=left, right=right):
            return f"{_in(left, _PRODUCT)} * {_in(right, _SIGN)}", _PRODUCT
        case Arithmetic(operands=operands, operators=operators):
            return _chain(operands, operators, _PRODUCT), _SUM
        case Comparison(operands=operands, operators=operators):
            return _chain(operands, operators, _SUM), _COMPARISON
        case Not(operand=operand):
            return f"not {_in(operand, _NOT)}", _NOT
        case Logic(operator=operator, operands=operands):
            own = _AND if operator == "and" else _OR
            return f" {operator} ".join(_in(part, own + 1) for part in operands), own
        case Implication(premise=premise, conclusion=conclusion):
            return f"{_in(premise, _OR)} implies {_in(conclusion, _IMPLIES)}", _IMPLIES
        case Choice(then=then, condition=condition, otherwise=otherwise):
            text = f"{_in(then, _IMPLIES)} if {_in(condition, _IMPLIES)}"
            return f"{text} else {_in(otherwise, _CHOICE)}", _CHOICE


def _in(tree: Expression, least: int) -> str:
    """The text of an operand where something that binds as `least` or tighter may stand."""
    text, binding = _render(tree)
    return text if binding >= least else f"({text})"


def _chain(operands: tuple[Expression, ...], operators: tuple[str, ...], least: int) -> str:
    text = _in(operands[0], least)
    for operator, operand in zip(operators, operands[1:], strict=True):
        text += f" {operator} {_in(operand, least)}"
    return text
