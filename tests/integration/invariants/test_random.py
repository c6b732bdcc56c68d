"""Random lifecycles on random walks: nothing that is stored breaks what they declare.

Whether an invariant holds is asked of its tree, by the interpreter of trees and not by the code
that is generated from it.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from milepost import InvariantBroken, ItemEvent, JobEvent, JobState, MilepostError, StateManager
from milepost.machine import Lifecycle, Machine, frozen
from milepost.state.transitions import Request
from milepost_codegen import model
from milepost_codegen.expressions import evaluate
from tests.contract.lifecycles.compiling import at_once
from tests.prove.random_definitions import definitions, text_of
from tests.prove.reading import resolved

LIFECYCLES = 40 * int(os.environ.get("MILEPOST_SOAK", "1"))
RECORDS = 40

_PLAIN = {"str": "x", "json": None, "timestamp": 0}


def broken_in(lifecycle: model.Lifecycle, state: JobState) -> Iterator[str]:
    """The invariants that do not hold of the job, and of each single item."""
    machines = {machine.name: machine for machine in lifecycle.machines}
    places = [(machines[state.machine.name], state.phase, state.guarded)]
    for ledger in state.ledgers.values():
        machine = machines[ledger.machine.name]
        places += [(machine, *ledger.member(ordinal)) for ordinal in ledger.universe]
    for machine, phase, context in places:
        for one in machine.invariants:
            if (one.states is None or phase in one.states) and not evaluate(one.holds, context, {}):
                yield f"{machine.name}.{one.name}"


def request_of(chance: random.Random, state: JobState) -> Request:
    """Any event of the job or of one of its items, likely or not, with any payload."""
    items = list(range(state.items.count))
    if items and chance.random() < 0.6:
        ordinal = chance.choice(items)
        machine = state.ledger_of(ordinal).machine
        phase, _ = state.items.member(ordinal)
        accepted = [event for event in machine.allowed(phase) if event in state.accepted]
        return ItemEvent(ordinal, *event_of(chance, machine, accepted))
    return JobEvent(*event_of(chance, state.machine, state.allowed()))


def event_of(
    chance: random.Random, machine: Machine, likely: Sequence[str]
) -> tuple[str, dict[str, object]]:
    event = chance.choice(likely if likely and chance.random() < 0.95 else machine.events)
    payload: dict[str, object] = {}
    for part in machine.event_specs[event].fields:
        if part.members:
            payload[part.name] = chance.choice(part.members)
        elif part.type == "int":
            payload[part.name] = chance.randint(-3, 6)
        elif part.type == "bool":
            payload[part.name] = chance.random() < 0.5
        else:
            payload[part.name] = _PLAIN[part.type]
    return event, payload


def config_of(chance: random.Random, lifecycle: Lifecycle) -> dict[str, object]:
    """Parameters for each machine, some of which may be refused."""
    config: dict[str, object] = {}
    for machine in lifecycle.machines.values():
        for variable in machine.variables:
            if variable.param:
                some: tuple[object, ...] = variable.members
                if not some:
                    some = (False, True) if variable.type == "bool" else tuple(range(-2, 5))
                config[variable.name] = chance.choice(some)
    return config


def walk(
    chance: random.Random, lifecycle: Lifecycle, defined: model.Lifecycle, found: Counter[str]
) -> None:
    """One job, created and sent whatever there is; what became of it is counted in `found`."""
    with StateManager.open("memory:", lifecycle=lifecycle) as manager:
        several = [f"i{number}" for number in range(chance.randint(0, 4))]
        items = several if lifecycle.collections else None
        try:
            state = manager.create_job(items, job_id="j", config=config_of(chance, lifecycle))
        except MilepostError as error:
            found[f"not created: {error.code}"] += 1
            return
        broken = list(broken_in(defined, state))
        for number in range(RECORDS):
            found["broken"] += bool(broken)
            many = [request_of(chance, state) for _ in range(chance.choice((1, 1, 2, 4)))]
            try:
                if lifecycle.collections and chance.random() < 0.1:
                    state = manager.add_items("j", [f"more{number}"])
                else:
                    state = manager.record("j", many)
            except InvariantBroken:
                found["refused for an invariant"] += 1
                assert manager.get_state("j") == state
            except MilepostError:
                found["refused"] += 1
                assert manager.get_state("j") == state
            else:
                found["taken"] += 1
                broken = list(broken_in(defined, state))
        found["not sound"] += not manager.verify("j")[0].sound


@cache
def kept() -> tuple[tuple[int, str, model.Lifecycle], ...]:
    """The first random definitions that compile, numbered; most have rows that surely overlap."""
    found: list[tuple[int, str, model.Lifecycle]] = []
    for number, definition in enumerate(definitions(30 * LIFECYCLES, seed=44)):
        text = text_of(definition)
        defined, findings = resolved(text)
        if not any(finding.severity == "error" for finding in findings):
            found.append((number, text, defined))
        if len(found) == LIFECYCLES:
            break
    return tuple(found)


def walked(*, watched: bool) -> Counter[str]:
    found: Counter[str] = Counter()
    for number, text, defined in kept():
        lifecycle = at_once(text)
        if not watched:
            object.__setattr__(lifecycle, "watched", False)
            for machine in lifecycle.machines.values():
                object.__setattr__(machine, "watched", frozen({}))
        for turn in range(4):
            chance = random.Random(f"{number}.{turn}")  # noqa: S311 no secrets
            walk(chance, lifecycle, defined, found)
    return found


def test_nothing_that_is_stored_breaks_what_is_declared() -> None:
    found = walked(watched=True)
    assert found["broken"] == found["not sound"] == 0, found
    assert found["taken"] > 500, found
    assert found["refused for an invariant"] > 50, found
    assert found["not created: invariant-broken"] > 3, found


def test_without_the_look_it_would() -> None:
    """Negative control: the same walks break invariants, and `verify` says of which jobs."""
    found = walked(watched=False)
    assert found["broken"] > 50, found
    assert found["not sound"] > 5, found
    assert found["refused for an invariant"] == 0, found
