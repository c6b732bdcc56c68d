"""The names that machines give to each other: states, groups, events and their payloads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import repeat
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import BOOL, INT, Type
from milepost_codegen.model import Event, Field, Group, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.definition import EventFile, MachineFile
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Json
    from milepost_codegen.resolve.reporter import Reporter

__all__ = ["OPAQUE", "Outline", "expand", "outline", "read_type", "value_problem"]

OPAQUE: Final = ("str", "json", "bytes", "timestamp")


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What other machines, and the rest of its own, need to know of a machine."""

    states: tuple[State, ...]
    groups: tuple[Group, ...]
    events: tuple[Event, ...]
    pairs: frozenset[tuple[str, str]]  # as written, unknown names included

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """The states in definition order."""
        return tuple(state.name for state in self.states)

    @cached_property
    def event_names(self) -> tuple[str, ...]:
        """The events in definition order."""
        return tuple(event.name for event in self.events)

    @property
    def state_sets(self) -> Mapping[str, tuple[str, ...]]:
        """What each name that may stand for states stands for."""
        own = {name: (name,) for name in self.state_names}
        return {**{group.name: group.states for group in self.groups}, **own}


def outline(
    name: str, written: MachineFile, types: Mapping[str, Type], reporter: Reporter
) -> Outline:
    """The outline of a machine; reports what is wrong with its states, groups and events."""
    source = reporter.source
    states = tuple(
        State(
            name=state,
            was=part.was or "",
            doc=one_line(part.doc),
            final=part.final,
            perpetual=part.perpetual,
            place=source.key_at("machines", name, "states", state),
        )
        for state, part in written.states.items()
    )
    groups = _groups(name, written, reporter)
    events = tuple(
        Event(
            name=event,
            was=part.was or "",
            doc=one_line(part.doc),
            fields=_fields(name, event, part, types, reporter),
            place=source.key_at("machines", name, "events", event),
        )
        for event, part in written.events.items()
    )
    sets = {**groups, **{state: (state,) for state in written.states}}
    rows = [(row.source, [row.event]) for row in written.transitions]
    rows += [(ignored.states, ignored.events) for ignored in written.ignored]
    pairs: set[tuple[str, str]] = set()
    for sources, on in rows:
        for part in sources:
            for event in on:
                pairs.update(zip(sets.get(part, ()), repeat(event), strict=False))
    return Outline(
        states=states,
        groups=tuple(
            Group(
                name=group, states=members, place=source.key_at("machines", name, "groups", group)
            )
            for group, members in groups.items()
        ),
        events=events,
        pairs=frozenset(pairs),
    )


def expand(
    names: list[str], sets: Mapping[str, tuple[str, ...]], reporter: Reporter, *path: str | int
) -> tuple[str, ...]:
    """The states that `names` stand for, in definition order, without repetition."""
    found: set[str] = set()
    for index, name in enumerate(names):
        known = reporter.lookup("state", name, sets, reporter.source.at(*path, index))
        found.update(sets[known] if known else ())
    if len(found) < 2:  # as most rows have it
        return tuple(found)
    ranks = dict(zip(sets, range(len(sets)), strict=True))
    return tuple(sorted(found, key=ranks.__getitem__))


def read_type(
    name: str, types: Mapping[str, Type], reporter: Reporter, place: Place
) -> Type | None:
    """The type called `name`; reports an unknown one."""
    known = reporter.lookup("type", name, ("bool", "int", *OPAQUE, *types), place)
    if known is None:
        return None
    return {"bool": BOOL, "int": INT}.get(known) or types.get(known) or Type(name=known)


def value_problem(kind: Type, value: object) -> str:
    """Why `value` cannot be a default of type `kind`, or `""`."""
    if kind.members:
        fits = isinstance(value, str) and value in kind.members
        return "" if fits else f"'{value}' is none of {', '.join(kind.members)}"
    if kind.name == "bytes":
        return "bytes have no defaults"
    if kind.name == "json":
        return ""
    wanted = {"bool": bool, "str": str}.get(kind.name, int)
    if isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return ""
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'mapping'} is not of type {kind.name}"
    shown = "null" if value is None else str(value).lower() if value in (True, False) else value
    return f"'{shown}' is not of type {kind.name}"


def one_line(doc: str) -> str:
    """A doc as one line of single-spaced words."""
    return " ".join(doc.split())


def _groups(machine: str, written: MachineFile, reporter: Reporter) -> dict[str, tuple[str, ...]]:
    """The states of every group, groups within groups resolved, each in definition order."""
    source = reporter.source
    names = (*written.states, *written.groups)
    held: dict[str, dict[str, int]] = {}
    for group, parts in written.groups.items():
        held[group] = {}
        for index, part in enumerate(parts):
            place = source.at("machines", machine, "groups", group, index)
            if reporter.lookup("state", part, names, place):
                held[group].setdefault(part, index)
    resolved = {state: frozenset({state}) for state in written.states}
    for group in _inner_first(machine, held, reporter):
        inner = (resolved[part] for part in held.get(group, ()))
        resolved.setdefault(group, frozenset().union(*inner))
    for group in written.groups:
        place = source.key_at("machines", machine, "groups", group)
        if group in written.states:
            reporter.findings.report(
                "E210", place, f"'{group}' is a state and a group", "rename one of them"
            )
    return {
        group: tuple(state for state in written.states if state in resolved[group])
        for group in written.groups
    }


def _inner_first(machine: str, held: Mapping[str, dict[str, int]], reporter: Reporter) -> list[str]:
    """Groups and what they hold, each after all that it holds; reports rings, and opens them."""
    while True:
        try:
            return list(TopologicalSorter(held).static_order())
        except CycleError as error:
            part, group, *_ = error.args[1]
            place = reporter.source.at("machines", machine, "groups", group, held[group].pop(part))
            reporter.findings.report("E412", place, f"group '{group}' holds itself")


def _fields(
    machine: str, event: str, written: EventFile, types: Mapping[str, Type], reporter: Reporter
) -> tuple[Field, ...]:
    found: list[Field] = []
    for name, part in written.payload.items():
        path = ("machines", machine, "events", event, "payload", name)
        kind = read_type(part.type, types, reporter, reporter.source.at(*path, "type"))
        default: Json = part.default.value if part.default else None
        if kind and part.default:
            problem = value_problem(kind, default)
            if problem:
                reporter.report("E303", (*path, "default"), f"wrong default: {problem}")
        found.append(
            Field(
                name=name,
                was=part.was or "",
                type=kind or Type(name="json"),
                doc=one_line(part.doc),
                required=part.default is None,
                default=default,
            )
        )
    return tuple(found)
