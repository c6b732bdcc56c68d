"""The parts that members of a collection are in, by the roles of their machine's states."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from milepost.machine import Machine

__all__ = ["Parts", "done_states", "parts_by", "parts_of"]


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


def parts_by(
    named: Sequence[tuple[str, ...]], states: Iterable[str], final: Container[str]
) -> Parts:
    """The parts of `states`, of which `named` are those of each role, in the order of Parts.

    A state that several roles name is in the first of them.
    """
    free = dict.fromkeys(states)
    found: list[tuple[str, ...]] = []
    for each in named:
        found.append(tuple(state for state in free if state in each))
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
        ended=tuple(state for state in free if state in final),
        unassigned=tuple(state for state in free if state not in final),
    )


@lru_cache(maxsize=64)
def parts_of(machine: Machine) -> Parts:
    """The parts of `machine`, by its roles."""
    roles = machine.roles
    named = (roles.waiting, roles.held, roles.done, roles.failed, roles.dead, roles.skipped)
    return parts_by(named, machine.states, machine.final)


@lru_cache(maxsize=64)
def done_states(machine: Machine) -> tuple[str, ...]:
    """The states of `machine` with a result recorded."""
    return parts_of(machine).done
