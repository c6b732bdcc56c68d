"""`milepost diagram`: the path that a job took through its lifecycle, as a drawing shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType

from milepost.job.state import JobState
from milepost.state.manager import StateManager

__all__ = ["PathView", "path"]


class PathView(Struct, frozen=True, kw_only=True):
    """What a job has been through in one of its machines, as of commit `seq`.

    `current` counts who is in which state now, of the items or the job itself;
    `transitions` counts how often each was taken, by id. `earlier` counts those that were taken
    under an earlier version of the lifecycle and are not in this one; it is left out without any.
    """

    SCHEMA: ClassVar[str] = "milepost.diagram/1"

    job: str
    lifecycle: str
    machine: str
    seq: int
    visited: tuple[str, ...]
    current: Mapping[str, int]
    transitions: Mapping[str, int]
    earlier: Mapping[str, int] | UnsetType = UNSET


def path(manager: StateManager, job_id: str, *, machine: str = "") -> PathView:
    """What the job has been through in its own machine, or all its items in `machine`.

    What a rewind undid counts too: it happened. Cost: of the job's own machine as that of
    StateManager.transitions_taken, of another the log is folded. Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    machine = machine or state.machine.name
    taken: dict[str, int] = {}
    for name, count in _taken(manager, state, machine):
        of_machine, transition = name.split(":", 1)
        if of_machine == machine:
            taken[transition] = taken.get(transition, 0) + count
    table = state.lifecycle.machines[machine]
    current = _current(state, machine)
    ends = {end for row in table.transitions if row.id in taken for end in (row.source, row.target)}
    visited = ends | {table.initial} | current.keys()
    return PathView(
        job=state.id,
        lifecycle=state.lifecycle.name,
        machine=machine,
        seq=state.seq,
        visited=tuple(name for name in table.states if name in visited),
        current=current,
        transitions={row.id: taken.pop(row.id) for row in table.transitions if row.id in taken},
        earlier=taken or UNSET,
    )


def _taken(manager: StateManager, state: JobState, machine: str) -> Iterable[tuple[str, int]]:
    """The transitions that were taken, and how often, of this machine and perhaps of others."""
    if machine == state.machine.name:
        return manager.transitions_taken(state.id, upto=state.seq).items()
    events = manager.get_state_history(state.id, upto=state.seq)
    return (pair for event in events for pair in event.transitions.items())


def _current(state: JobState, machine: str) -> dict[str, int]:
    """Who is in which state of `machine`."""
    if machine == state.machine.name:
        return {state.phase: 1}
    found: dict[str, int] = {}
    for ledger in state.ledgers.values():
        if ledger.machine.name == machine:
            for name, count in zip(ledger.machine.states, ledger.counts(), strict=True):
                found[name] = found.get(name, 0) + count
    return {name: count for name, count in found.items() if count}
