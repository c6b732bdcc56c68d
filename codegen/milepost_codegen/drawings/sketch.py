"""The sketch of a machine of the model, which drawings are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost import machine as tables
from milepost.drawings.sketch import Sketch, row
from milepost.roles import NO_ROLES
from milepost_codegen.expressions import to_text

if TYPE_CHECKING:
    from milepost_codegen.model import Collection, Machine, Transition

__all__ = ["shown_guard", "sketch"]

_SHORT: Final = 34  # a longer `otherwise` is not written out


def sketch(machine: Machine) -> Sketch:
    """The sketch of `machine`: the same as that of the tables that are compiled from it."""
    return Sketch(
        name=machine.name,
        doc=machine.doc,
        initial=machine.initial,
        states=tuple(
            tables.State(name=state.name, doc=state.doc, final=state.final)
            for state in machine.states
        ),
        groups={group.name: group.states for group in machine.groups},
        collections=tuple(_collection(collection) for collection in machine.collections),
        rows=tuple(
            row(
                one.id,
                (one.source, one.event, one.target),
                guard=shown_guard(one),
                history=one.history,
                sets=((part.name, to_text(part.value)) for part in one.assignments),
                sends=((part.collection, part.state, part.event) for part in one.members),
            )
            for one in machine.transitions
            if not one.ignored
        ),
        roles=machine.roles.roles if machine.roles else NO_ROLES,
    )


def shown_guard(one: Transition) -> str:
    """The guard as people read it: without a history's condition, a long `otherwise` by its name.

    `""` where there is none.
    """
    if one.written is None:
        return ""
    text = to_text(one.written)
    return "otherwise" if one.otherwise and len(text) > _SHORT else text


def _collection(collection: Collection) -> tables.Collection:
    return tables.Collection(
        name=collection.name,
        machine=collection.machine,
        accepts=dict(collection.accepts),
        grows=collection.grows,
    )
