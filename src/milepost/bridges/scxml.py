"""A compiled machine as a W3C SCXML 1.0 document."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from milepost.arguments import instance
from milepost.bridges.elements import Comment, Element, to_text
from milepost.bridges.histories import Compound, compounds, plain_guard
from milepost.machine import Machine, Variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from milepost.bridges.elements import Node
    from milepost.machine import Transition

__all__ = ["NAMESPACE", "SCXML", "to_scxml"]

SCXML: Final = "http://www.w3.org/2005/07/scxml"
NAMESPACE: Final = "urn:milepost:scxml:1"
_NOT_GIVEN: Final = next(part.default for part in fields(Variable) if part.name == "initial")


def to_scxml(machine: Machine) -> str:
    """The text of `machine` as SCXML, in UTF-8 if it is encoded; the same bytes every time.

    States, final ones, transitions with their events and guards, the context as a datamodel and
    what rows assign are SCXML. Expressions are in the definition language: the datamodel is called
    `milepost`, which no processor runs by itself. A group with a history becomes a state
    around its members, with a `<history>`: its rows are one transition to that, and its entry in
    the context is gone. Where groups cross, their rows stay as they are, with conditions on
    `history.GROUP`. Docs are comments.

    SCXML has no form for the following, which the namespace `milepost` adds: `id` (the ids of the
    rows that a transition stands for, in the order of the states they lead to), `type`, `members`,
    `param` and `where` of data, `<milepost:members>` for events that members take in the same
    step, and `<milepost:ignored>` for what a final state ignores. Elsewhere an ignored event is a
    transition without a target, marked `ignored`. Left out are payloads, invariants, what the owner
    of members accepts, and groups without a history. An SCXML processor drops an event that no
    transition takes; a machine refuses it.
    """
    instance("machine", machine, Machine)
    around = compounds(machine)
    events = machine.event_specs.values()
    root = Element(
        "scxml",
        {
            "xmlns": SCXML,
            "xmlns:milepost": NAMESPACE,
            "version": "1.0",
            "name": machine.name,
            "initial": machine.initial,
            "datamodel": "milepost",
        },
        [
            *_comments(machine.doc),
            *_comments(*(f"event {event.name}: {event.doc}" for event in events if event.doc)),
            *_comments(*(f"guard {name}: {text}" for name, text in machine.guards.items())),
            *_datamodel(machine, around),
            *_nested(machine, list(around.values()), machine.states, around),
        ],
    )
    return to_text(root)


def _comments(*texts: str) -> Iterator[Comment]:
    return (Comment(text) for text in texts if text)


def _datamodel(machine: Machine, around: Mapping[str, Compound]) -> Iterator[Element]:
    gone = {f"history.{group}" for group in around}
    data: list[Node] = []
    for variable in machine.variables:
        data += [*_comments(variable.doc), _data(variable)]
    for name, value in machine.entries.items():
        if name not in gone:
            data.append(Element("data", {"id": name, "expr": _value(value)}))
    if data:
        yield Element("datamodel", {}, data)


def _data(variable: Variable) -> Element:
    initial = None if variable.initial is _NOT_GIVEN else _value(variable.initial)
    return Element(
        "data",
        {
            "id": variable.name,
            "expr": initial,
            "milepost:type": variable.type,
            "milepost:members": " ".join(variable.members) or None,
            "milepost:param": "true" if variable.param else None,
            "milepost:where": variable.where or None,
        },
    )


def _value(value: object) -> str:
    """A constant as the language writes it: members of enums and states are bare names."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _nested(
    machine: Machine,
    inside: Sequence[Compound],
    states: Iterable[str],
    around: Mapping[str, Compound],
) -> Iterator[Node]:
    """`states` in order; members of a group of `inside` in one state at the first one's place."""
    drawn: set[str] = set()
    for state in states:
        if state in drawn:
            continue
        group = next((compound for compound in inside if state in compound.members), None)
        if group is None:
            yield _state(machine, state, around)
            continue
        drawn |= group.members
        yield _compound(machine, group, inside, around)


def _compound(
    machine: Machine, group: Compound, inside: Sequence[Compound], around: Mapping[str, Compound]
) -> Element:
    inner = [compound for compound in inside if compound.members < group.members]
    members = [state for state in machine.states if state in group.members]
    history = Element(
        "history",
        {"id": f"history.{group.group}", "type": "deep" if inner else "shallow"},
        [Element("transition", {"target": group.default})],
    )
    children = _nested(machine, inner, members, around)
    return Element("state", {"id": group.group}, [history, *children])


def _state(machine: Machine, state: str, around: Mapping[str, Compound]) -> Element:
    spec = machine.state_specs[state]
    rows = [row for row in machine.transitions if row.source == state]
    children: list[Node] = [*_comments(spec.doc)]
    if spec.final:
        children += (
            Element("milepost:ignored", {"event": row.event, "milepost:id": row.id}) for row in rows
        )
        return Element("final", {"id": state}, children)
    children += (_transition(machine, alike, around) for alike in _joined(rows, around))
    return Element("state", {"id": state}, children)


def _joined(
    rows: Iterable[Transition], around: Mapping[str, Compound]
) -> Iterable[Sequence[Transition]]:
    """`rows`, with those that lead to one history together."""
    joined: dict[object, list[Transition]] = {}
    for row in rows:
        alike = (row.event, row.history, plain_guard(row))
        joined.setdefault(alike if row.history in around else row.id, []).append(row)
    return joined.values()


def _transition(
    machine: Machine, rows: Sequence[Transition], around: Mapping[str, Compound]
) -> Element:
    row = rows[0]
    in_order = sorted(rows, key=lambda one: machine.states.index(one.target))
    joined = row.history in around
    guard = plain_guard(row) if joined else row.guard
    target = f"history.{row.history}" if joined else row.target
    gone = {f"history.{group}" for group in around}
    effects = [
        Element("assign", {"location": name, "expr": text})
        for name, text in row.sets
        if name not in gone
    ]
    effects += (
        Element(
            "milepost:members",
            {"collection": sent.collection, "state": sent.state, "event": sent.event},
        )
        for sent in row.members
    )
    return Element(
        "transition",
        {
            "event": row.event,
            "cond": guard or None,
            "target": None if row.ignored else target,
            "milepost:id": " ".join(one.id for one in in_order),
            "milepost:ignored": "true" if row.ignored else None,
        },
        effects,
    )
