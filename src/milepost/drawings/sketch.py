"""The data that a drawing of a machine is made from: a definition and its tables give the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from milepost.machine import Collection, Machine, State
from milepost.roles import Roles

__all__ = ["Row", "Sketch", "row", "sketch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A transition as it is drawn.

    `label` is its event, with the guard as people read it; `history` the group whose remembered
    member the target is, or `""`; `detail` its id and what it assigns and sends.
    """

    id: str
    source: str
    event: str
    target: str
    label: str
    history: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A machine without its functions; all is in definition order, `rows` without ignored ones."""

    name: str
    doc: str
    initial: str
    states: tuple[State, ...]
    groups: Mapping[str, tuple[str, ...]]
    collections: tuple[Collection, ...]
    rows: tuple[Row, ...]
    roles: Roles


def sketch(machine: Machine) -> Sketch:
    """The sketch of compiled tables: the same as that of the definition that they came from."""
    return Sketch(
        name=machine.name,
        doc=machine.doc,
        initial=machine.initial,
        states=tuple(machine.state_specs[name] for name in machine.states),
        groups=machine.groups,
        collections=tuple(machine.collections.values()),
        rows=tuple(
            row(
                one.id,
                (one.source, one.event, one.target),
                guard=one.when if one.history else one.when or one.guard,
                history=one.history,
                sets=one.sets,
                sends=one.members,
            )
            for one in machine.transitions
            if not one.ignored
        ),
        roles=machine.roles,
    )


def row(
    name: str,
    ends: tuple[str, str, str],
    *,
    guard: str,
    history: str,
    sets: Iterable[tuple[str, str]],
    sends: Iterable[tuple[str, str, str]],
) -> Row:
    """A row by its id, and its source, event and target.

    `sets` are names and the values that they get, `sends` collections, states and events.
    """
    source, event, target = ends
    done = [f"{entry} = {value}" for entry, value in sets]
    done += [f"{collection} in {state}: {sent}" for collection, state, sent in sends]
    return Row(
        id=name,
        source=source,
        event=event,
        target=target,
        label=f"{event} [{guard}]" if guard else event,
        history=history,
        detail=f"{name}: {'; '.join(done)}" if done else name,
    )
