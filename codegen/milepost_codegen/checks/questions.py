"""Questions about conditions, each with bounded work, and all of them together too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.substitute import both
from milepost_codegen.logic import Undecided, Work, satisfy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_codegen.expressions import Expression

__all__ = ["Questions"]

_EACH: Final = 40_000
_ALL: Final = 2_000_000


@dataclass(slots=True)
class Questions:
    """What is asked about one machine; `spent` counts the steps of all answers."""

    left: int = _ALL
    spent: int = 0
    _answers: dict[Expression, Mapping[str, int | bool | str] | None] = field(default_factory=dict)

    def model(self, trees: Iterable[Expression]) -> Mapping[str, int | bool | str] | None:
        """Values with which all of them hold, None if there are none. Raises Undecided."""
        tree = both(trees)
        if tree in self._answers:
            return self._answers[tree]
        work = Work(max(0, min(_EACH, self.left)))
        try:
            answer = self._answers[tree] = satisfy(tree, work=work)
        finally:
            self.left -= work.spent
            self.spent += work.spent
        return answer

    def spend(self, steps: int) -> None:
        """Count the steps of work that is done between questions."""
        self.left -= steps
        self.spent += steps

    def never(self, trees: Iterable[Expression]) -> bool:
        """True if certainly they never hold together; False if they may, or it is too hard."""
        try:
            return self.model(trees) is None
        except Undecided:
            return False
