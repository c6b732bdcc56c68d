"""Which groups a machine can go back into as a whole, as nested states with a history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost.machine import Machine, Transition

__all__ = ["Compound", "compounds", "plain_guard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compound:
    """A group as one state around its members; `default` is entered before it was ever left."""

    group: str
    members: frozenset[str]
    default: str


def compounds(machine: Machine) -> Mapping[str, Compound]:
    """The groups with a history that can be states around their members, by name, outer first.

    Two of them nest or have nothing in common: of groups that cross, the first stays. A group
    whose rows to its history do not lead to each member alike is left out as well.
    """
    found: list[Compound] = []
    for group in dict.fromkeys(row.history for row in machine.transitions if row.history):
        default = machine.entries.get(f"history.{group}")
        candidate = Compound(
            group=group, members=frozenset(machine.groups[group]), default=str(default)
        )
        crosses = any(
            candidate.members & other.members
            and not (candidate.members < other.members or other.members < candidate.members)
            for other in found
        )
        if default is not None and not crosses and _alike(machine, candidate):
            found.append(candidate)
    found.sort(key=lambda compound: -len(compound.members))  # stable: names keep their order
    return {compound.group: compound for compound in found}


def plain_guard(row: Transition) -> str | None:
    """The guard of a row to a history without the condition on what was left last, or None."""
    condition = f"history.{row.history} == {row.target}"
    if row.guard == condition:
        return ""
    guard = row.guard.removesuffix(f" and {condition}")
    return None if guard == row.guard else guard


def _alike(machine: Machine, compound: Compound) -> bool:
    """True if the rows of each pair that lead to the history are one row to all members.

    Nor may anything else read what was left last, since it would be no variable any more.
    """
    entry = f"history.{compound.group}"
    if any(entry in row.reads for row in machine.transitions if row.history != compound.group):
        return False
    pairs: dict[object, set[str]] = {}
    for row in machine.transitions:
        if row.history == compound.group:
            guard = plain_guard(row)
            if guard is None:
                return False
            alike = (row.source, row.event, guard, row.assign, row.members)
            pairs.setdefault(alike, set()).add(row.target)
    return all(targets == compound.members for targets in pairs.values())
