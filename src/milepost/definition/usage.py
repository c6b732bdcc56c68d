"""What a definition declares and uses nowhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from milepost.definition.formulas import Formula
from milepost.definition.machines import Machine
from milepost.definition.notation import listed, target_of
from milepost.definition.problems import NotUnderstood
from milepost.definition.roles import OF_STATES

__all__ = ["check_enums", "check_usage"]


def check_usage(
    told: Mapping[str, Any],
    machine: Machine,
    guards: Mapping[str, Formula],
    measures: Iterable[Formula],
) -> None:
    """Raise NotUnderstood for an event, a variable, a guard or a group that nothing uses.

    `told` is the machine as written, and `measures` are what its progress is measured by.
    """
    taken = {event for _, event in machine.rows}
    _check(
        "events", machine.events, taken, "no state takes the event '{}': add a row, or remove it"
    )
    formulas = [*machine.formulas(), *measures, *guards.values()]
    named = {name for one in formulas for name in one.guards}
    _check("guards", guards, named, "no row uses the guard '{}': remove it")
    used = {name for one in formulas for name in one.reads}
    for name, one in machine.variables.items():
        if one.where is not None:
            used.update({*one.where.reads} - {name})
    used.update(name for row in machine.every_row() for name in row.sets)
    _check("context", machine.variables, used, "nothing reads or assigns '{}': remove it")
    groups = told.get("groups", {})
    _check("groups", groups, {*_states_named(told)}, "nothing uses the group '{}': remove it")


def check_enums(data: Mapping[str, Any]) -> None:
    """Raise NotUnderstood for an enum of no variable and of no payload."""
    types = {
        one["type"]
        for told in data["machines"].values()
        for parts in (
            told.get("context", {}),
            *((event or {}).get("payload", {}) for event in told.get("events", {}).values()),
        )
        for one in parts.values()
    }
    for migration in data.get("migrations", ()):
        types.update(kind for kinds in migration.get("old", {}).values() for kind in kinds.values())
    _check(
        "enums", data.get("enums", {}), types, "no variable and no payload is of '{}': remove it"
    )


def _check(key: str, names: Iterable[str], used: Collection[str], problem: str) -> None:
    for name in names:
        if name not in used:
            raise NotUnderstood(problem.format(name), (key, name))


def _states_named(told: Mapping[str, Any]) -> Iterator[str]:
    """The names of states and groups that stand where states are meant."""
    for row in told.get("transitions", ()):
        yield from listed(row["from"])
        yield target_of(row)[1]
    for one in told.get("ignored", ()):
        yield from listed(one["in"])
    for one in told.get("invariants", {}).values():
        yield from listed(one.get("in") or ())
    for members in told.get("groups", {}).values():
        yield from listed(members)
    for one in told.get("collections", {}).values():
        yield from one.get("accepts", {})
        yield from listed(one.get("grows") or ())
    roles = told.get("roles") or {}
    for role in OF_STATES:
        yield from listed(roles.get(role) or ())
