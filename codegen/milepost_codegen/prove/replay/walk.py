"""A run taken on the generated code, step by step: what the code does must be what the run says."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from milepost.machine import LARGEST_INT, LEAST_INT, MilepostError, Step
from milepost_codegen.prove.counting import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost.machine import Collection, Lifecycle, Machine
    from milepost_codegen.prove.system import Configuration, Run, RunStep, Value, Values

__all__ = ["INVARIANT_BROKEN", "Deviation", "Place", "filled", "walk"]

INVARIANT_BROKEN: Final = "invariant-broken"
"""The code of the error by which a step that would break an invariant is refused."""

_MEMBER: Final = re.compile(r"(\w+)\[(\d+)\]")
_ANY: Final[Mapping[str, object]] = {
    "str": "",
    "bytes": b"",
    "timestamp": 0,
    "json": None,
    "int": 0,
    "bool": False,
}


class Deviation(Exception):
    """What the code does is not what the run says; the message is a sentence."""


@dataclass(slots=True)
class Place:
    """A machine as the code has it, with its members where these are one by one.

    `context` has the counts of members too; `members` are by name, such as `items[1]`.
    """

    tables: Lifecycle
    machine: Machine
    state: str
    context: dict[str, Any]  # Any: values as the tables type them
    members: dict[str, Place]

    def step(self, event: str, payload: Values) -> Step:
        """What the code makes of an event. Raises TransitionRefused, or for a broken invariant."""
        return self.machine.step(
            self.state, event, self.context, filled(self.machine, event, payload)
        )

    def broken(self) -> tuple[str, ...]:
        """The names of its invariants that do not hold, those of members by their names."""
        own = [
            name
            for name, holds in self.machine.invariants.items()
            if not holds(self.state, self.context)
        ]
        for subject, member in self.members.items():
            own += [f"{subject}.{name}" for name in member.broken()]
        return tuple(own)

    def recount(self) -> None:
        """Count the members that are one by one."""
        for collection in self.machine.collections.values():
            own = [one.state for name, one in self.members.items() if _of(name, collection)]
            if not own:
                continue
            for state in self.tables.machines[collection.machine].states:
                self.context[f"{collection.name}.{state}"] = own.count(state)
            self.context[f"{collection.name}.total"] = len(own)


def walk(tables: Lifecycle, machine: str, run: Run, *, breaks: str = "") -> Place:
    """Where the code is after the run. Raises Deviation.

    Every configuration is compared, and every row that is taken by its id; before the end of the
    run every invariant holds by the code too. The last step may break the invariant `breaks`, and
    may be refused for that.
    """
    place = _begin(tables, machine, run.start)
    for number, step in enumerate(run.steps, start=1):
        broken = place.broken()
        if broken:
            raise Deviation(f"before step {number} {broken[0]} does not hold any more")
        last = number == len(run.steps)
        _take(place, step, f"step {number}", breaks if last else "")
        _compare(place, step.after, f"after step {number}")
    broken = place.broken()
    if broken and not breaks:
        raise Deviation(f"where the run ends {broken[0]} does not hold any more")
    return place


def filled(machine: Machine, event: str, payload: Values) -> dict[str, Any]:
    """A payload with something in the fields that are not given, as nothing reads them."""
    spec = machine.event_specs.get(event)
    found: dict[str, Any] = {}
    for field in spec.fields if spec else ():
        if field.name in payload:
            found[field.name] = payload[field.name]
        elif not field.required:
            found[field.name] = deepcopy(field.default)
        else:
            found[field.name] = field.members[0] if field.members else _ANY[field.type]
    return found


def _of(name: str, collection: Collection) -> bool:
    return name.startswith(f"{collection.name}[")


def _begin(tables: Lifecycle, name: str, start: Configuration) -> Place:
    machine = tables.machines[name]
    _check_sizes(start.values)
    place = _created(tables, machine, start.values, "")
    if start.mode != machine.initial:
        raise Deviation(f"{name} begins in {machine.initial}, and the run in {start.mode}")
    for collection in machine.collections.values():
        counted = f"{collection.name}.total" in start.values
        if counted:
            for entry in place.context:
                if entry.startswith(f"{collection.name}."):
                    place.context[entry] = start.values[entry]
    for entry, value in start.values.items():
        subject = entry.removesuffix(".state")
        if _MEMBER.fullmatch(subject) and subject != entry and value != ABSENT:
            _add(place, subject, start.values)
    place.recount()
    _compare(place, start, "at the start")
    return place


def _created(tables: Lifecycle, machine: Machine, values: Values, prefix: str) -> Place:
    """A machine that is created with the parameters that `values` have under `prefix`."""
    params = {
        variable.name: values[prefix + variable.name]
        for variable in machine.variables
        if variable.param
    }
    try:
        # what an invariant says of the start is looked at afterwards, by its name
        context = dict(getattr(machine, "fresh", machine.context)(**params))
    except MilepostError as refused:
        raise Deviation(f"it cannot be created: {refused}") from refused
    return Place(tables, machine, machine.initial, context, {})


def _add(place: Place, subject: str, values: Values) -> None:
    """A new member of the owner."""
    match = _MEMBER.fullmatch(subject)
    assert match is not None
    collection = place.machine.collections[match[1]]
    machine = place.tables.machines[collection.machine]
    place.members[subject] = _created(place.tables, machine, values, f"{collection.name}.")


def _take(place: Place, step: RunStep, where: str, breaks: str) -> None:
    move = step.move
    _check_sizes(step.payload)
    if not move.subject:
        _own(place, step, where, breaks)
    elif move.transition is None:
        _added(place, step, where)
    elif move.subject in place.members:
        _one_member(place, step, where)
    else:
        _counted_member(place, step, where)
    place.recount()


def _own(place: Place, step: RunStep, where: str, breaks: str) -> None:
    """The owner's own step, and what its members do in it."""
    row = step.move.transition
    assert row is not None
    done = _done(place, step.move.event, step.payload, row.id, where, breaks=breaks)
    before = {name: one.state for name, one in place.members.items()}
    for sent in done.members:
        for name, member in place.members.items():
            if before[name] == sent.state and name.startswith(f"{sent.collection}["):
                taken = _done(member, sent.event, {}, "", f"{where}, {name}")
                member.state, member.context = taken.state, dict(taken.context)
    counts = {
        name: value
        for name, value in step.after.values.items()
        if name.partition(".")[0] in place.machine.collections and name in place.context
    }
    place.state, place.context = done.state, {**done.context, **counts}


