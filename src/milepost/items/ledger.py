"""The item ledger: a partition of a collection's members into cells that share state and context.

Members of one cell are alike to every guard, so one step moves them all: folding a batch costs
per cell, not per item. Cells are roaring bitmaps of ordinals that share their containers when
they are copied, so a ledger is immutable and a change costs what it touches.
Source of the bitmaps: Lemire et al., "Roaring Bitmaps: Implementation of an Optimized Software
Library", 2018.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from pyroaring import BitMap

from milepost.log.facts import SnapshotCell
from milepost.machine import Machine, TransitionRefused, Values
from milepost.text.wording import one_line, short_repr

__all__ = ["Cell", "Ledger", "MemberRefusedError", "Move", "bitmap"]

Cell: TypeAlias = tuple[str, tuple[Any, ...]]  # a state, and the values of the machine's variables


_STEPS_KEPT: Final = 1024
"""Of how many pairs of a cell and an event a ledger knows the step."""


@short_repr
class Move(NamedTuple):
    """Members that leave one cell for another, by one transition."""

    before: Cell
    after: Cell
    transition: str
    members: BitMap


class MemberRefusedError(Exception):
    """A member's event was refused: which member, and the refusal itself."""

    def __init__(self, ordinal: int, refusal: TransitionRefused) -> None:
        self.ordinal = ordinal
        self.refusal = refusal
        super().__init__(ordinal, refusal)


def bitmap(ordinals: Iterable[int] = ()) -> BitMap:
    """A set of ordinals whose copies share what is not changed."""
    return BitMap(ordinals, copy_on_write=True)


