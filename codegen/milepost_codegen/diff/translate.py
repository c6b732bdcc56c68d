"""Expressions of one version with their names replaced, so that two versions can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from milepost_codegen.expressions import Type
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
    Product,
    Read,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Dictionary", "Leaf", "rewritten", "translate"]

Leaf: TypeAlias = Read | Member

_REMEMBERED = "history."


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """New names for context entries, payload fields and states; others stay as they are."""

    entries: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)


def translate(tree: Expression, names: Dictionary) -> Expression:
    """`tree` by the names of `names`, with guards written out and enums known by name only."""

    def leaf(part: Leaf) -> Expression:
        kind = Type(name=part.type.name)
        if isinstance(part, Read):
            known = names.fields if part.payload else names.entries
            return Read(name=known.get(part.name, part.name), type=kind, payload=part.payload)
        name = part.name
        if kind.name.startswith(_REMEMBERED):
            name = names.states.get(name, name)
        return Member(name=name, type=kind)

    return rewritten(tree, leaf)


def rewritten(tree: Expression, leaf: Callable[[Leaf], Expression]) -> Expression:
    """`tree` with every name and every member as `leaf` says, and with guards written out."""

    def within(part: Expression) -> Expression:
        return rewritten(part, leaf)

    match tree:
        case GuardUse(body=body):
            return within(body)
        case Read() | Member():
            return leaf(tree)
        case Negative(operand=operand) | Not(operand=operand):
            return replace(tree, operand=within(operand))
        case Arithmetic(operands=operands) | Comparison(operands=operands):
            return replace(tree, operands=tuple(within(part) for part in operands))
        case Logic(operands=operands):
            return replace(tree, operands=tuple(within(part) for part in operands))
        case Product(left=left, right=right):
            return Product(left=within(left), right=within(right))
        case Implication(premise=premise, conclusion=conclusion):
            return Implication(premise=within(premise), conclusion=within(conclusion))
        case Choice(then=then, condition=condition, otherwise=otherwise):
            return Choice(
                then=within(then), condition=within(condition), otherwise=within(otherwise)
            )
        case _:
            return tree
