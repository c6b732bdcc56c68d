"""The roles of a machine as the generated module has them: no more than what is not empty."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from milepost.roles import (
    NO_ROLES,
    Allowance,
    Deferral,
    EventField,
    Failure,
    Note,
    Outcome,
    Phase,
    Recovery,
    Redo,
)
from milepost_codegen.layout import Bracketed, Prefixed, literal

if TYPE_CHECKING:
    from milepost_codegen.layout import Code
    from milepost_codegen.model import Machine

__all__ = ["ROLES_MODULE", "roles"]

ROLES_MODULE: Final = "_roles"
"""What the module calls the types of roles, which have names that a lifecycle may have as well."""


def roles(machine: Machine) -> Code | None:
    """The roles of `machine` as an expression, or None if it has none."""
    if machine.roles is None or machine.roles.roles == NO_ROLES:
        return None
    found = machine.roles.roles
    parts = {part.name: getattr(found, part.name) for part in fields(found)}
    items = tuple(
        Prefixed(prefix=f"{name}=", inner=_value(value)) for name, value in parts.items() if value
    )
    return Bracketed(opening=f"{ROLES_MODULE}.Roles(", items=items, closing=")")


def _value(value: object) -> Code:
    match value:
        case Outcome():
            return f"{ROLES_MODULE}.Outcome.{value.name}"
        case str():
            return literal(value)
        case (
            EventField()
            | Failure()
            | Recovery()
            | Phase()
            | Deferral()
            | Note()
            | Redo()
            | Allowance()
        ):
            given = list(value)
            while not given[-1]:
                given.pop()
            opening = f"{ROLES_MODULE}.{type(value).__name__}("
            return Bracketed(
                opening=opening, items=tuple(_value(one) for one in given), closing=")"
            )
        case tuple():
            items = tuple(_value(one) for one in value)
            return Bracketed(opening="(", items=items, closing=")", comma=True)
        case dict():
            entries = tuple(
                Prefixed(prefix=f"{literal(key)}: ", inner=_value(inner))
                for key, inner in value.items()
            )
            return Bracketed(
                opening="frozen(",
                items=(Bracketed(opening="{", items=entries, closing="}"),),
                closing=")",
            )
    raise TypeError(value)
