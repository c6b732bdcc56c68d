"""Parameters, payloads and members for jobs of any definition, drawn by chance."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from milepost.definition import Field, Machine, Variable
from milepost.testing.definition import Definition, Event, Invalid, Job, Refused
from milepost.testing.definition.steps import begun, broken

__all__ = [
    "beginnings",
    "created_with",
    "filled",
    "legal_events",
    "numbers_of",
    "params_for",
    "payload_for",
    "takes",
    "value_of",
    "wrong",
]

_TRIES: Final = 200
_WRONG: Final[Mapping[str, Any]] = {"bool": 1, "int": True, "str": 7, "bytes": "text"}


def params_for(machine: Machine, chance: random.Random) -> dict[str, Any]:
    """Parameters that a machine can be created with; some are left to their defaults.

    Raises Refused if none were found.
    """
    numbers = sorted({0, 1, 2, 3, *numbers_of(machine)})
    params = [one for one in machine.variables.values() if one.param]
    for attempt in range(_TRIES):
        given = {
            one.name: value_of(one, chance, numbers)
            for one in params
            if one.required or (attempt < _TRIES - 1 and chance.random() < 0.6)
        }
        try:
            context = begun(machine, given)
        except Invalid:
            continue
        if machine.collections or not broken(machine, None, machine.initial, context):
            return given
    raise Refused(f"no parameters were found with which '{machine.name}' can begin")


def numbers_of(machine: Machine) -> set[int]:
    """Numbers that decide something: those that are written in the definition, and beside them."""
    wheres = [one.where for one in machine.variables.values() if one.where is not None]
    written = {number for one in (*machine.formulas(), *wheres) for number in one.numbers}
    return {one for number in written if number < 1000 for one in (number - 1, number, number + 1)}


def beginnings(definition: Definition, chance: random.Random, most: int = 4) -> Job:
    """A new job with up to `most` members in each collection."""
    params = {name: params_for(of.machine, chance) for name, of in definition.collections.items()}
    params[""] = params_for(definition.root, chance)
    members = {
        name: [f"m{n}" for n in range(chance.randint(1, most))] for name in definition.collections
    }
    try:
        return Job.begun(definition, members, params)
    except Refused:
        return Job.begun(definition, {}, params)


def created_with(job: Job) -> dict[str, Any]:
    """What `create_job` is given for a job that is at its beginning."""
    definition = job.definition
    root = definition.root.name
    named = "the job" if root in definition.collections else root
    given: dict[str, Any] = {
        "config": {
            **{name: dict(job.params.get(name, {})) for name in definition.collections},
            named: dict(job.params.get("", {})),
        }
    }
    if definition.collections:
        lists: dict[str, list[str]] = {name: [] for name in definition.collections}
        for key, member in job.members.items():
            lists[member.collection].append(key.rpartition("/")[2])
        given["collections"] = lists
    return given


def payload_for(job: Job, one: tuple[str | None, str], chance: random.Random) -> dict[str, Any]:
    """A payload that an event takes, of the job (None) or of a member."""
    key, event = one
    machine = job.machine_of(key)
    numbers = sorted({0, 1, 2, *numbers_of(machine)})
    given: dict[str, Any] = {}
    for field in machine.events[event].values():
        if key is None and (event, field.name) in job.definition.variables:
            given[field.name] = {chance.choice("xyz"): chance.randint(0, 9)}
        elif field.required or (field.type != "json" and chance.random() < 0.5):
            given[field.name] = value_of(field, chance, numbers)
    return given


def filled(machine: Machine, event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload with something in the fields that it has to have, and lacks."""
    chance = random.Random(event)  # noqa: S311 no secret
    lacking = [one for one in machine.events[event].values() if one.required]
    return {one.name: value_of(one, chance, [0]) for one in lacking} | dict(payload)


def wrong(machine: Machine, event: str, payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The payload with one thing wrong in it: a type, a field too many, a field too few."""
    yield {**payload, "no_such_field": 1}
    for name, field in machine.events[event].items():
        if field.required:
            yield {other: value for other, value in payload.items() if other != name}
        if field.members:
            yield {**payload, name: "no_such_member"}
        elif field.type in _WRONG:
            yield {**payload, name: _WRONG[field.type]}


def value_of(field: Field | Variable, chance: random.Random, numbers: Sequence[int]) -> Any:
    """A value of its type, one of `numbers` where it is whole."""
    if field.members:
        return chance.choice(field.members)
    match field.type:
        case "bool":
            return chance.random() < 0.5
        case "int":
            return chance.choice(numbers)
        case "str":
            return chance.choice(("", "why not", "naïve\n\x1b[31m"))
        case "bytes":
            return chance.randbytes(chance.randint(0, 5))
        case "timestamp":
            return chance.randint(0, 2**50)
        case _:
            return {"of": chance.choice((None, 7, "text", [1, {"a": None}], {"b": [True, "ü"]}))}


def legal_events(job: Job, chance: random.Random, *, members: bool = True) -> list[Event]:
    """Each event that the job takes now, of itself and of its members, with some payload."""
    keys: list[str | None] = [None, *(job.members if members else ())]
    found = []
    for key in keys:
        machine = job.machine_of(key)
        state = job.state if key is None else job.members[key].state
        for event in machine.events:
            if not machine.of_pair(state, event):
                continue
            one = Event(event, payload_for(job, (key, event), chance), key)
            if takes(job, one):
                found.append(one)
    return found


def takes(job: Job, *asked: Event) -> bool:
    """True if the job takes all of it."""
    try:
        job.take(asked)
    except (Refused, Invalid):
        return False
    return True
