"""A concrete stored job, with a step of the old version that the new one does not take alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milepost_codegen.diff.space import FREE
from milepost_codegen.expressions import evaluate
from milepost_codegen.expressions.tree import Read, reads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.diff.asking import Model
    from milepost_codegen.diff.space import Space
    from milepost_codegen.diff.terms import Value
    from milepost_codegen.expressions import Type
    from milepost_codegen.model import Event, Machine, Transition

__all__ = ["Outcome", "StoredJob", "step_of", "stored_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step leads to: the state, the values that are set, the events that members get."""

    state: str
    values: Mapping[str, Value]
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job, or a member, that OLD may have stored, by OLD's names.

    With an `event`, `then` is what it led to under OLD, and `now` what it leads to under NEW, by
    NEW's names; None where NEW refuses it. `since` is what NEW holds after steps
    of its own that set a value otherwise.
    """

    state: str
    context: Mapping[str, Value]
    event: str = ""
    payload: Mapping[str, Value] | None = None
    then: Outcome | None = None
    now: Outcome | None = None
    since: Mapping[str, Value] = field(default_factory=dict)


def stored_job(space: Space, state: str, model: Model) -> StoredJob:
    """The job that a model describes; what it leaves open has its initial value."""
    return StoredJob(state=state, context=_context(space.old, model))


def step_of(space: Space, row: Transition, after: Transition | None, model: Model) -> StoredJob:
    """The job that a model describes, with the row that OLD takes and the one that NEW takes."""
    context = _context(space.old, model)
    spec = next(one for one in space.old.events if one.name == row.event)
    payload = {
        one.name: model.get(f"event.{one.name}", _least(one.type))
        for one in spec.fields
        if one.type.readable
    }
    fields = {
        name: evaluate(tree, {**context, **model}, {**payload, **_fields(model)})
        for name, tree in space.fields(
            spec, _event(space.new, space.names.moved_events.get(row.event, ""))
        ).items()
        if all(_known(one, context, payload, model) for one in reads(tree))
    }
    entries = {
        name: evaluate(tree, {**context, **model}, payload)
        for name, tree in space.entries.items()
        if all(_known(one, context, payload, model) for one in reads(tree))
    }
    return StoredJob(
        state=row.source,
        context=context,
        event=row.event,
        payload=payload,
        then=_outcome(row, context, payload),
        now=None if after is None else _outcome(after, entries, fields),
        since={
            name.removeprefix(FREE): value for name, value in model.items() if name.startswith(FREE)
        },
    )


def _outcome(
    row: Transition, context: Mapping[str, Value], payload: Mapping[str, Value]
) -> Outcome:
    values: dict[str, Value] = {}
    for one in row.assignments:
        if all(part.name in (payload if part.payload else context) for part in reads(one.value)):
            values[one.name] = evaluate(one.value, context, payload)
    members = tuple(f"{one.collection}.{one.state}: {one.event}" for one in row.members)
    return Outcome(state=row.target, values=values, members=members)


def _context(machine: Machine, model: Model) -> dict[str, Value]:
    """All entries of OLD; counts that nothing is said of are 0."""
    found: dict[str, Value] = {}
    for one in machine.variables:
        initial = _least(one.type) if one.initial is None else one.initial
        found[one.name] = model.get(one.name, initial)
    for history in machine.histories:
        found[history.entry] = model.get(history.entry, history.initial)
    for collection in machine.collections:
        parts = {name: model.get(name, 0) for name in collection.entries[:-1]}
        found |= parts
        found[collection.entries[-1]] = sum(int(value) for value in parts.values())
    return found


def _event(machine: Machine, name: str) -> Event | None:
    return next((one for one in machine.events if one.name == name), None)


def _fields(model: Model) -> dict[str, Value]:
    return {
        name.removeprefix("event."): value
        for name, value in model.items()
        if name.startswith("event.")
    }


def _known(
    part: Read, context: Mapping[str, Value], payload: Mapping[str, Value], model: Model
) -> bool:
    if part.payload:
        return part.name in payload or f"event.{part.name}" in model
    return part.name in context or part.name in model


def _least(kind: Type) -> Value:
    if kind.members:
        return kind.members[0]
    return False if kind.name == "bool" else 0
