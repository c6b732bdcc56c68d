"""Trees with their reads replaced, and small trees that proofs are put together from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import (
    Arithmetic,
    Choice,
    Comparison,
    Expression,
    GuardUse,
    Implication,
    Logic,
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

__all__ = ["FALSE", "TRUE", "both", "either", "opposite", "substitute", "total"]

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
    """A tree that holds where all of them do; true if there are none."""
    kept: dict[Expression, None] = {}
    for tree in trees:
        if tree == FALSE:
            return FALSE
        if isinstance(tree, Logic) and tree.operator == "and":
            kept.update(dict.fromkeys(tree.operands))
        elif tree != TRUE:
            kept[tree] = None
    parts = tuple(kept)
    if len(parts) < 2:  # a conjunction has two parts
        return parts[0] if parts else TRUE
    return Logic(operator="and", operands=parts)


def either(trees: Iterable[Expression]) -> Expression:
    """A tree that holds where one of them does; false if there are none."""
    kept: dict[Expression, None] = {}
    for tree in trees:
        if tree == TRUE:
            return TRUE
        if isinstance(tree, Logic) and tree.operator == "or":
            kept.update(dict.fromkeys(tree.operands))
        elif tree != FALSE:
            kept[tree] = None
    parts = tuple(kept)
    if len(parts) < 2:  # a disjunction has two parts
        return parts[0] if parts else FALSE
    return Logic(operator="or", operands=parts)


def opposite(tree: Expression) -> Expression:
    """A tree that holds where `tree` does not."""
    return Truth(value=not tree.value) if isinstance(tree, Truth) else negation(tree)


def total(trees: Iterable[Expression]) -> Expression:
    """The sum of integer trees; 0 if there are none."""
    parts = tuple(tree for tree in trees if tree != Number(value=0))
    if len(parts) < 2:  # a sum has two parts
        return parts[0] if parts else Number(value=0)
    return Arithmetic(operands=parts, operators=tuple("+" for _ in parts[1:]))
