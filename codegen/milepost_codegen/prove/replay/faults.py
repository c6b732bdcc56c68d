"""Whether the generated code shows, where a run ends, the fault that the run is said to show."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Final

from milepost.machine import TransitionRefused
from milepost_codegen.expressions import BOOL, INT, evaluate
from milepost_codegen.expressions.tree import Number
from milepost_codegen.expressions.tree import walk as nodes
from milepost_codegen.model import machine_named, reads_in
from milepost_codegen.prove.build import events_of_owners
from milepost_codegen.prove.counting import measures_at, rows_of, seen
from milepost_codegen.prove.replay.walk import Deviation, filled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from milepost.machine import Transition
    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.prove.replay.walk import Place
    from milepost_codegen.prove.report import Result
    from milepost_codegen.prove.system import Run, Value

__all__ = ["check_fault", "check_taken"]

_MOST_PAYLOADS: Final = 2_000


def check_fault(lifecycle: Lifecycle, result: Result, run: Run, place: Place) -> None:
    """Raise Deviation unless the code shows the fault of a refuted obligation at `place`."""
    machine = machine_named(lifecycle, result.obligation.machine)
    match result.obligation.kind:
        case "invariant":
            if result.obligation.subject not in place.broken():
                raise Deviation(f"{result.obligation.subject} holds by the code")
        case "deterministic":
            _overlap(machine, result, run, place)
        case "gap":
            _gap(result, place)
        case "members":
            _members(result, place)
        case "deadlock":
            _deadlock(lifecycle, machine, place)
        case "bounded":
            if measures_at(machine, run.end)[int(result.obligation.subject) - 1] >= 0:
                raise Deviation("the measure is not below zero")
        case "progress":
            _cycle(machine, result, run)
        case other:
            raise Deviation(f"no run can show that of {other}")


def _gap(result: Result, place: Place) -> None:
    event, payload = _asked(result)
    row = _selected(place, event, payload)
    if row is not None:
        raise Deviation(f"the code takes {row.id} on '{event}'")


def _members(result: Result, place: Place) -> None:
    event, payload = _asked(result)
    row = _selected(place, event, payload)
    if row is None:
        raise Deviation(f"the code refuses '{event}' itself")
    if not _refusing(place, row):
        raise Deviation(f"no member refuses what it is sent with {row.id}")


def check_taken(result: Result, run: Run) -> None:
    """Raise Deviation unless the run ends with the row that is proved to be taken."""
    rows = [step.move.transition for step in run.steps[-1:]]
    if result.obligation.kind == "row" and [row and row.id for row in rows] != [
        result.obligation.subject
    ]:
        raise Deviation(f"the run does not end with {result.obligation.subject}")


def _asked(result: Result) -> tuple[str, Mapping[str, Value]]:
    if result.asked is None:
        raise Deviation("nobody says which event shows it")
    return result.asked.event, result.asked.payload


def _selected(place: Place, event: str, payload: Mapping[str, Value]) -> Transition | None:
    """The row that the code picks, whatever the step would break; None if its guards say no."""
    given = filled(place.machine, event, payload)
    try:
        return place.machine.select(place.state, event, place.context, given)
    except TransitionRefused:
        return None


def _taken(place: Place, event: str, payload: Mapping[str, Value]) -> str:
    """The row that the code takes, `""` if it refuses the event, or would break an invariant."""
    try:
        return place.step(event, payload).transition
    except TransitionRefused:
        return ""


def _refusing(place: Place, row: Transition) -> list[str]:
    """The members that refuse what they are sent with the row."""
    return [
        name
        for sent in row.members
        for name, member in place.members.items()
        if member.state == sent.state
        and name.startswith(f"{sent.collection}[")
        and _selected(member, sent.event, {}) is None
    ]


def _overlap(machine: Machine, result: Result, run: Run, place: Place) -> None:
    """Two rows say yes, and the code silently takes the first."""
    event, payload = _asked(result)
    there = seen(machine, run.end)
    both = [
        row.id
        for row in rows_of(machine, run.end.mode, event)
        if row.guard is None or evaluate(row.guard, there, payload)
    ]
    if len(both) < 2:
        raise Deviation(f"'{event}' is taken by {' and '.join(both) or 'no row'} there")
    taken = _selected(place, event, payload)
    if taken is None or taken.id != both[0]:
        told = "nothing" if taken is None else taken.id
        raise Deviation(f"the code takes {told} on '{event}', and not {both[0]}")


def _deadlock(lifecycle: Lifecycle, machine: Machine, place: Place) -> None:
    """The code refuses every event, whatever it carries, and so do the members that are there."""
    if place.state in place.machine.final:
        raise Deviation(f"{place.state} is final")
    heard = events_of_owners(lifecycle, machine)
    allowed = place.machine.allowed(place.state)
    events = [one for one in allowed if heard is None or one in heard]
    _none_taken(machine, place, events, "the code")
    for collection in place.machine.collections.values():
        members = machine_named(lifecycle, collection.machine)
        accepted = collection.accepts.get(place.state, ())
        own = [one for one in place.members if one.startswith(f"{collection.name}[")]
        for name in own:
            _none_taken(members, place.members[name], accepted, name)
        for row in members.transitions:
            count = place.context[f"{collection.name}.{row.source}"]
            if count and not own and row.event in accepted and not row.ignored:
                raise Deviation(f"one of {collection.name} may take {row.id}")


def _none_taken(machine: Machine, place: Place, events: Iterable[str], who: str) -> None:
    """Raise Deviation if one of the events is taken with some payload by a row that counts."""
    for event in events:
        rows = {row.id for row in rows_of(machine, place.state, event)}
        for payload in _payloads(machine, place, event) if rows else ():
            taken = _taken(place, event, payload)
            if taken in rows:
                raise Deviation(f"{who} takes {taken} on '{event}'")


def _payloads(machine: Machine, place: Place, event: str) -> Iterator[dict[str, Value]]:
    """Payloads that tell guards apart: around each number that they name, or that is there."""
    spec = next(one for one in machine.events if one.name == event)
    rows = rows_of(machine, place.state, event)
    trees = [row.guard for row in rows if row.guard is not None]
    named = {node.value for tree in trees for node in nodes(tree) if isinstance(node, Number)}
    named |= {value for value in place.context.values() if type(value) is int}
    numbers = sorted({near for one in named | {0} for near in (one - 1, one, one + 1)}, key=abs)
    read = {name for tree in trees for name in reads_in(tree)}
    fields: list[list[tuple[str, Value]]] = []
    for field in spec.fields:
        choices: list[Value] = list(field.type.members)
        if field.type == BOOL:
            choices = [False, True]
        elif field.type == INT:
            choices = list(numbers)
        if choices:
            kept = choices if f"event.{field.name}" in read else choices[:1]
            fields.append([(field.name, choice) for choice in kept])
    yield from map(dict, islice(product(*fields), _MOST_PAYLOADS))


def _cycle(machine: Machine, result: Result, run: Run) -> None:
    """The run comes back to the same state, without an excepted event, and no measure fell."""
    if result.cycle is None or machine.progress is None:
        raise Deviation("nobody says where the cycle begins")
    first = ([run.start] + [step.after for step in run.steps])[result.cycle]
    steps = run.steps[result.cycle :]
    if not steps or first.mode != run.end.mode:
        raise Deviation(f"{first.mode} to {run.end.mode} is no cycle")
    excepted = [one.move.event for one in steps if one.move.event in machine.progress.excepted]
    if excepted:
        raise Deviation(f"'{excepted[0]}' of the cycle is excepted")
    if measures_at(machine, run.end) < measures_at(machine, first):
        raise Deviation("the measures fall on the cycle")
