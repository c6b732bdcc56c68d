"""Traces of a whole lifecycle, and how much of it they cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_codegen.digest import digest_of_meaning
from milepost_codegen.prove.solve import ask
from milepost_codegen.prove.traces.search import traces
from milepost_codegen.prove.traces.taken import taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.model import Lifecycle
    from milepost_codegen.prove.traces.goals import Kind
    from milepost_codegen.prove.traces.search import Outcome, Trace

__all__ = ["KINDS", "OUTCOMES", "Coverage", "cover"]

KINDS: Final[tuple[Kind, ...]] = ("row", "pair", "condition")
OUTCOMES: Final[tuple[Outcome, ...]] = ("covered", "impossible", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """All traces of a lifecycle, machine by machine; `solved` says that z3 was asked."""

    lifecycle: Lifecycle
    digest: str
    solved: bool
    traces: Mapping[str, tuple[Trace, ...]]

    @property
    def complete(self) -> bool:
        """True if everything is covered, or proved to be impossible."""
        return not any(self.count(kind, "unknown") for kind in KINDS)

    def count(self, kind: Kind, outcome: Outcome) -> int:
        """How many goals of a kind came out so."""
        return sum(
            one.goal.kind == kind and one.outcome == outcome
            for found in self.traces.values()
            for one in found
        )


def cover(lifecycle: Lifecycle, *, solver: bool = True) -> Coverage:
    """A run to everything there is to cover in `lifecycle`, taken on its generated code.

    Without z3, or where `solver` is False, more stays unknown.
    """
    return Coverage(
        lifecycle=lifecycle,
        digest=digest_of_meaning(lifecycle),
        solved=solver and bool(ask.available()),
        traces={
            one.name: taken(lifecycle, one.name, traces(lifecycle, one, solver=solver))
            for one in lifecycle.machines
        },
    )
