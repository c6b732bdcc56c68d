"""What one machine of the new version does with jobs of the old one, all questions asked.

A value that a migration gives may be read in two ways. A job that is stored has it from then on:
that is what really happens. And a lifecycle may be the same but for what a migration does to the
jobs that are stored: then each of its entries holds what it held. A step that differs in one way
only is answered by the migration, whose value makes the difference. One that differs either way is
one that no value answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from milepost_codegen.diff.lawful import broken_invariants, broken_parameters, claims_of
from milepost_codegen.diff.learnt import learnt
from milepost_codegen.diff.moves import events_of_owners
from milepost_codegen.diff.replay import differences, pairs_of
from milepost_codegen.diff.sharing import space_of
from milepost_codegen.model import Variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milepost_codegen.diff.lawful import Unlawful
    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.replay import Difference
    from milepost_codegen.diff.sharing import Reading
    from milepost_codegen.diff.space import Space
    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Lifecycle, Machine

__all__ = ["Item", "Judged", "item_of", "judged"]


Item: TypeAlias = tuple[Literal["row", "parameter", "invariant"], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found of one machine: steps that NEW takes otherwise, and jobs that it refuses.

    `breaking` is what of it the migration does not answer: rows by OLD's ids, the rest by name.
    """

    space: Space
    differences: tuple[Difference, ...]
    unlawful: tuple[Unlawful, ...]
    breaking: frozenset[Item]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What was found with values read in one way.

    `at_once` is what differs in the first step of a stored job; `later` is what differs when a
    value that rows set otherwise may be any.
    """

    space: Space
    at_once: tuple[Difference, ...]
    later: tuple[Difference, ...]
    unlawful: tuple[Unlawful, ...]
    items: frozenset[Item]


def judged(
    lifecycles: tuple[Lifecycle, Lifecycle],
    machines: tuple[Machine, Machine],
    names: Mapping[str, MachineNames],
    reached: frozenset[str],
) -> Judged:
    """All that NEW does otherwise with jobs of OLD; the states of OLD that count are `reached`.

    What is told is what happens to stored jobs, with the values that the migration gives. It breaks
    unless there is a way to read the values in which nothing differs. What is so of OLD's jobs
    beyond what it declares is found out only where something would break.
    """
    asking = _Asking(lifecycles, machines, names, reached)
    found = asking.judged()
    if not found.breaking or lifecycles[0].migrations:  # what came by these is not known
        return found
    asking.learn(found.space)
    return asking.judged()


def item_of(found: Unlawful) -> Item:
    """What of NEW the stored jobs do not satisfy."""
    return "parameter" if isinstance(found.part, Variable) else "invariant", found.part.name


class _Asking:
    """Two versions of one machine, asked about with values read in one way or another."""

    def __init__(
        self,
        lifecycles: tuple[Lifecycle, Lifecycle],
        machines: tuple[Machine, Machine],
        names: Mapping[str, MachineNames],
        reached: frozenset[str],
    ) -> None:
        self.lifecycles = lifecycles
        self.machines = machines
        self.names = names
        self.reached = reached
        self.own = names[machines[1].name]
        self.given: Sequence[str] = sorted(self.own.values)
        self.learnt: Mapping[str, Expression] = {}
        self.states = tuple(one.name for one in machines[0].states if one.name in reached)

    def judged(self) -> Judged:
        """What is found with the values read in all ways, by what is known of OLD's jobs."""
        real = self.read(dict.fromkeys(self.given, "given"))
        breaking = real.items
        for readings in self.others() if real.items else ():
            items = self.read(readings).items
            if not items:
                breaking = items
                break
            breaking = breaking & items or breaking
        rows = {one.row.id for one in real.at_once}
        return Judged(
            space=real.space,
            differences=(
                *real.at_once,
                *(
                    one
                    for one in real.later
                    if one.row.id not in rows and ("row", one.row.id) in breaking
                ),
            ),
            unlawful=(
                *self.stored(real),
                *(one for one in real.unlawful if item_of(one) in breaking),
            ),
            breaking=breaking,
        )

    def learn(self, space: Space) -> None:
        """Find out more of OLD's jobs than it declares."""
        old, before = self.machines[0], self.lifecycles[0]
        members = {machine.name: machine for machine in before.machines}
        self.learnt = learnt(space, members, events_of_owners(before, old))

    def others(self) -> Iterator[Mapping[str, Reading]]:
        """The other ways to read the values: all as if none was given, then one or all but one."""
        kept: dict[str, Reading] = dict.fromkeys(self.given, "kept")
        if self.given:
            yield kept
        if len(self.given) > 1:
            for name in self.given:
                yield {**kept, name: "given"}
        if len(self.given) > 2:
            for name in self.given:
                yield {**dict.fromkeys(self.given, "given"), name: "kept"}

    def read(self, readings: Mapping[str, Reading]) -> _Read:
        """All that differs, with the values read in that way.

        A value that a row of NEW sets otherwise than OLD is not known any more, and all is asked
        again without it.
        """
        members = {machine.name: machine for machine in self.lifecycles[0].machines}
        first: tuple[Space, tuple[Difference, ...]] | None = None
        while True:
            space = space_of(self.lifecycles, self.machines, self.names, readings, self.learnt)
            pairs = tuple(pairs_of(space, self.names, self.reached))
            claims = claims_of(space, pairs, members, self.states, self.lifecycles[0].migrations)
            found = tuple(
                one
                for pair in pairs
                for one in differences(space, pair, members, claims.of(pair.state))
            )
            told = tuple(one for one in found if not self._by_value(one))
            first = first or (space, told)
            more = {one.entry for one in found if self._by_value(one) and self._open(one)}
            if not more:
                break
            readings = {**readings, **dict.fromkeys(more, "free")}
        unlawful = (*broken_parameters(space, space.entries), *claims.broken)
        return _Read(
            space=first[0],
            at_once=first[1],
            later=told,
            unlawful=unlawful,
            items=frozenset(
                (
                    *(("row", one.row.id) for one in told if self._open(one)),
                    *map(item_of, unlawful),
                )
            ),
        )

    def stored(self, real: _Read) -> Iterator[Unlawful]:
        """What refuses a job as it is upgraded, by the values that the migration gives."""
        yield from broken_parameters(real.space, real.space.stored)
        yield from broken_invariants(real.space, self.states)

    def _open(self, one: Difference) -> bool:
        return not self.own.answer_row(one.row)

    def _by_value(self, one: Difference) -> bool:
        return one.aspect == "values" and one.entry in self.own.values
