"""Random legal walks of any lifecycle, and illegal steps beside them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from milepost import ItemEvent, JobEvent
from milepost.machine import ContextInvalid, Lifecycle, Machine

from .model import Act, Model, refused

__all__ = ["begin", "config_of", "illegal", "params_for", "payload_for", "walk"]

_TRIES = 200


def params_for(machine: Machine, chance: random.Random) -> dict[str, Any]:
    """Parameters that the machine can be created with; some are left to their defaults."""
    for attempt in range(_TRIES):
        given = {
            one.name: _value(one.type, one.members, chance)
            for one in machine.variables
            if one.param and (attempt or chance.random() < 0.5 or not _defaulted(machine, one.name))
        }
        try:
            machine.context(**given)
        except ContextInvalid:
            continue
        return given
    try:
        machine.context()
    except ContextInvalid as error:
        raise AssertionError(f"no parameters were found for {machine.name}: {error}") from error
    return {}


def _defaulted(machine: Machine, name: str) -> bool:
    try:
        machine.context()
    except ContextInvalid as error:
        return error.name != name
    return True


def begin(lifecycle: Lifecycle, chance: random.Random) -> Model:
    """A new job with a few items in each collection."""
    params = {name: params_for(machine, chance) for name, machine in lifecycle.machines.items()}
    items = {
        name: [f"{name[:2]}{n}" for n in range(chance.randint(1, 4))]
        for name in lifecycle.collections
    }
    return Model.begun(lifecycle, items, params)


def config_of(model: Model) -> dict[str, Any]:
    """The parameters as `create_job` takes them, each under the name of whose it is."""
    lifecycle = model.lifecycle
    config: dict[str, Any] = {}
    for name, collection in lifecycle.collections.items():
        config[name] = dict(model.params.get(collection.machine, {}))
    root = lifecycle.root if lifecycle.root not in lifecycle.collections else "the job"
    config[root] = dict(model.params.get(lifecycle.root, {}))
    return config


def items_of(model: Model) -> dict[str, list[str]]:
    """The keys as `create_job` takes them, by collection."""
    several = len(model.lifecycle.collections) > 1
    found: dict[str, list[str]] = {name: [] for name in model.lifecycle.collections}
    for key, member in model.members.items():
        found[member.collection].append(key.partition("/")[2] if several else key)
    return found


def payload_for(machine: Machine, event: str, chance: random.Random) -> dict[str, Any]:
    """A payload that the event takes; a result is in it, not beside the log."""
    given: dict[str, Any] = {}
    for part in machine.event_specs[event].fields:
        if (event, part.name) == machine.roles.stored:
            continue
        if (event, part.name) in machine.roles.variables:
            given[part.name] = {chance.choice("xyz"): chance.randint(0, 9)}
        elif part.required or chance.random() < 0.5:
            given[part.name] = _value(part.type, part.members, chance)
    return given


def _value(kind: str, members: tuple[str, ...], chance: random.Random) -> Any:
    if members:
        return chance.choice(members)
    match kind:
        case "bool":
            return chance.random() < 0.5
        case "int":
            return chance.choice((0, 1, 2, 3, 5, 10, -1))
        case "str":
            return chance.choice(("", "why not", "naïve\n\x1b[31m"))
        case "bytes":
            return chance.randbytes(chance.randint(0, 5))
        case "timestamp":
            return chance.randint(0, 2**50)
        case _:
            return chance.choice((None, 7, "text", [1, {"a": None}], {"b": [True, "ü"]}))


def walk(model: Model, chance: random.Random, length: int) -> Iterator[tuple[Act, Model]]:
    """Legal acts, one after the other, each with the model after it."""
    for _ in range(length):
        step = _step(model, chance)
        if step is None:
            return
        asked, model = step
        yield asked, model


def _step(model: Model, chance: random.Random) -> tuple[Act, Model] | None:
    """One legal act; None where nothing at all is possible, or was not found."""
    for _ in range(_TRIES):
        asked = _guess(model, chance)
        if asked and not refused(model, asked) and _is_new(model, asked):
            return asked, model.take(asked)
    return None


def _is_new(model: Model, asked: Act) -> bool:
    """False for a result that the item has already: it is passed over, and nothing is written."""
    return model.take(asked) != model or any(isinstance(one, JobEvent) for one in asked)


def _guess(model: Model, chance: random.Random) -> Act:
    ways = [*(["job"] if model.root.allowed(model.phase) else [])]
    ways += [key for key in model.members if _events(model, key)]
    if not ways:
        return ()
    if ("job" in ways and chance.random() < 0.25) or len(ways) == 1:
        first = ways[0]
    else:
        first = chance.choice(ways)
    if first == "job":
        event = chance.choice(model.root.allowed(model.phase))
        rows = model.root.of_pair(model.phase, event)
        if all(row.target in model.root.final for row in rows) and chance.random() < 0.9:
            return ()  # it would end the walk
        return (JobEvent(event, payload_for(model.root, event, chance)),)
    machine, event = model.machine_of(first), chance.choice(_events(model, first))
    alike = [
        key
        for key in model.members
        if model.machine_of(key) is machine and event in _events(model, key)
    ]
    taken = [first, *(key for key in alike if key != first and chance.random() < 0.4)]
    return tuple(ItemEvent(key, event, payload_for(machine, event, chance)) for key in taken)


def _events(model: Model, key: str) -> list[str]:
    member = model.members[key]
    enabled = model.machine_of(key).enabled(member.state, member.context)
    return [event for event in enabled if event in model.accepts(key)]


def illegal(model: Model, chance: random.Random) -> Act:
    """Something that the table does not allow now, `()` if none was found."""
    for _ in range(20):
        key = chance.choice(["", *model.members])
        machine = model.machine_of(key) if key else model.root
        event = chance.choice(machine.events)
        payload = payload_for(machine, event, chance)
        asked: Act = (ItemEvent(key, event, payload) if key else JobEvent(event, payload),)
        if refused(model, asked):
            return asked
    return ()


def created(model: Model) -> Mapping[str, Any]:
    """What `create_job` is given for the job that the model begins with."""
    lists = items_of(model)
    given: dict[str, Any] = {"config": config_of(model)}
    if lists:
        given["collections"] = lists
    return given
