"""The meaning of the events in a log: roles, by the version that wrote each commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from milepost.job.state import JobState
from milepost.job.versions import absent
from milepost.log.codec import decode_snapshot
from milepost.log.facts import Fact, ItemsFired, JobCreated, Migrated, Rewound
from milepost.machine import Machine, Values
from milepost.roles import NO_ROLES, Roles

__all__ = [
    "Meaning",
    "Why",
    "ends_by",
    "fails_by",
    "lost_cause",
    "result_events",
    "version_after",
    "why_of",
]


class Meaning:
    """The meaning of the events in one job's log; `state` is any state of it, of this code.

    A version of before has names of its own for what this one means, and the upgrades know them.
    """

    __slots__ = ("_current", "_recording", "_single", "_state")

    def __init__(self, state: JobState) -> None:
        self._state = state
        ledgers = tuple(state.ledgers.values())
        self._single = ledgers[0].machine if len(ledgers) == 1 else None
        self._current = state.lifecycle.digest
        self._recording: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    @property
    def is_single(self) -> bool:
        """True if all items are of one collection, so that an event means the same for all."""
        return self._single is not None

    def recording(self, version: str) -> tuple[frozenset[str], frozenset[str]]:
        """The events by which some items get a result, and those that take it back."""
        found = self._recording.get(version)
        if found is None:
            every = self.of_all_items(version)
            found = self._recording[version] = (
                frozenset(roles.result.event for roles in every if roles.result is not None),
                frozenset(roles.redo.event for roles in every if roles.redo is not None),
            )
        return found

    def gives(self, fact: ItemsFired, version: str) -> int:
        """1 if items have a result by that fact, -1 if they have none any more, else 0."""
        roles = self.of_items(fact, version)
        if roles.result is not None and fact.event == roles.result.event:
            return 1
        return -1 if roles.redo is not None and fact.event == roles.redo.event else 0

    def of_all_items(self, version: str) -> list[Roles]:
        """The roles of the machines of all items in the version of that digest."""
        machines = [ledger.machine for ledger in self._state.ledgers.values()]
        if version == self._current:
            return [machine.roles for machine in machines]
        return [self._earlier(version, machine) for machine in machines]

    def of_job(self, version: str) -> Roles:
        """The roles of the job's machine in the version of that digest. Raises LifecycleChanged."""
        machine = self._state.machine
        return machine.roles if version == self._current else self._earlier(version, machine)

    def of_items(self, fact: ItemsFired, version: str) -> Roles:
        """The roles of the machine that the items of `fact` run by: they are of one collection.

        Raises LifecycleChanged. O(1).
        """
        machine = self._single
        if machine is None:
            machine = self._state.ledger_of(fact.ordinals[0]).machine
        return machine.roles if version == self._current else self._earlier(version, machine)

    def _earlier(self, version: str, machine: Machine) -> Roles:
        """The roles that `machine` had in an earlier version."""
        state = self._state
        upgrade = state.lifecycle.upgrades.get(version)
        if upgrade is None:
            raise absent(state.id, state.lifecycle.name, 0, version, state.tables)
        part = upgrade.machines.get(machine.name)
        return NO_ROLES if part is None else part.roles


def version_after(facts: Iterable[Fact], version: str) -> str:
    """The digest of the version that the job runs by after `facts`, which `version` wrote."""
    for fact in facts:
        match fact:
            case JobCreated() | Migrated():
                version = fact.digest
            case Rewound():
                snapshot = decode_snapshot(fact.snapshot)
                version = snapshot.lifecycle or snapshot.created.digest
    return version


def lost_cause(roles: Roles) -> str:
    """The word that a lifecycle has for the cause of an attempt whose executor died, or `""`."""
    return "" if roles.failure is None else roles.failure.lost


def result_events(state: JobState) -> frozenset[str]:
    """The events by which items of the job get a result, under the version of `state`."""
    results = (ledger.machine.roles.result for ledger in state.ledgers.values())
    return frozenset(result.event for result in results if result is not None)


def ends_by(roles: Roles, event: str) -> bool:
    """True if by `event` an attempt ends, whether with a result or not."""
    succeeds = roles.result is not None and event == roles.result.event
    left = event in (roles.release, roles.lost, roles.skip)
    later = roles.defer is not None and event == roles.defer.event
    return succeeds or left or later or fails_by(roles, event)


def fails_by(roles: Roles, event: str) -> bool:
    """True if by `event` an attempt is told to have ended without a result."""
    failure, crash = roles.failure, roles.crash
    return (failure is not None and event == failure.event) or (
        crash is not None and event == crash.event
    )


class Why(NamedTuple):
    """What an event says of the failure that it told of; `details` are as they are stored."""

    cause: str
    message: str
    kind: str = ""
    permanent: bool = False
    details: Any = None  # Any: JSON


def why_of(roles: Roles, event: str, payload: Values) -> Why:
    """What `event` says of the failure that it told of, which came with `payload`."""
    if roles.crash is not None and event == roles.crash.event:
        return Why(lost_cause(roles), str(payload.get(roles.crash.field, "")))
    failure = roles.failure
    assert failure is not None, "by no other event an attempt fails"
    return Why(
        cause=str(payload.get(failure.cause, "")),
        message=str(payload.get(failure.message, "")),
        kind=str(payload.get(failure.kind, "")),
        permanent=bool(payload.get(failure.permanent, False)),
        details=payload.get(failure.details),
    )
