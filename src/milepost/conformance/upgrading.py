"""A job that goes on under a later version, as the later definition's migration says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyroaring import BitMap

from milepost.conformance.departures import Departs
from milepost.conformance.members import Cell, Members, ordinal_set
from milepost.conformance.standing import Standing
from milepost.definition import BadParameter, Definition, MachineMigration

__all__ = ["upgraded"]


def upgraded(before: Standing, definition: Definition) -> Standing:
    """`before` as it goes on under `definition`: states moved, values given, carried or begun with.

    Raises Departs where the definition has no way on from there.
    """
    ways = definition.ways_from(before.definition)
    root = definition.machines[definition.root]
    if root.name != before.machine.name:
        problem = f"jobs ran by '{before.machine.name}' and run by '{root.name}' now"
        raise Departs("migration", problem, state=before.phase)
    phase, context = _moved(ways[root.name], before.phase, before.context)
    members: dict[str, Members] = {}
    for name, collection in root.collections.items():
        machine = definition.machines[collection.machine]
        old = before.members.get(name)
        if old is None or old.machine.name != machine.name:
            members[name] = _begun(machine.name, Members.begun, machine)
            continue
        cells: dict[Cell, BitMap] = {}
        params: Mapping[str, Any] | None = None
        for cell, ordinals in old.cells.items():
            state, values = _moved(ways[machine.name], cell[0], old.context(cell))
            after = state, tuple(values[entry] for entry in machine.owned)
            cells[after] = cells.get(after, ordinal_set()) | ordinals
            params = values
        if params is None:
            fresh = old.machine.fresh(old.params)
            _, params = _moved(ways[machine.name], old.machine.initial, fresh)
        shared = {entry: params[entry] for entry in machine.params}
        members[name] = Members(machine, shared, cells)
    return Standing(definition, phase, context, members)


def _begun(name: str, begun: Any, machine: Any) -> Members:
    try:
        made: Members = begun(machine, {}, ())
    except BadParameter as error:
        raise Departs("migration", f"{name}: {error}") from error
    return made


def _moved(
    way: MachineMigration, state: str, context: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """State and context under the later version. Raises Departs."""
    try:
        return way.moved(state, context)
    except BadParameter as error:
        raise Departs("migration", str(error), state=state) from error
