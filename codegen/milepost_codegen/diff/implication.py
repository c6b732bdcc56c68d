"""Whether one guard allows no more than another, as far as their structure tells.

Conditions are brought to a normal form (negations at the leaves, comparisons of integers as
`sum of terms <= bound`), and implication follows the form by rules that are sound and make no
case distinctions. So `False` means "not shown", never "refuted".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from milepost_codegen.expressions import INT, to_text, type_of
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Comparison,
    GuardUse,
    Implication,
    Logic,
    Member,
    Negative,
    Not,
    Number,
    Product,
    Truth,
)

if TYPE_CHECKING:
    from milepost_codegen.diff.report import Direction
    from milepost_codegen.expressions import Expression
    from milepost_codegen.expressions.tree import ComparisonOperator

__all__ = ["TRUE", "Form", "direction", "either", "implies", "normal"]

Terms: TypeAlias = "tuple[tuple[str, int], ...]"


@dataclass(frozen=True, slots=True)
class AtMost:
    """The sum of the terms is at most `bound`."""

    terms: Terms
    bound: int


@dataclass(frozen=True, slots=True)
class Exactly:
    """The sum of the terms is `value`, or is not."""

    terms: Terms
    value: int
    holds: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """What `text` says holds, or does not; with `member`, that `text` is that member."""

    text: str
    member: str
    holds: bool


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; true if there is none."""

    parts: frozenset[Form]


@dataclass(frozen=True, slots=True)
class Any:
    """Some part holds; false if there is none."""

    parts: frozenset[Form]


Form: TypeAlias = AtMost | Exactly | Fact | All | Any

TRUE: Final = All(frozenset())
_FALSE: Final = Any(frozenset())
_OPPOSITE: Final[dict[ComparisonOperator, ComparisonOperator]] = {
    "==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
}  # fmt: skip


def direction(old: Form, new: Form) -> Direction:
    """How `new` differs from `old`; `changed` where neither implies the other by structure."""
    down, up = implies(new, old), implies(old, new)
    if down and up:
        return "same"
    return "narrowed" if down else "widened" if up else "changed"


def normal(tree: Expression | None, *, holds: bool = True) -> Form:
    """The normal form of a boolean tree, or of its opposite; no guard is true."""
    match tree:
        case None:
            return TRUE
        case Truth(value=value):
            return TRUE if value == holds else _FALSE
        case GuardUse(body=body):
            return normal(body, holds=holds)
        case Not(operand=operand):
            return normal(operand, holds=not holds)
        case Logic(operator=operator, operands=operands):
            parts = [normal(part, holds=holds) for part in operands]
            return both(parts) if (operator == "and") == holds else either(parts)
        case Implication(premise=premise, conclusion=conclusion):
            parts = [normal(premise, holds=not holds), normal(conclusion, holds=holds)]
            return either(parts) if holds else both(parts)
        case Comparison(operands=operands, operators=operators):
            pairs = zip(operands, operators, operands[1:], strict=False)
            parts = [
                _comparison(left, operator if holds else _OPPOSITE[operator], right)
                for left, operator, right in pairs
            ]
            return both(parts) if holds else either(parts)
        case _:
            return Fact(to_text(tree), "", holds)


def both(parts: list[Form]) -> Form:
    """All of `parts`, flat."""
    found: set[Form] = set()
    for part in parts:
        found |= part.parts if isinstance(part, All) else {part}
    if _FALSE in found:
        return _FALSE
    return found.pop() if len(found) == 1 else All(frozenset(found))


def either(parts: list[Form]) -> Form:
    """Any of `parts`, flat."""
    found: set[Form] = set()
    for part in parts:
        found |= part.parts if isinstance(part, Any) else {part}
    if TRUE in found:
        return TRUE
    return found.pop() if len(found) == 1 else Any(frozenset(found))


