"""`milepost diagram`: the path that a job took through its lifecycle, as a drawing shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from milepost.job.state import JOB
from milepost.state.manager import StateManager

__all__ = ["PathView", "path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathView:
    """What a job has been through in one of its machines, as of commit `seq`.

    `current` counts who is in which state now (for machine `job`, the job itself);
    `transitions` counts how often each was taken, by id.
    """

    SCHEMA: ClassVar[str] = "milepost.diagram/1"

    job: str
    lifecycle: str
    machine: str
    seq: int
    visited: tuple[str, ...]
    current: Mapping[str, int]
    transitions: Mapping[str, int]


def path(manager: StateManager, job_id: str, *, machine: str = JOB) -> PathView:
    """What the job has been through in `machine`: `job`, or `item` for all its items together.

    What a rewind undid counts too: it happened. Cost: the log is folded. Raises JobAbsent.
    """
    state = manager.get_state(job_id)
    taken: dict[str, int] = {}
    for event in manager.get_state_history(job_id, upto=state.seq):
        for name, count in event.transitions.items():
            of_machine, transition = name.split(":", 1)
            if of_machine == machine:
                taken[transition] = taken.get(transition, 0) + count
    table = state.lifecycle.machines[machine]
    counts = zip(table.states, state.items.counts(), strict=True) if machine != JOB else ()
    current = {name: count for name, count in counts if count} or {state.phase: 1}
    ends = {end for row in table.transitions if row.id in taken for end in (row.source, row.target)}
    visited = ends | {table.initial} | current.keys()
    return PathView(
        job=state.id,
        lifecycle=state.lifecycle.name,
        machine=machine,
        seq=state.seq,
        visited=tuple(name for name in table.states if name in visited),
        current=current,
        transitions={row.id: taken[row.id] for row in table.transitions if row.id in taken},
    )
