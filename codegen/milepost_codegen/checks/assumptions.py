"""What holds in each state of a machine on every run, by the definition's own words.

Invariants are enforced, `where` is checked at creation, and counts of members add up. That a
variable which no row sets keeps its initial value is not among it: a guard on such a variable is
there for the rows to come, and no mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.expressions import INT
from milepost_codegen.expressions.tree import Arithmetic, Comparison, Number, Read
from milepost_codegen.model import reads_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Collection, Machine

__all__ = ["Assumption", "Assumptions", "counted", "relevant", "wheres"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """What holds, and `because` of what."""

    holds: Expression
    because: str


class Assumptions:
    """What holds in the states of one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.everywhere = (
            *wheres(machine),
            *(one for collection in machine.collections for one in counted(collection)),
        )

    def within(self, state: str) -> tuple[Assumption, ...]:
        """All that holds in `state`."""
        own = (
            Assumption(holds=one.holds, because=f"the invariant '{one.name}'")
            for one in self.machine.invariants
            if one.states is None or state in one.states
        )
        return (*own, *self.everywhere)

    def about(self, tree: Expression, state: str) -> tuple[Assumption, ...]:
        """What holds in `state` of anything that `tree` reads, or that is told together with it."""
        return relevant(self.within(state), reads_in(tree))


def relevant(assumptions: Iterable[Assumption], read: Iterable[str]) -> tuple[Assumption, ...]:
    """Those that read one of the names, or share a name with one that does, and so on."""
    names = set(read)
    waiting = [(one, set(reads_in(one.holds))) for one in assumptions]
    kept: list[Assumption] = []
    grown = True
    while grown:
        grown = False
        rest: list[tuple[Assumption, set[str]]] = []
        for one, own in waiting:
            if own & names:
                names |= own
                kept.append(one)
                grown = True
            else:
                rest.append((one, own))
        waiting = rest
    return tuple(kept)


def wheres(machine: Machine) -> Iterator[Assumption]:
    """What the parameters satisfy."""
    for one in machine.variables:
        if one.param and one.where is not None:
            yield Assumption(holds=one.where, because=f"the 'where' of '{one.name}'")


def counted(collection: Collection) -> Iterator[Assumption]:
    """That counts of members are never negative, and add up."""
    because = f"the way in which '{collection.name}' are counted"
    *states, total = (Read(name=entry, type=INT) for entry in collection.entries)
    for one in states:
        at_least = Comparison(operands=(one, Number(value=0)), operators=(">=",))
        yield Assumption(holds=at_least, because=because)
    whole: Expression = states[0]
    if len(states) > 1:
        whole = Arithmetic(operands=tuple(states), operators=tuple("+" for _ in states[1:]))
    yield Assumption(holds=Comparison(operands=(total, whole), operators=("==",)), because=because)
