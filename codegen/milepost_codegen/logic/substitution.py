"""Conditions and values with what they read replaced, and everything constant worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.expressions import BOOL, evaluate, type_of
from milepost_codegen.expressions.substitute import both, either
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
    negation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from milepost_codegen.expressions import Expression

__all__ = ["substituted"]


def substituted(
    tree: Expression,
    entries: Mapping[str, Expression],
    payload: Mapping[str, Expression],
) -> Expression:
    """`tree` with its reads replaced; what then reads nothing is a literal, sums are in order.

    What is not in the mappings stays as it is. Cost: linear in the size of the result.
    """
    return _Substitution(
        lambda read: (payload if read.payload else entries).get(read.name, read)
    ).of(tree)


class _Substitution:
    """One pass; `replaced` says what stands for a read."""

    def __init__(self, replaced: Callable[[Read], Expression]) -> None:
        self.replaced = replaced

    def of(self, tree: Expression) -> Expression:
        match tree:
            case Read():
                return self.replaced(tree)
            case Number() | Truth() | Member():
                return tree
            case GuardUse(body=body):
                return self.of(body)
            case Not(operand=operand):
                inner = self.of(operand)
                return Truth(value=not inner.value) if isinstance(inner, Truth) else negation(inner)
            case Logic(operator=operator, operands=operands):
                return (both if operator == "and" else either)(map(self.of, operands))
            case Implication(premise=premise, conclusion=conclusion):
                return self.of(Logic(operator="or", operands=(Not(operand=premise), conclusion)))
            case Choice(then=then, condition=condition, otherwise=otherwise):
                return self.choice(self.of(then), self.of(condition), self.of(otherwise))
            case Comparison(operands=operands, operators=operators):
                values = [self.of(part) for part in operands]
                pairs = zip(values, operators, values[1:], strict=False)
                return both(
                    _known(Comparison(operands=(left, right), operators=(operator,)))
                    for left, operator, right in pairs
                )
            case Negative() | Arithmetic() | Product():
                return self.number(tree)

    @staticmethod
    def choice(then: Expression, condition: Expression, otherwise: Expression) -> Expression:
        if isinstance(condition, Truth):
            return then if condition.value else otherwise
        if then == otherwise:
            return then
        return Choice(then=then, condition=condition, otherwise=otherwise)

    def number(self, tree: Expression) -> Expression:
        """A sum in which each term occurs once."""
        terms: dict[Expression, int] = {}
        constant = self.add(tree, 1, terms)
        kept = [(term, factor) for term, factor in terms.items() if factor]
        if not kept:
            return Number(value=constant)
        parts: list[Expression] = []
        signs: list[Literal["+", "-"]] = []
        for term, factor in kept:
            size = abs(factor) if parts else factor
            signs.append("+" if factor > 0 else "-")
            parts.append(term if size == 1 else Product(left=Number(value=size), right=term))
        if constant:
            signs.append("+" if constant > 0 else "-")
            parts.append(Number(value=abs(constant)))
        if len(parts) == 1:
            return parts[0]
        return Arithmetic(operands=tuple(parts), operators=tuple(signs[1:]))

    def add(self, tree: Expression, factor: int, terms: dict[Expression, int]) -> int:
        """Add `factor` times `tree`, its reads replaced; what is constant of it is returned."""
        match tree:
            case Number(value=value):
                return factor * value
            case Negative(operand=operand):
                return self.add(operand, -factor, terms)
            case Arithmetic(operands=operands, operators=operators):
                return sum(
                    self.add(part, factor if sign == "+" else -factor, terms)
                    for sign, part in zip(("+", *operators), operands, strict=True)
                )
            case Product(left=left, right=right):
                for side, other in ((left, right), (right, left)):
                    fixed = self.of(side)
                    if isinstance(fixed, Number):
                        return self.add(other, factor * fixed.value, terms)
                raise TypeError(tree)
            case _:
                whole = self.of(tree)
        if isinstance(whole, Number | Negative | Arithmetic | Product):
            return _NOTHING.add(whole, factor, terms)
        terms[whole] = terms.get(whole, 0) + factor
        return 0


_NOTHING = _Substitution(lambda read: read)


def _known(tree: Comparison) -> Expression:
    """The comparison, or its value where both sides are literals or the same."""
    left, right = tree.operands
    if all(isinstance(part, Number | Truth | Member) for part in tree.operands):
        return Truth(value=bool(evaluate(tree, {}, {})))
    if left == right:
        return Truth(value=tree.operators[0] in ("==", "<=", ">="))
    if type_of(left) == BOOL:
        for side, other in ((left, right), (right, left)):
            if isinstance(side, Truth):
                same = side.value == (tree.operators[0] == "==")
                return other if same else negation(other)
    return tree
