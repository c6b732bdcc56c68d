"""Expressions of two versions put together: values that differ, and a value that is one of some."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from milepost_codegen.expressions import BOOL, type_of
from milepost_codegen.expressions.substitute import FALSE, TRUE, both, either
from milepost_codegen.expressions.tree import Comparison, Member, Not

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_codegen.expressions import Expression, Type

__all__ = ["Value", "one_is", "unequal"]

Value: TypeAlias = int | bool | str


def unequal(one: Expression, other: Expression) -> Expression:
    """The two values, which are of one type, differ."""
    if one == other:
        return FALSE
    if type_of(one) == BOOL:
        return either(
            (both((one, Not(operand=other))), both((Not(operand=one), other))),
        )
    if isinstance(one, Member) and isinstance(other, Member):
        return TRUE
    return Comparison(operands=(one, other), operators=("!=",))


def one_is(value: Expression, kind: Type, members: Iterable[str]) -> Expression:
    """The value is one of `members`."""
    return either(
        Comparison(operands=(value, Member(name=one, type=kind)), operators=("==",))
        for one in members
    )
