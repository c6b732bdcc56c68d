"""The atomic conditions of a guard, and where each of them alone decides what the guard says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milepost_codegen.expressions import BOOL, type_of
from milepost_codegen.expressions.substitute import FALSE, TRUE, both, either, opposite, substitute
from milepost_codegen.expressions.tree import (
    Choice,
    Comparison,
    Expression,
    Implication,
    Logic,
    Not,
    Read,
    parts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["atoms", "decides", "spelled_out"]


def spelled_out(tree: Expression) -> Expression:
    """`tree` without named guards, and with every chain of comparisons as a conjunction."""
    return _within(substitute(tree, {}), _links)


def atoms(tree: Expression) -> tuple[Expression, ...]:
    """The comparisons and truth values that a spelled-out guard is put together from, once each."""
    return tuple(dict.fromkeys(_atoms(tree)))


def decides(tree: Expression, atom: Expression) -> Expression:
    """Where the guard says one thing with `atom` true and another with it false.

    With that condition and one value of the atom each, both ways are shown to matter: that is
    masking MC/DC (Chilenski and Miller, 1994; CAST-6).
    """
    true = _within(tree, lambda part: TRUE if part == atom else None)
    false = _within(tree, lambda part: FALSE if part == atom else None)
    return either((both((true, opposite(false))), both((false, opposite(true)))))


def _atoms(tree: Expression) -> Iterator[Expression]:
    match tree:
        case Comparison() | Read():
            yield tree
        case Not() | Logic() | Implication() | Choice():
            for part in parts(tree):
                yield from _atoms(part)
        case _:
            return


def _links(tree: Expression) -> Expression | None:
    """A chain `a < b < c` as `a < b and b < c`; None for what is no chain."""
    if not isinstance(tree, Comparison) or len(tree.operators) == 1:
        return None
    operands, operators = tree.operands, tree.operators
    return both(
        Comparison(operands=(left, right), operators=(operator,))
        for left, operator, right in zip(operands, operators, operands[1:], strict=False)
    )


def _within(tree: Expression, change: Callable[[Expression], Expression | None]) -> Expression:
    """`tree` with each boolean part changed, from the top; None leaves a part to its own parts."""
    changed = change(tree)
    if changed is not None:
        return changed

    def below(part: Expression) -> Expression:
        return _within(part, change)

    match tree:
        case Not(operand=operand):
            return opposite(below(operand))
        case Logic(operator=operator, operands=operands):
            return (both if operator == "and" else either)(map(below, operands))
        case Implication(premise=premise, conclusion=conclusion):
            return either((opposite(below(premise)), below(conclusion)))
        case Choice(then=then, condition=condition, otherwise=otherwise) if type_of(then) == BOOL:
            return replace(
                tree, then=below(then), condition=below(condition), otherwise=below(otherwise)
            )
        case _:
            return tree
