"""A lifecycle as a store tells of it: enough to read a log by, for those without its tables.

What a store holds is told to whoever opens it, so nothing here is believed beyond its form: a
description says which states and events mean what, and decides no step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

import msgspec

from milepost.items.parts import Parts, parts_by
from milepost.log.rows import StoredLifecycle
from milepost.machine import Lifecycle, Machine
from milepost.roles import EventField, Roles
from milepost.text.wording import short_repr
from milepost.worker.values import UNDECODABLE

__all__ = ["Described", "DescribedMachine", "described_by", "stored_lifecycle"]

_FORMAT: Final = 1
_ROLES: Final = 6  # parts that a role names; the others are what is left


@short_repr
class DescribedMachine(msgspec.Struct, frozen=True):
    """One machine: its states in definition order, its events with their fields, its roles.

    `collections` are those that it owns, with the machine of each. The roles are those of
    milepost.roles by name; one that is empty is left out.
    """

    states: tuple[str, ...]
    final: tuple[str, ...]
    events: dict[str, tuple[str, ...]]
    collections: dict[str, str]
    roles: dict[str, Any]  # Any: JSON

    def named(self, role: str) -> tuple[str, ...]:
        """The states that have that role."""
        found = self.roles.get(role, ())
        return tuple(map(str, found)) if isinstance(found, list | tuple) else ()

    @property
    def result(self) -> EventField | None:
        """The event and field of a result."""
        return _field(self.roles.get("result"))

    @property
    def stored(self) -> EventField | None:
        """The field of that event that says where a large result is kept."""
        return _field(self.roles.get("stored"))

    @property
    def redo(self) -> str:
        """The event by which what is done waits again, `""` for none."""
        found = self.roles.get("redo")
        event = found.get("event") if isinstance(found, dict) else None
        return event if isinstance(event, str) else ""

    @property
    def parts(self) -> Parts:
        """The states by the roles of members that they have."""
        named = [self.named(role) for role in Parts._fields[:_ROLES]]
        return parts_by(named, self.states, self.final)

    @property
    def variables(self) -> tuple[EventField, ...]:
        """The events and fields that set variables of the job."""
        found = self.roles.get("variables", ())
        each = map(_field, found if isinstance(found, list | tuple) else ())
        return tuple(one for one in each if one is not None)

    @property
    def outcomes(self) -> dict[str, str]:
        """How a job has ended, by the state that it is in."""
        found = self.roles.get("outcomes", {})
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


@short_repr
class Described(msgspec.Struct, frozen=True):
    """A version of a lifecycle: its machines, and the one that jobs run by."""

    format: int
    root: str
    machines: dict[str, DescribedMachine]

    @property
    def owner(self) -> DescribedMachine:
        """The machine that jobs run by."""
        return self.machines[self.root]

    @property
    def collections(self) -> dict[str, DescribedMachine]:
        """The machines of the members, by collection, in definition order."""
        return {name: self.machines[one] for name, one in self.owner.collections.items()}


@lru_cache(maxsize=64)
def stored_lifecycle(lifecycle: Lifecycle) -> StoredLifecycle:
    """What a store is to tell of `lifecycle`: always the same bytes for the same tables."""
    described = Described(
        format=_FORMAT,
        root=lifecycle.root,
        machines={name: _machine(one) for name, one in lifecycle.machines.items()},
    )
    return StoredLifecycle(
        digest=lifecycle.digest,
        name=lifecycle.name,
        version=lifecycle.version,
        description=msgspec.json.encode(described),
    )


def described_by(stored: StoredLifecycle) -> Described | None:
    """What is told, None where it is not in a form that this code reads."""
    try:
        found = msgspec.json.decode(stored.description, type=Described)
    except UNDECODABLE:
        return None
    known = found.machines.keys()
    whole = found.format == _FORMAT and found.root in known
    return found if whole and known >= set(found.owner.collections.values()) else None


def _machine(machine: Machine) -> DescribedMachine:
    return DescribedMachine(
        states=machine.states,
        final=machine.final,
        events={
            name: tuple(part.name for part in spec.fields)
            for name, spec in machine.event_specs.items()
        },
        collections={name: one.machine for name, one in machine.collections.items()},
        roles=_roles(machine.roles),
    )


def _roles(roles: Roles) -> dict[str, Any]:
    given = ((part.name, _plain(getattr(roles, part.name))) for part in fields(roles))
    return {name: value for name, value in given if value}


def _plain(value: object) -> Any:  # Any: JSON
    """A part of roles as JSON: what has named parts as an object, without the empty ones."""
    names: Iterable[str] = getattr(value, "_fields", ())
    if names:
        parts = ((name, _plain(getattr(value, name))) for name in names)
        return {name: part for name, part in parts if part}
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, str):
        return str(value)
    return [_plain(part) for part in value] if isinstance(value, Iterable) else value


def _field(told: object) -> EventField | None:
    if not isinstance(told, dict) or not isinstance(told.get("event"), str):
        return None
    return EventField(told["event"], str(told.get("field", "")))
