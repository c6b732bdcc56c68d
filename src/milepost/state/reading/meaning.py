"""The meaning of the events in a log: roles, by the version that wrote each commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from milepost.errors import RoleAbsent
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.job.versions import absent as unread
from milepost.log.codec import decode_snapshot
from milepost.log.facts import Fact, ItemsFired, JobCreated, Migrated, Rewound
from milepost.machine import Machine, Values
from milepost.roles import NO_ROLES, Roles

__all__ = [
    "Meaning",
    "Part",
    "absent",
    "check_states",
    "ends",
    "fails_by",
    "lost_cause",
    "result_events",
    "version_after",
    "why",
]


class Part(NamedTuple):
    """Some of the items of a fact, and the roles of the machine that they run by.

    `indexes` are the places of these items in the fact, in order.
    """

    roles: Roles
    indexes: range | list[int]


class Meaning:
    """The meaning of the events in one job's log; `state` is any state of it, of this code.

    A version of before has names of its own for what this one means, and the upgrades know them.
    """

    __slots__ = ("_known", "_single", "_state")

    def __init__(self, state: JobState) -> None:
        self._state = state
        ledgers = tuple(state.ledgers.values())
        self._single = ledgers[0].machine if len(ledgers) == 1 else None
        self._known: dict[tuple[str, str], Roles] = {}

    def of_job(self, version: str) -> Roles:
        """The roles of the job's machine in the version of that digest. Raises LifecycleChanged."""
        return self._roles(version, self._state.machine)

    def of_items(self, fact: ItemsFired, version: str) -> Iterable[Part]:
        """The roles of the items of `fact`, a part for each collection that has any of them.

        Raises LifecycleChanged. O(1) with one collection, else O(items of the fact).
        """
        if self._single is not None:
            roles = self._roles(version, self._single)
            return (Part(roles, range(len(fact.ordinals))),)
        return self._parts(fact, version)

    def _parts(self, fact: ItemsFired, version: str) -> list[Part]:
        asked = bitmap(fact.ordinals)
        found: list[Part] = []
        for ledger in self._state.ledgers.values():
            hit = ledger.universe & asked
            if hit:
                indexes = [i for i, ordinal in enumerate(fact.ordinals) if ordinal in hit]
                found.append(Part(self._roles(version, ledger.machine), indexes))
        return found

    def _roles(self, version: str, machine: Machine) -> Roles:
        lifecycle = self._state.lifecycle
        if version == lifecycle.digest:
            return machine.roles
        known = self._known.get((version, machine.name))
        if known is None:
            upgrade = lifecycle.upgrades.get(version)
            if upgrade is None:
                state = self._state
                raise unread(state.id, lifecycle.name, 0, version, state.tables)
            part = upgrade.machines.get(machine.name)
            known = self._known[version, machine.name] = NO_ROLES if part is None else part.roles
        return known


def version_after(facts: Iterable[Fact], version: str) -> str:
    """The digest of the version that the job runs by after `facts`, which `version` wrote."""
    for fact in facts:
        if isinstance(fact, JobCreated | Migrated):
            version = fact.digest
        elif isinstance(fact, Rewound):
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


def ends(roles: Roles) -> frozenset[str]:
    """The events by which an attempt ends, whether with a result or not."""
    fields = (roles.result, roles.failure, roles.crash)
    named = {roles.release, roles.lost, roles.skip, *(f.event for f in fields if f is not None)}
    return frozenset(named - {""})


def fails_by(roles: Roles, event: str) -> bool:
    """True if by `event` an attempt is told to have ended without a result."""
    failure, crash = roles.failure, roles.crash
    return (failure is not None and event == failure.event) or (
        crash is not None and event == crash.event
    )


def why(roles: Roles, event: str, payload: Values) -> tuple[str, str]:
    """Cause and message of the failure that `event` told of, which came with `payload`."""
    if roles.crash is not None and event == roles.crash.event:
        return lost_cause(roles), str(payload.get(roles.crash.field, ""))
    assert roles.failure is not None, "by no other event an attempt fails"
    _, cause, message, *_ = roles.failure
    return str(payload.get(cause, "")), str(payload.get(message, ""))


def check_states(state: JobState, role: str, needed_by: str) -> None:
    """Raise RoleAbsent unless some collection of the job has states or a variable of the role."""
    machines = [ledger.machine for ledger in state.ledgers.values()]
    if not any(getattr(machine.roles, role) for machine in machines):
        raise absent(state, machines[0] if machines else None, role, needed_by)


def absent(state: JobState, machine: Machine | None, role: str, needed_by: str) -> RoleAbsent:
    """The error that says what a lifecycle has no role for; no machine: it has no collection."""
    return RoleAbsent(
        lifecycle=state.lifecycle.name,
        version=state.lifecycle.version,
        machine="" if machine is None else machine.name,
        role=role,
        needed_by=needed_by,
    )
