"""Where a run is to end, as a term, and how far each mode is away from it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.solve.offers import Offers
    from milepost_codegen.prove.solve.terms import Encoder, Term, View
    from milepost_codegen.prove.system import Move, System

__all__ = ["Goal", "at_mode", "distances", "start_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Where runs are to end.

    In a mode of `modes` where its condition holds for some payload; in a mode of `stuck` where
    none of its moves can be taken, whatever the payload; or by a move of `moves`, by name, taken
    from where its condition holds with the move's own payload. All configurations but the last
    satisfy the invariants of their modes, and the last one as well if `keep_last`.
    """

    modes: Mapping[str, Expression]
    moves: Mapping[str, Expression]
    stuck: Mapping[str, Collection[Move]]
    keep_last: bool = True


def distances(system: System, goal: Goal) -> dict[str, int]:
    """How many steps each mode is away from the goal at least; modes without a way are left out."""
    found = dict.fromkeys((*goal.modes, *goal.stuck), 0)
    for move in system.moves:
        if move.name in goal.moves:
            found.setdefault(move.source, 1)
    into: dict[str, list[str]] = defaultdict(list)
    for move in system.moves:
        into[move.target].append(move.source)
    waiting = sorted(found, key=found.__getitem__)
    while waiting:
        following: list[str] = []
        for mode in waiting:
            for source in into[mode]:
                if found.get(source, found[mode] + 2) > found[mode] + 1:
                    found[source] = found[mode] + 1
                    following.append(source)
        waiting = following
    return found


def start_view(system: System, encoder: Encoder) -> View:
    """The entries at the start: free ones are constants."""
    fixed = {
        entry.name: encoder.literal(entry.type, entry.initial)
        for entry in system.entries
        if entry.initial is not None
    }
    view = encoder.view("@0", fixed)
    for entry in system.entries:
        view.entry(entry.name, entry.type)
    return view


def at_mode(goal: Goal, mode: str, view: View, offers: Mapping[str, Offers]) -> list[Term]:
    """What is true where a run may end in `mode`."""
    found = [view.term(goal.modes[mode])] if mode in goal.modes else []
    if mode in offers:
        found.append(view.encoder.opposite(offers[mode].at(view)))
    return found
