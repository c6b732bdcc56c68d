"""Expressions of the old version in the names of the new one, so that the two can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

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
    from collections.abc import Mapping

__all__ = ["Dictionary", "translate"]

_REMEMBERED = "history."


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """New names for context entries, payload fields and states; others stay as they are."""

    entries: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)


def translate(tree: Expression, names: Dictionary) -> Expression:
    """`tree` by the names of `names`, with guards written out and enums known by name only."""

    def within(part: Expression) -> Expression:
        return translate(part, names)

    match tree:
        case GuardUse(body=body):
            return within(body)
        case Read(name=name, type=kind, payload=payload):
            known = names.fields if payload else names.entries
            return Read(name=known.get(name, name), type=Type(name=kind.name), payload=payload)
        case Member(name=name, type=kind):
            if kind.name.startswith(_REMEMBERED):
                name = names.states.get(name, name)
            return Member(name=name, type=Type(name=kind.name))
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
