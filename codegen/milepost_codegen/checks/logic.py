"""Guards as propositions: what is certain without knowing any arithmetic."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import BOOL, INT, evaluate, to_text, type_of
from milepost_codegen.expressions.tree import (
    Choice,
    Comparison,
    Expression,
    GuardUse,
    Implication,
    Logic,
    Not,
    Read,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.expressions.tree import ComparisonOperator

__all__ = ["Proposition", "never", "proposition", "witness"]

_MAX_CASES: Final = 4096
_SWAPPED: Final[Mapping[ComparisonOperator, tuple[ComparisonOperator, bool, bool]]] = {
    # operator: the one of `==` and `<` that stands for it, operands swapped, result negated
    "==": ("==", False, False),
    "!=": ("==", False, True),
    "<": ("<", False, False),
    ">=": ("<", False, True),
    ">": ("<", True, False),
    "<=": ("<", True, True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposition:
    """A boolean tree over truth values and enums.

    `exact` is False if comparisons of integers were replaced by truth values of their own: then
    some of the cases may be impossible, but no possible case is missing.
    """

    tree: Expression
    exact: bool


def proposition(tree: Expression) -> Proposition:
    """`tree` with every comparison of integers as an unknown."""
    abstract = _abstract(tree)
    exact = not any(
        isinstance(node, Comparison) and type_of(node.operands[0]) == INT for node in walk(tree)
    )
    return Proposition(tree=abstract, exact=exact)


def never(tree: Expression) -> bool:
    """True if `tree` is certainly false in every case; False if it may hold, or is too large."""
    cases = _cases(tree)
    return cases is not None and not any(evaluate(tree, case, {}) for case in cases)


def witness(tree: Expression) -> str | None:
    """A case in which `tree` holds, as `name = value` with commas; None if none is found."""
    for case in _cases(tree) or ():
        if evaluate(tree, case, {}):
            return ", ".join(f"{name} = {_shown(value)}" for name, value in case.items())
    return None


def _cases(tree: Expression) -> Iterator[dict[str, bool | str]] | None:
    """Every combination of what `tree` reads, or None if there are too many."""
    domains: dict[str, tuple[bool | str, ...]] = {}
    for node in walk(tree):
        if isinstance(node, Read):
            domains[node.name] = node.type.members or (False, True)
    if math.prod(len(domain) for domain in domains.values()) > _MAX_CASES:
        return None
    combinations = itertools.product(*domains.values())
    return (dict(zip(domains, values, strict=True)) for values in combinations)


def _abstract(tree: Expression) -> Expression:
    """`tree` without integers: its comparisons of them are truth values named by their text."""
    match tree:
        case GuardUse(body=body):
            return _abstract(body)
        case Read(name=name, type=kind, payload=True):
            return Read(name=f"event.{name}", type=kind)
        case Not(operand=operand):
            return Not(operand=_abstract(operand))
        case Logic(operator=operator, operands=operands):
            return Logic(operator=operator, operands=tuple(_abstract(part) for part in operands))
        case Implication(premise=premise, conclusion=conclusion):
            return Implication(premise=_abstract(premise), conclusion=_abstract(conclusion))
        case Choice(then=then, condition=condition, otherwise=otherwise):
            return Choice(
                then=_abstract(then),
                condition=_abstract(condition),
                otherwise=_abstract(otherwise),
            )
        case Comparison(operands=operands, operators=operators):
            if type_of(operands[0]) != INT:
                abstract = tuple(_abstract(part) for part in operands)
                return Comparison(operands=abstract, operators=operators)
            pairs = zip(operands, operators, operands[1:], strict=False)
            links = tuple(_link(left, operator, right) for left, operator, right in pairs)
            return links[0] if len(links) == 1 else Logic(operator="and", operands=links)
        case _:
            return tree


def _link(left: Expression, operator: ComparisonOperator, right: Expression) -> Expression:
    """One comparison of integers; opposites and mirror images use the same unknown."""
    constant = not any(isinstance(node, Read) for part in (left, right) for node in walk(part))
    if constant:
        return Comparison(operands=(left, right), operators=(operator,))
    plain, swapped, negated = _SWAPPED[operator]
    first, second = (right, left) if swapped else (left, right)
    atom = Comparison(operands=(first, second), operators=(plain,))
    unknown = Read(name=to_text(atom), type=BOOL)
    return Not(operand=unknown) if negated else unknown


def _shown(value: bool | str) -> str:  # noqa: FBT001  # a value of the language
    return value if isinstance(value, str) else str(value).lower()
