"""Takes a trace step by step, on the generated code and in a store; each step must do what it says.

A trace of a member is taken by the one item of a job whose items are being worked on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from milepost import ItemEvent, StateManager, TransitionRefused
from milepost.job.state import JobState
from milepost.machine import Lifecycle, Machine

__all__ = ["take_in_the_store", "take_on_the_code"]

ABSENT: Final = "-"
MEMBER: Final = re.compile(r"(\w+)\[(\d+)\]\.(.+)")
ANY: Final[dict[str, Any]] = {
    "str": "",
    "bytes": b"",
    "timestamp": 0,
    "json": {},
    "int": 0,
    "bool": False,
}


@dataclass
class Place:
    """Where a machine is, or should be; members by their number."""

    machine: Machine
    state: str
    context: dict[str, Any]
    members: dict[int, Place] = field(default_factory=dict)
    of: Mapping[str, Any] = field(default_factory=dict)
    """The trace, which has the parameters of members to come."""


def take_on_the_code(lifecycle: Lifecycle, trace: Mapping[str, Any]) -> None:
    """Take a trace by `Machine.step`. Raises AssertionError where a step does anything else."""
    told, place = begun(lifecycle, trace), begun(lifecycle, trace)
    compare(place, told, "at the start")
    for number, step in enumerate(trace["steps"], start=1):
        follow(lifecycle, told, step)
        if step["row"]:
            at = place.members[numbered(step["subject"])] if step["subject"] else place
            assert stepped(at, step["event"], step["payload"]) == step["row"]
        else:
            for new in told.members.keys() - place.members.keys():
                place.members[new] = created(lifecycle, trace, "item")
        compare(place, told, f"after step {number}")
    asked = trace.get("asked")
    if asked and asked["takes"]:
        assert stepped(place, asked["event"], asked["payload"]) == asked["takes"]
    elif asked:
        with pytest.raises(TransitionRefused):
            stepped(place, asked["event"], asked["payload"])


def take_in_the_store(
    manager: StateManager, lifecycle: Lifecycle, trace: Mapping[str, Any]
) -> None:
    """Take a trace in a job of its own. Raises AssertionError where a step does anything else."""
    told = begun(lifecycle, trace)
    owner = bool(told.machine.collections)
    config = {name.split(".")[-1]: value for name, value in trace["start"].items()}
    config = {name: value for name, value in config.items() if not name.endswith("state")}
    items = sorted(told.members) if owner else [1]
    state = manager.create_job([str(one) for one in items], config=config)
    if not owner:
        state = manager.fire(state.id, "start_map", {})
    agree(state, told, "at the start")
    for number, step in enumerate(trace["steps"], start=1):
        before = set(told.members)
        follow(lifecycle, told, step)
        if not step["row"]:
            new = sorted(set(told.members) - before)
            state = manager.add_items(state.id, [str(one) for one in new])
        else:
            state = sent(manager, state, told, step["subject"], step["event"], step["payload"])
        agree(state, told, f"after step {number}")
    if asked := trace.get("asked"):
        state = answered(manager, state, told, asked)
    assert manager.get_state(state.id) == state


def answered(
    manager: StateManager, state: JobState, told: Place, asked: Mapping[str, Any]
) -> JobState:
    """What the store makes of the event that is asked where the trace ends."""
    if not asked["takes"]:
        with pytest.raises(TransitionRefused):
            sent(manager, state, told, "", asked["event"], asked["payload"])
        agree(manager.get_state(state.id), told, "after what is refused")
        return state
    after = copied(told)
    assert stepped(after, asked["event"], asked["payload"]) == asked["takes"]
    state = sent(manager, state, told, "", asked["event"], asked["payload"])
    agree(state, after, "after what is asked")
    return state


def sent(
    manager: StateManager,
    state: JobState,
    told: Place,
    subject: str,
    event: str,
    payload: Mapping[str, Any],
) -> JobState:
    """An event of the job fired, or one of its item recorded."""
    if told.machine.collections and not subject:
        return manager.fire(state.id, event, filled(told.machine, event, payload))
    machine = told.members[numbered(subject)].machine if subject else told.machine
    key = str(numbered(subject)) if subject else "1"
    return manager.record(state.id, [ItemEvent(key, event, filled(machine, event, payload))])


def created(lifecycle: Lifecycle, trace: Mapping[str, Any], name: str) -> Place:
    """A machine at its start, with the parameters that the trace has for it."""
    machine = lifecycle.machines[name]
    prefix = "" if name == trace["machine"] else "items."
    given = {one.name: trace["start"][prefix + one.name] for one in machine.variables if one.param}
    return Place(machine, machine.initial, dict(machine.fresh(**given)))


def begun(lifecycle: Lifecycle, trace: Mapping[str, Any]) -> Place:
    """The machine of a trace where it begins, with the members that are there."""
    place = created(lifecycle, trace, trace["machine"])
    for name, value in trace["start"].items():
        if (match := MEMBER.fullmatch(name)) and value != ABSENT:
            place.members[int(match[2])] = created(lifecycle, trace, "item")
    place.of = trace
    recount(place)
    return place


def follow(lifecycle: Lifecycle, told: Place, step: Mapping[str, Any]) -> None:
    """Where a step leads by what the trace says of it."""
    told.state = step["state"]
    for name, value in step["changed"].items():
        match = MEMBER.fullmatch(name)
        if match is None:
            told.context[name] = value
            continue
        number, entry = int(match[2]), match[3]
        if number not in told.members:
            told.members[number] = created(lifecycle, told.of, "item")
        if entry == "state":
            told.members[number].state = value
        else:
            told.members[number].context[entry] = value
    recount(told)


def stepped(place: Place, event: str, payload: Mapping[str, Any]) -> str:
    """Where an event leads by the generated code, its members too; the row that it takes."""
    done = place.machine.step(
        place.state, event, place.context, filled(place.machine, event, payload)
    )
    before = {number: one.state for number, one in place.members.items()}
    for also in done.members:
        for number, member in place.members.items():
            if before[number] == also.state:
                stepped(member, also.event, {})
    place.state, place.context = done.state, dict(done.context)
    return done.transition


def recount(place: Place) -> None:
    """The numbers of members, as an owner's guards read them."""
    states = [one.state for one in place.members.values()]
    for name in place.machine.collections:
        counted = [one for one in place.context if one.startswith(f"{name}.")]
        assert f"{name}.total" in counted
        place.context.update({one: states.count(one.partition(".")[2]) for one in counted})
        place.context[f"{name}.total"] = len(states)


