"""The tables that a definition means, in the form in which those of a module are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost import machine as types
from milepost.roles import NO_ROLES
from milepost_codegen.drawings.sketch import shown_guard
from milepost_codegen.expressions import to_text
from milepost_codegen.model import guards_in, reads_in
from milepost_codegen.validate.reading import made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.model import Collection, Event, Machine, Transition, Variable
    from milepost_codegen.validate.reading import Made

__all__ = ["machine_table", "transition_table"]


def transition_table(one: Transition, assign: object) -> Made:
    """What the table of a transition must be; `assign` is compared elsewhere."""
    guard = "" if one.guard is None else to_text(one.guard)
    when = shown_guard(one)
    return made(
        types.Transition,
        {
            "id": one.id,
            "source": one.source,
            "event": one.event,
            "target": one.target,
            "guard": guard,
            "when": "" if when == guard else when,
            "guards": guards_in(one.guard),
            "reads": reads_in(one.guard),
            "members": tuple(
                made(
                    types.MemberEvent,
                    {"collection": sent.collection, "state": sent.state, "event": sent.event},
                )
                for sent in one.members
            ),
            "history": one.history,
            "ignored": one.ignored,
            "uses_payload": one.uses_payload,
            "sets": tuple((entry.name, to_text(entry.value)) for entry in one.assignments),
            "assign": assign,
        },
    )


def machine_table(
    machine: Machine,
    transitions: tuple[Made, ...],
    functions: Mapping[str, object],
    enforced: tuple[str, ...] | None,
) -> Made:
    """What the table of a machine must be.

    Args:
        machine: As the definition has it.
        transitions: What those of its rows must be.
        functions: The module's own `rows`, `wheres` and `invariants`, whose meaning is compared
            elsewhere; `wheres` and `invariants` by name.
        enforced: The invariants that steps must look at; None for all.
    """
    entries: dict[str, object] = {
        entry: 0 for collection in machine.collections for entry in collection.entries
    }
    entries |= {history.entry: history.initial for history in machine.histories}
    invariants = functions["invariants"]
    wheres = functions["wheres"]
    assert isinstance(invariants, dict)
    assert isinstance(wheres, dict)
    parts: dict[str, object] = {
        "name": machine.name,
        "doc": machine.doc,
        "initial": machine.initial,
        "final": machine.final,
        "states": tuple(one.name for one in machine.states),
        "events": tuple(one.name for one in machine.events),
        "state_specs": {
            one.name: made(types.State, {"name": one.name, "doc": one.doc, "final": one.final})
            for one in machine.states
        },
        "event_specs": {one.name: _event(one) for one in machine.events},
        "variables": tuple(_variable(one, wheres.get(one.name)) for one in machine.variables),
        "guards": {one.name: to_text(one.body) for one in machine.guards},
        "groups": {one.name: one.states for one in machine.groups},
        "collections": {one.name: _collection(one) for one in machine.collections},
        "transitions": transitions,
        "rows": functions["rows"],
        "entries": entries,
        "invariants": {one.name: invariants.get(one.name) for one in machine.invariants},
        "roles": NO_ROLES if machine.roles is None else machine.roles.roles,
        "invariant_specs": {
            one.name: made(
                types.Invariant,
                {
                    "name": one.name,
                    "holds": invariants.get(one.name),
                    "text": to_text(one.holds),
                    "states": one.states,
                    "reads": reads_in(one.holds),
                },
            )
            for one in machine.invariants
        },
    }
    if enforced is not None:
        parts["enforced"] = enforced
    return made(types.Machine, parts)


def _event(one: Event) -> Made:
    fields = tuple(
        made(
            types.Field,
            {
                "name": part.name,
                "type": part.type.name,
                "members": part.type.members,
                "doc": part.doc,
                **({} if part.required else {"default": part.default}),
            },
        )
        for part in one.fields
    )
    return made(types.Event, {"name": one.name, "doc": one.doc, "fields": fields})


def _variable(one: Variable, holds: object) -> Made:
    return made(
        types.Variable,
        {
            "name": one.name,
            "type": one.type.name,
            "members": one.type.members,
            "param": one.param,
            "where": "" if one.where is None else to_text(one.where),
            "holds": holds,
            "doc": one.doc,
            **({} if one.initial is None else {"initial": one.initial}),
        },
    )


def _collection(one: Collection) -> Made:
    return made(
        types.Collection,
        {
            "name": one.name,
            "machine": one.machine,
            "accepts": dict(one.accepts),
            "grows": one.grows,
        },
    )
