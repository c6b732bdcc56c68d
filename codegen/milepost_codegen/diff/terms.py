"""Expressions put together: all of some, any of them, none of them, and values that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from milepost_codegen.expressions import BOOL, INT, type_of
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Comparison,
    Logic,
    Member,
    Not,
    Number,
    Truth,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_codegen.expressions import Expression, Type

__all__ = ["TRUE", "Value", "every", "literal", "one_is", "some", "total", "unequal"]

Value: TypeAlias = int | bool | str

TRUE: Final = Truth(value=True)
_FALSE: Final = Truth(value=False)


def every(trees: Iterable[Expression]) -> Expression:
    """All of `trees`."""
    parts = tuple(one for one in trees if one != TRUE)
    if not parts:
        return TRUE
    return parts[0] if len(parts) == 1 else Logic(operator="and", operands=parts)


def some(trees: Iterable[Expression]) -> Expression:
    """Any of `trees`."""
    parts = tuple(one for one in trees if one != _FALSE)
    if not parts:
        return _FALSE
    return parts[0] if len(parts) == 1 else Logic(operator="or", operands=parts)


def unequal(one: Expression, other: Expression) -> Expression:
    """The two values, which are of one type, differ."""
    if one == other:
        return _FALSE
    if type_of(one) == BOOL:
        return some(
            (every((one, Not(operand=other))), every((Not(operand=one), other))),
        )
    if isinstance(one, Member) and isinstance(other, Member):
        return TRUE
    return Comparison(operands=(one, other), operators=("!=",))


def one_is(value: Expression, kind: Type, members: Iterable[str]) -> Expression:
    """The value is one of `members`."""
    return some(
        Comparison(operands=(value, Member(name=one, type=kind)), operators=("==",))
        for one in members
    )


def total(parts: tuple[Expression, ...]) -> Expression:
    """The sum of integers; 0 if there are none."""
    if not parts:
        return Number(value=0)
    if len(parts) == 1:
        return parts[0]
    return Arithmetic(operands=parts, operators=tuple("+" for _ in parts[1:]))


def literal(value: Value, kind: Type) -> Expression:
    """`value`, which is of that type, as an expression."""
    if isinstance(value, bool):
        return Truth(value=value)
    if kind == INT and isinstance(value, int):
        return Number(value=value)
    return Member(name=str(value), type=kind)
