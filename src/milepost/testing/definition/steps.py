"""What a machine of a definition does, asked as a store is: by whole payloads, with its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from milepost.definition import (
    BadParameter,
    Field,
    Machine,
    NotUnderstood,
    Taken,
    Tried,
)
from milepost.definition import (
    Refused as RefusedByRow,
)

__all__ = ["Invalid", "Refused", "begun", "broken", "taken", "told"]

_OPAQUE: Final[Mapping[str, type]] = {"str": str, "bytes": bytes, "timestamp": int}
_LEAST, _LARGEST = -(2**63), 2**64 - 1


class Refused(Exception):
    """The definition does not allow it; nothing has changed."""


class Invalid(Exception):
    """A payload or a parameter that is not what the definition asks for."""


def begun(machine: Machine, params: Mapping[str, Any]) -> dict[str, Any]:
    """The context of a new machine. Raises Invalid for parameters that are not as asked."""
    try:
        context = machine.fresh(params)
    except BadParameter as error:
        raise Invalid(str(error)) from error
    _check_numbers(machine, context)
    return context


def told(machine: Machine, event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload with its defaults. Raises Invalid if it is not that of the event."""
    fields = machine.events.get(event, {})
    if event in machine.events and (unknown := payload.keys() - fields.keys()):
        raise Invalid(f"'{event}' of '{machine.name}' has no fields {sorted(unknown)}")
    for name, one in fields.items():
        if one.required and name not in payload:
            raise Invalid(f"'{event}' of '{machine.name}' lacks its field '{name}'")
        if name in payload and not _fits(one, payload[name]):
            raise Invalid(f"'{event}.{name}' of '{machine.name}' is of another type")
    return {name: payload.get(name, one.default) for name, one in fields.items()}


def taken(
    machine: Machine, state: str, event: str, names: Mapping[str, Any], payload: Mapping[str, Any]
) -> Taken:
    """What an event does in a state; `names` are what rows read beside the payload.

    Raises Refused, NotUnderstood where several rows take it, and Invalid beyond 64 bits.
    """
    try:
        found = machine.take(state, event, names, payload)
    except RefusedByRow as why:
        if why.several:
            rows = " and ".join(why.several)
            raise NotUnderstood(f"{rows} of '{machine.name}' can be taken both") from why
        said = why.payload or "; ".join(map(_tried, why.tried)) or "there is no row"
        raise Refused(f"'{event}' of '{machine.name}' in '{state}': {said}") from why
    _check_numbers(machine, found.sets)
    return found


def _tried(one: Tried) -> str:
    read = ", ".join(f"{name}={value!r}" for name, value in one.values.items())
    return f"{one.row} needs {one.guard}" + (f" (now {read})" if read else "")


def broken(
    machine: Machine,
    before: tuple[str, Mapping[str, Any]] | None,
    state: str,
    names: Mapping[str, Any],
) -> str:
    """The first invariant that does not hold in a state and held before, `""` for none."""
    for one in machine.invariants_of(state):
        if machine.holds(one, names):
            continue
        if before is None or machine.held(one, *before):
            return one.name
    return ""


def _check_numbers(machine: Machine, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if type(value) is int and not _LEAST <= value <= _LARGEST:
            raise Invalid(f"'{name}' of '{machine.name}' would have more than 64 bits")


def _fits(field: Field, value: Any) -> bool:
    """True if a value is of the type of a field, the types that nothing reads among them."""
    if field.type == "json":
        return True
    if field.readable:
        if field.misfit(value):
            return False
    elif type(value) is not _OPAQUE[field.type]:
        return False
    return not isinstance(value, int) or _LEAST <= value <= _LARGEST