def _added(place: Place, step: RunStep, where: str) -> None:
    collection = place.machine.collections[step.move.subject]
    if place.state not in getattr(collection, "grows", (place.state,)):
        raise Deviation(f"{where}: {collection.name} cannot grow in {place.state}")
    if f"{collection.name}.total" in step.after.values:
        _counts(place, collection, step.after)
        return
    for name, value in step.after.values.items():
        subject = name.removesuffix(".state")
        new = subject != name and _of(subject, collection) and subject not in place.members
        if new and value != ABSENT:
            _add(place, subject, step.after.values)


def _one_member(place: Place, step: RunStep, where: str) -> None:
    move = step.move
    member = place.members[move.subject]
    assert move.transition is not None
    _accepted(place, place.machine.collections[move.subject.partition("[")[0]], step, where)
    row = move.transition.id
    done = _done(member, move.event, step.payload, row, f"{where}, {move.subject}")
    member.state, member.context = done.state, dict(done.context)


def _counted_member(place: Place, step: RunStep, where: str) -> None:
    """Of counted members the code knows the rows; which of them it is, nobody says."""
    row = step.move.transition
    assert row is not None
    collection = place.machine.collections[step.move.subject]
    _accepted(place, collection, step, where)
    machine = place.tables.machines[collection.machine]
    rows = machine.of_pair(row.source, row.event)
    if not any(one.id == row.id and one.target == row.target for one in rows):
        raise Deviation(f"{where}: members have no row {row.id}")
    if place.context[f"{collection.name}.{row.source}"] < 1:
        raise Deviation(f"{where}: no member is in {row.source}")
    _counts(place, collection, step.after)


def _counts(place: Place, collection: Collection, after: Configuration) -> None:
    for entry in place.context:
        if entry.startswith(f"{collection.name}."):
            place.context[entry] = after.values[entry]


def _accepted(place: Place, collection: Collection, step: RunStep, where: str) -> None:
    if step.move.event not in collection.accepts.get(place.state, ()):
        raise Deviation(
            f"{where}: {place.state} accepts no '{step.move.event}' of {collection.name}"
        )


def _done(
    place: Place, event: str, payload: Values, row: str, where: str, *, breaks: str = ""
) -> Step:
    """The step of the code, by that row if one is named; as its row says where it may not be."""
    try:
        done = place.step(event, payload)
    except MilepostError as refused:
        if not breaks or refused.code != INVARIANT_BROKEN:
            raise Deviation(f"{where}: {refused}") from refused
        done = _unguarded(place, event, payload)
    if row and done.transition != row:
        raise Deviation(f"{where}: the code takes {done.transition}, and the run {row}")
    return done


def _unguarded(place: Place, event: str, payload: Values) -> Step:
    """What the row of the code does, whatever it breaks."""
    given = filled(place.machine, event, payload)
    row = place.machine.select(place.state, event, place.context, given)
    after = place.context if row.assign is None else row.assign(place.context, given)
    return Step(row.target, after, row.id, row.members)


def _compare(place: Place, wanted: Configuration, where: str) -> None:
    """Raise Deviation unless the code is where the run is, entry by entry."""
    if place.state != wanted.mode:
        raise Deviation(f"{where}: the code is in {place.state}, and the run in {wanted.mode}")
    values = dict(_values(place))
    for name, value in wanted.values.items():
        if name in values and not _same(values[name], value):
            raise Deviation(f"{where}: {name} is {values[name]}, and {value} in the run")
        if name not in values and not _of_nobody(place, name, wanted.values):
            raise Deviation(f"{where}: the code has no {name}")


def _values(place: Place) -> Iterator[tuple[str, Any]]:
    yield from place.context.items()
    for name, member in place.members.items():
        yield f"{name}.state", member.state
        for entry, value in member.context.items():
            yield f"{name}.{entry}", value
            yield f"{name.partition('[')[0]}.{entry}", value  # a parameter, which all share


def _of_nobody(place: Place, name: str, values: Mapping[str, Value]) -> bool:
    """True for what belongs to a member that has not come, or to all where there is none."""
    subject, _, entry = name.partition(".")
    if _MEMBER.fullmatch(subject):
        return subject not in place.members and values.get(f"{subject}.state") == ABSENT
    collection = place.machine.collections.get(subject)
    if collection is None or any(_of(member, collection) for member in place.members):
        return False
    return any(one.name == entry for one in place.tables.machines[collection.machine].variables)


def _same(left: object, right: object) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _check_sizes(values: Values) -> None:
    for name, value in values.items():
        if isinstance(value, int) and not LEAST_INT <= value <= LARGEST_INT:
            raise Deviation(f"{name}={value} is beyond the 64 bits that are stored")
