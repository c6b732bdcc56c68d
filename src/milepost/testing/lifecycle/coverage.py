"""What of a definition was taken: rows, pairs of rows, conditions and illegal pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from milepost.testing.definition import Definition

__all__ = ["KINDS", "Coverage"]

KINDS: Final = ("row", "pair", "condition", "illegal", "ignored")
_NOUNS: Final = {
    "row": "arcs",
    "pair": "pairs",
    "condition": "conditions",
    "illegal": "illegal pairs",
    "ignored": "ignored pairs",
}


@dataclass(slots=True)
class Coverage:
    """Keys of what there is, what was taken, and what is proved to be impossible, by kind.

    What there is says the definition itself, not the traces: one that is left out is missed. A key
    is as traces have it: `item.row.running.fail`, `item.pair.FIRST+SECOND`,
    `item.condition.ROW.1.true`, `item.illegal.done.start` for a state and an event with no row, and
    `item.ignored.done.start` for one that changes nothing.
    """

    existing: Mapping[str, frozenset[str]]
    impossible: Mapping[str, frozenset[str]]
    taken: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})

    @staticmethod
    def of(definition: Definition, traces: Iterable[Mapping[str, Any]]) -> Coverage:
        """Nothing taken yet. What is impossible is what the traces say is proved to be."""
        existing: dict[str, set[str]] = {kind: set() for kind in KINDS}
        for name, machine in definition.machines.items():
            rows = [row for row in machine.every_row() if not row.ignored]
            existing["ignored"] |= {
                f"{name}.ignored.{row.source}.{row.event}"
                for row in machine.every_row()
                if row.ignored
            }
            for row in rows:
                existing["row"].add(f"{name}.row.{row.id}")
                existing["pair"] |= {
                    f"{name}.pair.{row.id}+{after.id}"
                    for after in rows
                    if after.source == row.target
                }
                existing["condition"] |= {
                    f"{name}.condition.{row.id}.{number}.{value}"
                    for number in range(1, 1 + (len(row.guard.conditions) if row.guard else 0))
                    for value in ("true", "false")
                }
            existing["illegal"] |= {
                f"{name}.illegal.{state}.{event}"
                for state in machine.states
                for event in machine.events
                if not machine.of_pair(state, event)
            }
        gone = {kind: set[str]() for kind in KINDS}
        for one in traces:
            if one["outcome"] == "impossible":
                gone[one["kind"]].add(one["key"])
        return Coverage(
            {kind: frozenset(keys) for kind, keys in existing.items()},
            {kind: frozenset(keys) for kind, keys in gone.items()},
        )

    def missing(self) -> list[str]:
        """The keys of what can be taken and was not, in order."""
        return sorted(
            key
            for kind in KINDS
            for key in self.existing[kind] - self.impossible[kind] - self.taken[kind]
        )

    def counts(self) -> dict[str, int]:
        """How much was taken, as `arcs`, and how much there was, as `arcs there are`."""
        found = {}
        for kind, noun in _NOUNS.items():
            possible = self.existing[kind] - self.impossible[kind]
            found[noun] = len(self.taken[kind] & possible)
            found[f"{noun} there are"] = len(possible)
        return found

    def __str__(self) -> str:
        counts = self.counts()
        told = (
            f"{noun} {counts[noun]} of {counts[f'{noun} there are']}" for noun in _NOUNS.values()
        )
        gone = sum(len(self.impossible[kind] & self.existing[kind]) for kind in KINDS)
        verb = "is" if gone == 1 else "are"
        return ", ".join(told) + (f"; {gone} more {verb} proved to be impossible" if gone else "")