def implies(first: Form, second: Form) -> bool:
    """True if `second` holds wherever `first` does, as far as the forms show it."""
    known: dict[tuple[Form, Form], bool] = {}

    def shown(premise: Form, conclusion: Form) -> bool:
        key = premise, conclusion
        if key not in known:
            known[key] = follow(premise, conclusion)
        return known[key]

    def follow(premise: Form, conclusion: Form) -> bool:
        if premise in (conclusion, _FALSE) or conclusion == TRUE:
            return True
        if isinstance(premise, Any):
            return all(shown(part, conclusion) for part in premise.parts)
        if isinstance(conclusion, All):
            return all(shown(premise, part) for part in conclusion.parts)
        if isinstance(conclusion, Any) and any(shown(premise, part) for part in conclusion.parts):
            return True
        if isinstance(premise, All):
            return any(shown(part, conclusion) for part in premise.parts)
        return not isinstance(conclusion, Any) and _leaf(premise, conclusion)

    return shown(first, second)


def _leaf(first: AtMost | Exactly | Fact, second: AtMost | Exactly | Fact) -> bool:
    """Implication between leaves that are not equal."""
    match first, second:
        case AtMost(terms, bound), AtMost(other, limit):
            return terms == other and bound <= limit
        case AtMost(terms, bound), Exactly(other, value, False):
            return (terms == other and bound < value) or (
                terms == _negative(other) and bound < -value
            )
        case Exactly(terms, value, True), AtMost(other, limit):
            return (terms == other and value <= limit) or (
                _negative(terms) == other and -value <= limit
            )
        case Exactly(terms, value, True), Exactly(other, another, False):
            return terms == other and value != another
        case Fact(text, member, True), Fact(other_text, other_member, False):
            return bool(member and text == other_text and member != other_member)
        case _:
            return False


def _comparison(left: Expression, operator: ComparisonOperator, right: Expression) -> Form:
    if type_of(left) != INT:
        if isinstance(left, Member):
            left, right = right, left
        if isinstance(right, Member) and not isinstance(left, Member):
            return Fact(to_text(left), right.name, operator == "==")
        first, second = sorted((to_text(left), to_text(right)))
        return Fact(f"({first}) == ({second})", "", operator == "==")
    if operator in (">", ">="):
        left, right = right, left
    terms, constant = _sum(left, 1, {}, 0)
    terms, constant = _sum(right, -1, terms, constant)
    bound = -constant - (1 if operator in ("<", ">") else 0)
    return _bounded(
        tuple(sorted((name, factor) for name, factor in terms.items() if factor)), bound, operator
    )


def _bounded(terms: Terms, bound: int, operator: ComparisonOperator) -> Form:
    equality = operator in ("==", "!=")
    if not terms:
        true = {"==": bound == 0, "!=": bound != 0}.get(operator, bound >= 0)
        return TRUE if true else _FALSE
    divisor = math.gcd(*(factor for _, factor in terms))
    if not equality:
        return AtMost(tuple((name, factor // divisor) for name, factor in terms), bound // divisor)
    if bound % divisor:
        return TRUE if operator == "!=" else _FALSE
    if terms[0][1] < 0:
        divisor = -divisor
    terms = tuple((name, factor // divisor) for name, factor in terms)
    return Exactly(terms, bound // divisor, operator == "==")


def _sum(
    tree: Expression, factor: int, terms: dict[str, int], constant: int
) -> tuple[dict[str, int], int]:
    """The terms and the constant with `factor` times `tree` added to them."""
    match tree:
        case Number(value=value):
            return terms, constant + factor * value
        case Negative(operand=operand):
            return _sum(operand, -factor, terms, constant)
        case Arithmetic(operands=operands, operators=operators):
            for sign, part in zip(("+", *operators), operands, strict=True):
                terms, constant = _sum(part, factor if sign == "+" else -factor, terms, constant)
            return terms, constant
        case Product(left=left, right=right):
            for one, other in ((left, right), (right, left)):
                read, fixed = _sum(one, 1, {}, 0)
                if not read:
                    return _sum(other, factor * fixed, terms, constant)
        case _:
            pass
    text = to_text(tree)
    return {**terms, text: terms.get(text, 0) + factor}, constant


def _negative(terms: Terms) -> Terms:
    return cast("Terms", tuple((name, -factor) for name, factor in terms))
