"""Trees with their reads replaced, and small trees that proofs are put together from."""

from __future__ import annotations

from dataclasses import replace
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
    negation,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal

    from milepost_codegen.expressions.tree import Type

__all__ = ["FALSE", "TRUE", "both", "constant", "either", "opposite", "substitute", "total"]

TRUE: Final = Truth(value=True)
FALSE: Final = Truth(value=False)


def substitute(
    tree: Expression,
    entries: Mapping[str, Expression],
    fields: Mapping[str, Expression] | None = None,
) -> Expression:
    """`tree` with the entries and fields of payloads that are named replaced, guards written out.

    What nothing is named for stays as it is.
    """
    known = fields or {}

    def within(part: Expression) -> Expression:
        match part:
            case Read(name=name, payload=payload):
                return (known if payload else entries).get(name, part)
            case GuardUse(body=body):
                return within(body)
            case Negative(operand=operand) | Not(operand=operand):
                return replace(part, operand=within(operand))
            case Arithmetic(operands=operands) | Comparison(operands=operands):
                return replace(part, operands=tuple(map(within, operands)))
            case Logic(operands=operands):
                return replace(part, operands=tuple(map(within, operands)))
            case Product(left=left, right=right):
                return replace(part, left=within(left), right=within(right))
            case Implication(premise=premise, conclusion=conclusion):
                return replace(part, premise=within(premise), conclusion=within(conclusion))
            case Choice(then=then, condition=condition, otherwise=otherwise):
                return replace(
                    part,
                    then=within(then),
                    condition=within(condition),
                    otherwise=within(otherwise),
                )
            case _:
                return part

    return within(tree)


def both(trees: Iterable[Expression]) -> Expression:
    """That all of them hold, flat and without repetition; true if there are none."""
    return _joined("and", trees)


def either(trees: Iterable[Expression]) -> Expression:
    """That one of them holds, flat and without repetition; false if there are none."""
    return _joined("or", trees)


def _joined(operator: Literal["and", "or"], trees: Iterable[Expression]) -> Expression:
    neutral, final = (TRUE, FALSE) if operator == "and" else (FALSE, TRUE)
    parts: dict[Expression, None] = {}
    for tree in trees:
        flat = tree.operands if isinstance(tree, Logic) and tree.operator == operator else (tree,)
        parts.update(dict.fromkeys(flat))
    parts.pop(neutral, None)
    if final in parts:
        return final
    if len(parts) < 2:
        return next(iter(parts), neutral)
    return Logic(operator=operator, operands=tuple(parts))


def constant(kind: Type, value: int | bool | str) -> Expression:  # noqa: FBT001  # of the language
    """The tree of a value."""
    if kind == BOOL:
        return Truth(value=bool(value))
    return Member(type=kind, name=value) if isinstance(value, str) else Number(value=value)


def opposite(tree: Expression) -> Expression:
    """A tree that holds where `tree` does not."""
    return Truth(value=not tree.value) if isinstance(tree, Truth) else negation(tree)


def total(trees: Iterable[Expression]) -> Expression:
    """The sum of integer trees; 0 if there are none."""
    parts = tuple(tree for tree in trees if tree != Number(value=0))
    if len(parts) < 2:  # a sum has two parts
        return parts[0] if parts else Number(value=0)
    return Arithmetic(operands=parts, operators=tuple("+" for _ in parts[1:]))