def _stored(members: BitMap) -> bytes:
    """Equal sets as equal bytes: how a set itself keeps its runs depends on what was done to it."""
    stored: bytes = BitMap(members.to_array()).serialize()
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The members of one collection, by state and context. Nothing in it changes.

    `params` are the members' shared parameters, `universe` the ordinals of all members. The cells
    are a partition of it: no cell is empty, and no member in two.
    """

    machine: Machine
    params: Values
    universe: BitMap
    cells: Mapping[Cell, BitMap]
    _steps: dict[tuple[Cell, str], tuple[Cell, str]] = field(default_factory=dict, compare=False)
    """What members of a cell do on an event, where no payload decides: derived, and bounded."""

    def __repr__(self) -> str:
        told = f"{self.count} in {len(self.cells)} cells"
        return one_line(f"<Ledger of {self.machine.name}: {told}>")

    @staticmethod
    def create(machine: Machine, params: Values, members: BitMap) -> Ledger:
        """A ledger of `members` in the machine's initial state, whatever its invariants say."""
        context = machine.fresh(**params)
        cell = (machine.initial, tuple(context[name] for name in machine.owned))
        cells = {cell: members} if members else {}
        shared = {v.name: context[v.name] for v in machine.variables if v.param}
        return Ledger(machine=machine, params=shared, universe=members, cells=cells)

    @staticmethod
    def restore(machine: Machine, params: Values, cells: Iterable[SnapshotCell]) -> Ledger:
        """The ledger whose `dump` gave `cells`.

        Raises ValueError if a member is in two, or where a cell has not a value for each variable.
        """
        restored: dict[Cell, BitMap] = {}
        seen = bitmap()
        for cell in cells:
            if len(cell.values) != len(machine.owned):
                raise ValueError(f"{len(cell.values)} values are not those of its variables")
            members = bitmap(BitMap.deserialize(cell.members).to_array())
            restored[cell.state, tuple(cell.values)] = members
            seen = seen | members
        if sum(map(len, restored.values())) != len(seen):
            raise ValueError("its items are not a partition")
        return Ledger(machine=machine, params=params, universe=seen, cells=restored)

    def dump(self) -> list[SnapshotCell]:
        """The cells as they are stored: the same bytes for equal ledgers, whatever made them."""
        return [
            SnapshotCell(state=state, values=values, members=_stored(members))
            for (state, values), members in sorted(self.cells.items(), key=lambda entry: entry[0])
        ]

    def grown(self, members: BitMap) -> Ledger:
        """With more `members`, none of which it has, in the machine's initial state."""
        more = Ledger.create(self.machine, self.params, members)
        cells = dict(self.cells)
        for cell, found in more.cells.items():
            cells[cell] = cells.get(cell, bitmap()) | found
        return self._with(cells, self.universe | members)

    @property
    def count(self) -> int:
        """How many members there are."""
        return len(self.universe)

    def counts(self) -> tuple[int, ...]:
        """How many members are in each state, in definition order. O(cells)."""
        found = dict.fromkeys(self.machine.states, 0)
        for (state, _), members in self.cells.items():
            found[state] += len(members)
        return tuple(found.values())

    def members(self, *states: str) -> BitMap:
        """The ordinals of the members in any of `states`."""
        found = self.parts(*states)
        if len(found) == 1:
            return found[0].copy()
        return BitMap.union(*found) if found else bitmap()

    def parts(self, *states: str) -> list[BitMap]:
        """The members in any of `states`, in parts that have none in common: nothing is copied."""
        found: list[BitMap] = []
        for (state, _), members in self.cells.items():  # of every record: no comprehension
            if state in states:
                found.append(members)
        return found

    def member(self, ordinal: int) -> tuple[str, Values]:
        """The state and context of one member. O(cells); raises KeyError if there is none."""
        for (state, values), members in self.cells.items():
            if ordinal in members:
                return state, self.context(values)
        raise KeyError(ordinal)

    def marked(self, name: str) -> BitMap:
        """The members whose variable `name` is true; none of a machine without it. O(cells)."""
        owned = self.machine.owned
        found = bitmap()
        if name in owned:
            place = owned.index(name)
            for (_, values), members in self.cells.items():
                if values[place]:
                    found = found | members
        return found

    def enabled(self, event: str) -> BitMap:
        """The members that would take `event`, guards included. O(cells)."""
        machine, found = self.machine, bitmap()
        for (state, values), members in self.cells.items():
            decide = machine.rows.get(state, {}).get(event)
            if decide is not None and (
                machine.uses_payload(state, event) or decide(self.context(values), {}) is not None
            ):
                found = found | members
        return found

    def moves(
        self, event: str, ordinals: Sequence[int] | BitMap, payloads: Sequence[Values] | None
    ) -> list[Move]:
        """The move of each of `ordinals` on `event`; all of them are legal, or an error is raised.

        `payloads` holds what guards may read, in the order of `ordinals`. O(cells) steps, or one
        for each payload among them where that decides. Raises MemberRefusedError, and KeyError for
        an ordinal that is not of the ledger, ValueError for one given twice.
        """
        asked = ordinals if isinstance(ordinals, BitMap) else bitmap(ordinals)
        if len(asked) != len(ordinals):
            raise ValueError("an item is listed twice")
        moves: list[Move] = []
        found = 0
        for cell, members in self.cells.items():
            if not members.intersect(asked):
                continue
            hit = asked if asked <= members else members & asked
            found += len(hit)
            if payloads is None or not self.machine.uses_payload(cell[0], event):
                moves.append(self._common_move(cell, event, hit))
            elif len(payloads) == 1:
                moves.append(self._move(cell, event, hit, payloads[0]))
            else:
                of = dict(zip(ordinals, payloads, strict=True))
                moves.extend(
                    self._move(cell, event, alike, of[alike[0]]) for alike in _alike(hit, of)
                )
        if found != len(asked):
            raise KeyError((asked - self.universe).min())
        return moves

    def after(self, moves: Iterable[Move]) -> Ledger:
        """The ledger after `moves` that it gave itself."""
        cells = dict(self.cells)
        for before, after, _, members in moves:
            if before == after:
                continue
            left = cells[before] - members
            if left:
                cells[before] = left
            else:
                del cells[before]
            there = cells.get(after)
            cells[after] = members if there is None else there | members
        return self._with(cells, self.universe)

    def _with(self, cells: Mapping[Cell, BitMap], universe: BitMap) -> Ledger:
        """Other members of the same machine with the same parameters: they take the same steps."""
        return Ledger(
            machine=self.machine,
            params=self.params,
            universe=universe,
            cells=cells,
            _steps=self._steps,
        )

    def _move(self, cell: Cell, event: str, members: BitMap, payload: Values) -> Move:
        state, values = cell
        context = self.context(values)
        try:
            step = self.machine.follow(state, event, context, payload)
        except TransitionRefused as refusal:
            raise MemberRefusedError(members[0], refusal) from refusal
        if step.context is not context:
            values = tuple(map(step.context.__getitem__, self.machine.owned))
        return Move(cell, (step.state, values), step.transition, members)

    def _common_move(self, cell: Cell, event: str, members: BitMap) -> Move:
        """As `_move`, where no payload decides: what is known of the cell is not worked out anew.

        A step is a function of cell and event alone, so whoever writes cannot make it untrue.
        """
        known = self._steps.get((cell, event))
        if known is not None:
            return tuple.__new__(Move, (cell, *known, members))  # a third cheaper
        move = self._move(cell, event, members, {})
        if len(self._steps) >= _STEPS_KEPT:
            self._steps.clear()
        self._steps[cell, event] = move.after, move.transition
        return move

    def context(self, values: tuple[Any, ...]) -> Values:
        """The context of the members of a cell with these values, parameters included."""
        context = dict(self.params)
        context.update(zip(self.machine.owned, values, strict=False))  # as many: `restore` checks
        return context


def _alike(members: BitMap, payloads: Mapping[int, Values]) -> list[BitMap]:
    """The members in parts that have the same payload, by the first of each."""
    found: dict[tuple[tuple[str, Any], ...], list[int]] = {}
    for ordinal in members:
        found.setdefault(tuple(payloads[ordinal].items()), []).append(ordinal)
    return [bitmap(ordinals) for ordinals in found.values()]
