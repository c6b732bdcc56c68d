"""The members of one collection by a definition, alike ones together.

Members that share a state and a context are alike to every guard, so that one look at the
definition moves them all. It is a partition that changes in place, and asks for rows nobody but the
definition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from pyroaring import BitMap

from milepost.conformance.departures import Departs
from milepost.conformance.refusing import refused
from milepost.definition import Allowed, Machine, Refused, Taken

__all__ = ["Cell", "Members", "Move", "ordinal_set"]

Cell: TypeAlias = tuple[str, tuple[Any, ...]]
"""A state, and the values of the machine's own variables, in the order of `owned`."""

_KNOWN: Final = 4096


def ordinal_set(ordinals: Iterable[int] = ()) -> BitMap:
    """A set of ordinals that can be held against those of the fold."""
    return BitMap(ordinals, copy_on_write=True)


class Move(NamedTuple):
    """Members that leave one cell for another, by one row."""

    before: Cell
    after: Cell
    taken: Taken
    ordinals: BitMap


class Members:
    """The members of one collection, by state and context. `params` they have in common."""

    def __init__(
        self, machine: Machine, params: Mapping[str, Any], cells: Mapping[Cell, BitMap]
    ) -> None:
        self.machine = machine
        self.params = dict(params)
        self.cells = dict(cells)
        self._steps: dict[tuple[Any, ...], tuple[Cell, Taken]] = {}

    @staticmethod
    def begun(machine: Machine, params: Mapping[str, Any], ordinals: Iterable[int]) -> Members:
        """Members in their initial state. Raises BadParameter."""
        context = machine.fresh(params)
        shared = {name: context[name] for name in machine.params}
        found = Members(machine, shared, {})
        found.grow(ordinals)
        return found

    def copy(self) -> Members:
        """Another partition of the same members, which changes by itself."""
        cells = {cell: ordinal_set(members) for cell, members in self.cells.items()}
        return Members(self.machine, self.params, cells)

    def grow(self, ordinals: Iterable[int]) -> None:
        """Take in more members, in their initial state."""
        more = ordinal_set(ordinals)
        if more:
            context = self.machine.fresh(self.params)
            cell = self.machine.initial, tuple(context[name] for name in self.machine.owned)
            self.cells[cell] = self.cells.get(cell, ordinal_set()) | more

    @property
    def count(self) -> int:
        """How many members there are."""
        return sum(map(len, self.cells.values()))

    def counts(self) -> dict[str, int]:
        """How many members are in each state, in definition order. O(cells)."""
        found = dict.fromkeys(self.machine.states, 0)
        for (state, _), members in self.cells.items():
            found[state] = found.get(state, 0) + len(members)
        return found

    def has(self, ordinal: int) -> bool:
        """True if that item is one of them. O(cells)."""
        return self.cell_of(ordinal) is not None

    def cell_of(self, ordinal: int) -> Cell | None:
        """The state and values of one member, None if it is not of this collection. O(cells)."""
        for cell, members in self.cells.items():
            if ordinal in members:
                return cell
        return None

    def context(self, cell: Cell) -> dict[str, Any]:
        """The context of the members of a cell, parameters included."""
        return {**self.params, **dict(zip(self.machine.owned, cell[1], strict=True))}

    def allowed(self, cell: Cell) -> Allowed:
        """The events that the members of a cell take, be they accepted by their owner or not."""
        return self.machine.allowed(cell[0], self.context(cell))

    def moves(
        self, event: str, ordinals: Sequence[int], payloads: Sequence[Mapping[str, Any]] | None
    ) -> list[Move]:
        """The move of each of `ordinals` on `event`, by their own guards. Raises Departs.

        `payloads` are what the log keeps of theirs, in that order. Cost: one look at the definition
        for those that share cell and payload.
        """
        left = ordinal_set(ordinals)
        if len(left) != len(ordinals):
            raise Departs("members", "it names an item twice")
        moves: list[Move] = []
        for cell, members in self.cells.items():
            hit = members & left
            if hit:
                left -= hit
                moves += [
                    self._move(cell, event, alike, payload)
                    for payload, alike in _alike(hit, ordinals, payloads)
                ]
                if not left:
                    break
        if left:
            raise Departs(
                "members", "it names an item that the job does not have", ordinals=_of(left)
            )
        return moves

    def sent(self, state: str, event: str) -> list[Move]:
        """The moves of all members in `state`, to which their owner sends `event`."""
        return [
            self._move(cell, event, members, {})
            for cell, members in self.cells.items()
            if cell[0] == state
        ]

    def take(self, moves: Iterable[Move]) -> None:
        """Let the members go where `moves`, which were all worked out here before, say."""
        for before, after, _, ordinals in moves:
            if before == after:
                continue
            left = self.cells[before] - ordinals
            if left:
                self.cells[before] = left
            else:
                del self.cells[before]
            self.cells[after] = self.cells.get(after, ordinal_set()) | ordinals

    def _move(self, cell: Cell, event: str, ordinals: BitMap, payload: Mapping[str, Any]) -> Move:
        key = (cell, event, tuple(sorted(payload.items())))
        known = self._steps.get(key)
        if known is None:
            known = self._step(cell, event, ordinals, payload)
            if len(self._steps) >= _KNOWN:
                self._steps.clear()
            self._steps[key] = known
        return Move(cell, *known, ordinals)

    def _step(
        self, cell: Cell, event: str, ordinals: BitMap, payload: Mapping[str, Any]
    ) -> tuple[Cell, Taken]:
        context = self.context(cell)
        try:
            taken = self.machine.take(cell[0], event, context, payload)
        except Refused as why:
            raise refused(why, self.machine, cell[0], self.allowed(cell), _of(ordinals)) from why
        context.update(taken.sets)
        return (taken.target, tuple(context[name] for name in self.machine.owned)), taken


def _of(ordinals: BitMap) -> tuple[int, ...]:
    return tuple(ordinals)


def _alike(
    hit: BitMap, ordinals: Sequence[int], payloads: Sequence[Mapping[str, Any]] | None
) -> Iterator[tuple[Mapping[str, Any], BitMap]]:
    """The members in parts that have the same payload."""
    if payloads is None:
        yield {}, hit
        return
    found: dict[tuple[tuple[str, Any], ...], BitMap] = {}
    for ordinal, payload in zip(ordinals, payloads, strict=True):
        if ordinal in hit:
            found.setdefault(tuple(sorted(payload.items())), ordinal_set()).add(ordinal)
    for told, alike in found.items():
        yield dict(told), alike
