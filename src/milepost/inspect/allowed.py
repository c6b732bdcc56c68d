"""Which events a job would take now, and why it would refuse the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from milepost.errors import NumberUnfit, TransitionRefused
from milepost.inspect.page import Block, Cell, Column, Fields, Note, Table
from milepost.inspect.states import StateName, phase_of
from milepost.inspect.words import value
from milepost.job.invariants import decided
from milepost.job.state import JobState
from milepost.log.facts import JobFired

__all__ = [
    "AllowedEvent",
    "Guarding",
    "RefusedEvent",
    "allowed",
    "allowed_table",
    "refusals",
    "refused",
]


_NO_ROW: Final = "has no such transition"


class AllowedEvent(Struct, frozen=True, kw_only=True):
    """An event that the job would take now. `fields` are those that its payload must have.

    `targets` are the phases that it may lead to; several only where the payload decides.
    """

    event: str
    doc: str
    targets: tuple[StateName, ...]
    fields: tuple[str, ...]


class Guarding(Struct, frozen=True, kw_only=True):
    """A transition whose guard says no now: its text, its named parts, and what it read."""

    transition: str
    target: StateName
    guard: str
    definitions: Mapping[str, str]
    values: Mapping[str, Any]  # Any: what guards read is typed by the lifecycle


class RefusedEvent(Struct, frozen=True, kw_only=True):
    """An event that the job would refuse now, and the guards that say no.

    Without `guards` its phase has no row for it, or the `reason` is an invariant that it would
    break, or an item that would not take what it is sent.
    """

    event: str
    reason: str
    guards: tuple[Guarding, ...]


def allowed(state: JobState) -> Iterator[AllowedEvent]:
    """The events that the job would take in `state`."""
    machine = state.machine
    for event in state.allowed():
        if _stopped(state, event):
            continue
        rows = machine.of_pair(state.phase, event)
        if not machine.uses_payload(state.phase, event):
            rows = (machine.select(state.phase, event, state.guarded, {}),)
        spec = machine.event_specs[event]
        targets = dict.fromkeys(row.target for row in rows)
        yield AllowedEvent(
            event=event,
            doc=spec.doc,
            targets=tuple(phase_of(state, target) for target in targets),
            fields=tuple(part.name for part in spec.fields if part.required),
        )


def refused(state: JobState) -> Iterator[RefusedEvent]:
    """The other events, each with the guards that say no."""
    machine = state.machine
    targets = {row.id: row.target for row in machine.transitions}
    named = {row.id: row.guards for row in machine.transitions}
    taken = state.allowed()
    for event in machine.events:
        if event in taken:
            reason = _stopped(state, event)
            if reason:
                yield RefusedEvent(event=event, reason=reason, guards=())
            continue
        refusal = machine.refusal(state.phase, event, state.guarded, {})
        guards = tuple(
            Guarding(
                transition=guard.transition,
                target=phase_of(state, targets[guard.transition]),
                guard=guard.guard,
                definitions={name: machine.guards[name] for name in named[guard.transition]},
                values=dict(guard.values),
            )
            for guard in refusal.guards
        )
        reason = "its guards say no" if guards else f"'{state.phase}' {_NO_ROW}"
        yield RefusedEvent(event=event, reason=reason, guards=guards)


def allowed_table(phase: str, events: tuple[AllowedEvent, ...]) -> Table:
    """A line for each event that a job in `phase` would take now."""
    return Table(
        title="events that it would take now",
        columns=(Column("EVENT"), Column("TO"), Column("NEEDS"), Column("ABOUT")),
        rows=tuple(
            (
                event.event,
                event.targets[0] if len(event.targets) == 1 else " or ".join(event.targets),
                ", ".join(event.fields),
                event.doc,
            )
            for event in events
        ),
        empty=f"no event is left for it in {phase}",
    )


def refusals(phase: str, events: tuple[RefusedEvent, ...]) -> Iterator[Block]:
    """Why events are refused: what each guard needs, beside what it read."""
    rows: list[tuple[Cell, ...]] = []
    definitions: dict[str, str] = {}
    for event in events:
        for guarding in event.guards:
            rows.append((event.event, guarding.target, guarding.guard, _read(guarding)))
            definitions.update(guarding.definitions)
    yield Table(
        title="events that it would refuse now",
        columns=(Column("EVENT"), Column("TO"), Column("NEEDS"), Column("NOW")),
        rows=tuple(rows),
    )
    yield Fields(title="where", entries=tuple(definitions.items()))
    bare = [event for event in events if not event.guards]
    for event in bare:
        if not event.reason.endswith(_NO_ROW):
            yield Note(f"{event.event}: {event.reason}")
    elsewhere = [event.event for event in bare if event.reason.endswith(_NO_ROW)]
    if elsewhere:
        yield Note(f"no transition from {phase}: {', '.join(elsewhere)}")


def _stopped(state: JobState, event: str) -> str:
    """Why an event that the guards allow would be refused all the same; `""` if it would not be.

    Where its payload decides, that is not known yet.
    """
    if state.machine.uses_payload(state.phase, event):
        return ""
    try:
        decided(state, JobFired(event, {}))
    except (TransitionRefused, NumberUnfit) as refusal:
        return str(refusal)
    return ""


def _read(guarding: Guarding) -> str:
    return ", ".join(f"{name}={value(read)}" for name, read in guarding.values.items())
