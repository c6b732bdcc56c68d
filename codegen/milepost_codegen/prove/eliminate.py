"""Conditions without what comes from outside: whether some payload makes a guard hold.

A number with a factor of one is left out exactly: between two neighbouring bounds of it a condition
never changes, so it is enough to try every bound and the numbers right beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.substitute import either, substitute, total
from milepost_codegen.expressions.tree import (
    BOOL,
    INT,
    Arithmetic,
    Choice,
    Comparison,
    Expression,
    Member,
    Negative,
    Number,
    Product,
    Read,
    Truth,
    reads,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_codegen.prove.system import Input

__all__ = ["NotEliminated", "some_payload"]

_MOST_NODES: Final = 20_000


class NotEliminated(Exception):
    """The condition is beyond what is left out exactly."""


def some_payload(tree: Expression, inputs: Iterable[Input]) -> Expression:
    """A condition on the context that holds where some payload makes `tree` hold.

    Raises NotEliminated where a field has a factor, or the condition would grow too large.
    """
    for one in inputs:
        if not any(_is(read, one.name) for read in reads(tree)):
            continue
        if one.type == INT:
            tries = _bounds(tree, one.name)
        elif one.type == BOOL:
            tries = [Truth(value=False), Truth(value=True)]
        else:
            tries = [Member(type=one.type, name=name) for name in one.type.members]
        tree = either(substitute(tree, {}, {one.name: value}) for value in tries)
        if sum(1 for _ in walk(tree)) > _MOST_NODES:
            raise NotEliminated(one.name)
    return tree


def _is(node: Expression, name: str) -> bool:
    return isinstance(node, Read) and node.payload and node.name == name


def _bounds(tree: Expression, name: str) -> list[Expression]:
    """The numbers to try for a field: every bound of it, one less and one more."""
    found: dict[Expression, None] = {Number(value=0): None}
    for node in walk(tree):
        if not isinstance(node, Comparison):
            continue
        for left, right in zip(node.operands, node.operands[1:], strict=False):
            if not any(_is(one, name) for part in (left, right) for one in reads(part)):
                continue
            factor, rest = _split(left, name)
            other, beyond = _split(right, name)
            if factor == other:
                continue
            if abs(factor - other) != 1:
                raise NotEliminated(name)
            # factor * field + rest ? other * field + beyond
            bound = _difference(beyond, rest) if factor > other else _difference(rest, beyond)
            for shift in (0, -1, 1):
                found[total((bound, Number(value=shift)))] = None
    return list(found)


def _split(tree: Expression, name: str) -> tuple[int, Expression]:
    """The factor of a field in a sum, and the sum without it."""
    zero = Number(value=0)
    match tree:
        case Read() if _is(tree, name):
            return 1, zero
        case Negative(operand=operand):
            factor, rest = _split(operand, name)
            return -factor, Negative(operand=rest)
        case Product(left=left, right=right):
            number, part = (left, right) if isinstance(left, Number) else (right, left)
            factor, rest = _split(part, name)
            if not factor:
                return 0, tree
            if not isinstance(number, Number):
                raise NotEliminated(name)
            return factor * number.value, Product(left=number, right=rest)
        case Arithmetic(operands=operands, operators=operators):
            parts = [_split(part, name) for part in operands]
            signs = [1, *(1 if one == "+" else -1 for one in operators)]
            factor = sum(sign * part[0] for sign, part in zip(signs, parts, strict=True))
            rests = tuple(part[1] for part in parts)
            return factor, Arithmetic(operands=rests, operators=operators)
        case Choice() if any(_is(one, name) for one in reads(tree)):
            raise NotEliminated(name)
        case _:
            return 0, tree


def _difference(left: Expression, right: Expression) -> Expression:
    return Arithmetic(operands=(left, right), operators=("-",))
