"""The parts that members of a collection are in, by the roles of their machine's states."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from milepost.machine import Machine

__all__ = ["Parts", "done_states", "parts_of"]


class Parts(NamedTuple):
    """The states of a machine of members, each in the one part that its role says.

    `ended` are final states that no role names, `unassigned` those that are not final.
    """

    waiting: tuple[str, ...]
    held: tuple[str, ...]
    done: tuple[str, ...]
    failed: tuple[str, ...]
    dead: tuple[str, ...]
    skipped: tuple[str, ...]
    ended: tuple[str, ...]
    unassigned: tuple[str, ...]


@lru_cache(maxsize=64)
def parts_of(machine: Machine) -> Parts:
    """The parts of `machine`; a state that several roles name is in the first of them."""
    roles = machine.roles
    named = (roles.waiting, roles.held, roles.done, roles.failed, roles.dead, roles.skipped)
    free = dict.fromkeys(machine.states)
    found: list[tuple[str, ...]] = []
    for states in named:
        found.append(tuple(state for state in free if state in states))
        for state in found[-1]:
            del free[state]
    waiting, held, done, failed, dead, skipped = found
    return Parts(
        waiting,
        held,
        done,
        failed,
        dead,
        skipped,
        ended=tuple(state for state in free if state in machine.final),
        unassigned=tuple(state for state in free if state not in machine.final),
    )


def done_states(machine: Machine) -> tuple[str, ...]:
    """The states of `machine` with a result recorded."""
    return parts_of(machine).done
