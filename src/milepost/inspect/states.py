"""States as answers have them: names that say which role of the lifecycle they have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from milepost.drawings.looks import Meaning, meaning_of
from milepost.job.state import JobState
from milepost.machine import Lifecycle, Machine

__all__ = ["StateName", "item_state", "phase_among", "phase_of"]


class StateName(str):
    """The name of a state, as which it stands in JSON and text, with its meaning."""

    __slots__ = ("meaning",)
    meaning: Meaning

    def __new__(cls, name: str, meaning: Meaning = Meaning.NONE) -> Self:
        """The `name`, with what it means."""
        named = super().__new__(cls, name)
        named.meaning = meaning
        return named

    @classmethod
    def of(cls, machine: Machine | None, name: str) -> StateName:
        """The state of that name; without the machine nobody knows what it means."""
        return cls(name, Meaning.NONE if machine is None else meaning_of(machine.roles, name))


def phase_of(state: JobState, phase: str | None = None) -> StateName:
    """The phase of a job, or another state of the machine that it runs by."""
    return StateName.of(state.machine, state.phase if phase is None else phase)


def phase_among(lifecycles: Iterable[Lifecycle], phase: str, name: str = "") -> StateName:
    """The phase of a job that runs by the lifecycle of that name, or by the first that has it."""
    for lifecycle in lifecycles:
        root = lifecycle.machines.get(lifecycle.root)
        if root is not None and phase in root.states and name in ("", lifecycle.name):
            return StateName.of(root, phase)
    return StateName(phase)


def item_state(state: JobState, name: str) -> StateName:
    """The state of that name of the job's items; of several collections, `COLLECTION.STATE`."""
    machines = {collection: ledger.machine for collection, ledger in state.ledgers.items()}
    collection, _, own = name.rpartition(".")
    machine = machines.get(collection) or next(iter(machines.values()), None)
    return StateName(name, Meaning.NONE if machine is None else meaning_of(machine.roles, own))
