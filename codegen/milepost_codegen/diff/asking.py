"""One question of the space of two versions: what makes several conditions hold at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from milepost_codegen.expressions.substitute import both
from milepost_codegen.logic import DEFAULT_WORK, satisfy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_codegen.diff.space import Space
    from milepost_codegen.diff.terms import Value
    from milepost_codegen.expressions import Expression
    from milepost_codegen.logic import Work

__all__ = ["Model", "model_of"]

Model: TypeAlias = "Mapping[str, Value]"


def model_of(
    space: Space, conditions: Iterable[Expression], work: int | Work = DEFAULT_WORK
) -> Model | None:
    """Values of all that is read with which every condition holds; None if there are none.

    Raises Undecided where that takes too long to tell.
    """
    listed = list(conditions)
    return satisfy(both((*listed, *space.facts(listed))), work=work)
