"""The typed tree as Python over the mappings `context` and `payload`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import (
    BOOL,
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
from milepost_codegen.expressions.typing import constant, type_of
from milepost_codegen.layout import Code, Joined, Parenthesised, Prefixed, literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions.tree import ComparisonOperator

__all__ = ["to_python"]

# How tightly each form binds in Python; looser operands need parentheses.
_CHOICE: Final = 0
_OR: Final = 1
_AND: Final = 2
_NOT: Final = 3
_COMPARISON: Final = 4
_SUM: Final = 5
_PRODUCT: Final = 6
_SIGN: Final = 7
_ATOM: Final = 8

_OPPOSITE: Final[Mapping[ComparisonOperator, ComparisonOperator]] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
}
_MIRRORED: Final[Mapping[ComparisonOperator, ComparisonOperator]] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}


def to_python(tree: Expression) -> Code:
    """Python of the same value as `tree`: guards written out, enum members as strings."""
    return _render(tree)[0]


def _render(tree: Expression) -> tuple[Code, int]:
    """The code and how tightly it binds."""
    match tree:
        case Truth(value=value):
            return str(value), _ATOM
        case Member(name=name):
            return literal(name), _ATOM
        case Read(name=name, payload=payload):
            return f"{'payload' if payload else 'context'}[{literal(name)}]", _ATOM
        case GuardUse(body=body):
            return _render(body)
        case Comparison():
            return _comparison(tree), _COMPARISON
        case Not(operand=operand):
            return _negated(operand)
        case Logic(operator=operator, operands=operands):
            own = _AND if operator == "and" else _OR
            inner = tuple(_beside(part, own) for part in operands)
            return _joined(inner, (operator,) * (len(operands) - 1)), own
        case Implication(premise=premise, conclusion=conclusion):
            opposite, binding = _negated(premise)
            clear = binding == _OR or binding > _AND
            first = opposite if clear else Parenthesised(inner=opposite)
            return _joined((first, _beside(conclusion, _OR)), ("or",)), _OR
        case Choice(then=then, condition=condition, otherwise=otherwise):
            rest = _in(otherwise, _CHOICE)
            chain = rest if isinstance(otherwise, Choice) and isinstance(rest, Joined) else None
            return Joined(
                operands=(
                    _in(then, _OR),
                    _in(condition, _OR),
                    *(chain.operands if chain else (rest,)),
                ),
                operators=("if", "else", *(chain.operators if chain else ())),
            ), _CHOICE
        case _:
            return _number(tree)


def _number(tree: Number | Negative | Product | Arithmetic) -> tuple[Code, int]:
    match tree:
        case Number(value=value):
            return str(value), _ATOM if value >= 0 else _SIGN
        case Negative(operand=operand):
            return Prefixed(prefix="-", inner=_in(operand, _ATOM)), _SIGN
        case Product(left=left, right=right):
            return _joined((_in(left, _PRODUCT), _in(right, _SIGN)), ("*",)), _PRODUCT
        case Arithmetic(operands=operands, operators=operators):
            return _joined(tuple(_in(part, _PRODUCT) for part in operands), operators), _SUM


def _in(tree: Expression, least: int) -> Code:
    """The code of an operand where something that binds as `least` or tighter may stand."""
    code, binding = _render(tree)
    return code if binding >= least else Parenthesised(inner=code)


def _beside(tree: Expression, own: int) -> Code:
    """The code of an operand of `and` or `or`, in parentheses if it is one of the other."""
    code, binding = _render(tree)
    return code if binding == own or binding > _AND else Parenthesised(inner=code)


def _joined(operands: tuple[Code, ...], operators: tuple[str, ...]) -> Joined:
    """Operands under one node, chains of the one same `and` or `or` made flat."""
    flat: list[Code] = []
    between: list[str] = []
    for index, operand in enumerate(operands):
        if index:
            between.append(operators[index - 1])
        inner = operand if isinstance(operand, Joined) else None
        if inner and operators[0] in ("and", "or") and set(inner.operators) == {operators[0]}:
            flat.extend(inner.operands)
            between.extend(inner.operators)
        else:
            flat.append(operand)
    return Joined(operands=tuple(flat), operators=tuple(between))


def _comparison(tree: Comparison) -> Code:
    """The chain; truth values are compared by identity, a lone constant stands on the right."""
    operands, operators = tree.operands, tree.operators
    if len(operators) == 1 and constant(operands[0]) and not constant(operands[1]):
        operands, operators = operands[::-1], (_MIRRORED[operators[0]],)
    signs: tuple[str, ...] = operators
    if type_of(operands[0]) == BOOL:
        signs = tuple("is" if operator == "==" else "is not" for operator in operators)
    return _joined(tuple(_in(part, _SUM) for part in operands), signs)


def _negated(tree: Expression) -> tuple[Code, int]:
    """The opposite of `tree`: a comparison the other way round, or else `not`."""
    match tree:
        case GuardUse(body=body):
            return _negated(body)
        case Not(operand=operand):
            return _render(operand)
        case Comparison(operands=operands, operators=(operator,)):
            flipped = Comparison(operands=operands, operators=(_OPPOSITE[operator],))
            return _comparison(flipped), _COMPARISON
        case _:
            return Prefixed(prefix="not ", inner=_in(tree, _ATOM)), _NOT