def numbered(subject: str) -> int:
    """The number of a member: 2 of `items[2]`."""
    return int(subject.partition("[")[2].rstrip("]"))


def filled(machine: Machine, event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload with something in the fields that no expression reads."""
    found = {}
    for one in machine.event_specs[event].fields:
        if one.name in payload:
            found[one.name] = payload[one.name]
        else:
            given = one.members[0] if one.members else ANY[one.type]
            found[one.name] = deepcopy(given if one.required else one.default)
    return found


def copied(place: Place) -> Place:
    """The same place, which can go on by itself."""
    members = {number: copied(one) for number, one in place.members.items()}
    return Place(place.machine, place.state, dict(place.context), members)


def own(place: Place) -> dict[str, Any]:
    """What a machine's own context has, without counts."""
    params = [one.name for one in place.machine.variables if one.param]
    return {name: place.context[name] for name in (*params, *place.machine.owned)}


def compare(place: Place, told: Place, where: str) -> None:
    """The code is where the trace says."""
    recount(place)
    assert (place.state, own(place)) == (told.state, own(told)), where
    assert place.members.keys() == told.members.keys(), where
    for number, member in told.members.items():
        compare(place.members[number], member, f"{where}, of items[{number}]")


def agree(state: JobState, told: Place, where: str) -> None:
    """The stored job is where the trace says, and so are its items."""
    (ledger,) = state.ledgers.values()
    owner = bool(told.machine.collections)
    if owner:
        context = {name: state.context[name] for name in own(told)}
        assert (state.phase, context) == (told.state, own(told)), where
    members = told.members if owner else {1: told}
    assert state.items.count == len(members), where
    for ordinal, number in enumerate(sorted(members)):
        at, values = ledger.member(ordinal)
        there = {name: values[name] for name in own(members[number])}
        assert (at, there) == (members[number].state, own(members[number])), (where, number)
