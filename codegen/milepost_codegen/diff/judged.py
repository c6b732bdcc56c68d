"""What one machine of the new version does with jobs of the old one, all questions asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.diff.lawful import broken_invariants, broken_parameters, claims_of
from milepost_codegen.diff.replay import differences, pairs_of
from milepost_codegen.diff.sharing import space_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.diff.lawful import Unlawful
    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.diff.replay import Difference
    from milepost_codegen.diff.space import Space
    from milepost_codegen.model import Lifecycle, Machine, Transition

__all__ = ["Judged", "answered", "judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found of one machine: steps that NEW takes otherwise, and jobs that it refuses."""

    space: Space
    differences: tuple[Difference, ...]
    unlawful: tuple[Unlawful, ...]


def judged(
    lifecycles: tuple[Lifecycle, Lifecycle],
    machines: tuple[Machine, Machine],
    names: Mapping[str, MachineNames],
    reached: frozenset[str],
) -> Judged:
    """All that NEW does otherwise with jobs of OLD; the states of OLD that count are `reached`.

    What the migration gives a value for is taken to stay as it was, until a row is found that sets
    it otherwise: then nothing is known of it any more, and all is asked again.
    """
    apart: frozenset[str] = frozenset()
    old, _ = machines
    members = {machine.name: machine for machine in lifecycles[0].machines}
    states = tuple(one.name for one in old.states if one.name in reached)
    own = names[machines[1].name]
    while True:
        space = space_of(lifecycles, machines, names, apart)
        pairs = tuple(pairs_of(space, names, reached))
        claims = claims_of(space, pairs, members, states, lifecycles[0].migrations)
        found = tuple(
            one
            for pair in pairs
            for one in differences(space, pair, members, claims.of(pair.state))
        )
        more = {
            one.entry for one in found if one.entry in own.values and not answered(one.row, own)
        }
        if not more - apart:
            break
        apart |= more
    unlawful = (
        *broken_parameters(space),
        *claims.broken,
        *broken_invariants(space, claims, states),
    )
    return Judged(space=space, differences=found, unlawful=unlawful)


def answered(row: Transition, names: MachineNames) -> bool:
    """True if the migration answers for what becomes of the row.

    It is retired, or the migration moves an end of it, and leaves none that is gone.
    """
    moved = {old for old, new in names.answered_states.items() if names.states.get(old) != new}
    ends = {row.source, row.target}
    return row.id in names.retired or bool(ends & moved and ends <= moved | set(names.states))
