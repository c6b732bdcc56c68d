"""The built-in lifecycle with fields for the kind and details of a failure, whatever it has now."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from milepost.lifecycles.mapreduce import LIFECYCLE
from milepost.machine import Field, Lifecycle, Machine

__all__ = ["TELLING"]

_FIELDS: Final = (
    Field(name="kind", type="str", default=""),
    Field(name="details", type="json", default=None),
    Field(name="permanent", type="bool", default=False),
)


def _telling(machine: Machine) -> Machine:
    failure = machine.roles.failure
    assert failure is not None
    spec = machine.event_specs[failure.event]
    named = {field.name: field for field in (*_FIELDS, *spec.fields)}
    specs = {**machine.event_specs, failure.event: replace(spec, fields=tuple(named.values()))}
    says = failure._replace(kind="kind", details="details", permanent="permanent")
    return replace(machine, event_specs=specs, roles=replace(machine.roles, failure=says))


TELLING: Final[Lifecycle] = replace(
    LIFECYCLE,
    name="telling",
    digest="7e" * 32,
    machines={**LIFECYCLE.machines, "item": _telling(LIFECYCLE.machines["item"])},
    upgrades={},
)
