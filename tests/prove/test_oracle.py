"""The oracle itself: its formulas, its steps and what it finds, each against something else."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from milepost.machine import TransitionRefused
from milepost_codegen.expressions import Expression, evaluate
from milepost_codegen.expressions.tree import Read, walk
from milepost_codegen.model import Machine
from tests.contract.lifecycles.compiling import at_once
from tests.prove.brute import explore, truths
from tests.prove.formulas import Value, function_of
from tests.prove.random_definitions import Definition, definitions, text_of
from tests.prove.reading import resolved
from tests.prove.world import Ranges, World, numbers_near

FEW = Ranges(nodes=60)


@pytest.fixture(scope="module")
def some() -> list[Definition]:
    return list(definitions(60, seed=7))


def trees(machine: Machine) -> Iterator[Expression]:
    for row in machine.transitions:
        yield from (one for one in (row.guard,) if one is not None)
        yield from (one.value for one in row.assignments)
    yield from (one.holds for one in machine.invariants)


def test_formulas_are_what_the_reference_evaluates(some: list[Definition]) -> None:
    chance = random.Random(3)  # noqa: S311 no secrets
    compared = 0
    for one in some:
        for machine in resolved(text_of(one))[0].machines:
            for tree in trees(machine):
                context: dict[str, Value] = {}
                payload: dict[str, Value] = {}
                for node in walk(tree):
                    if isinstance(node, Read):
                        values: tuple[Value, ...] = node.type.members or (False, True)
                        chosen: Value = (
                            chance.randint(-3, 9)
                            if node.type.name == "int"
                            else chance.choice(values)
                        )
                        (payload if node.payload else context)[node.name] = chosen
                assert function_of(tree)(context, payload) == evaluate(tree, context, payload)
                compared += 1
    assert compared > 500


def test_steps_are_those_of_the_generated_code(some: list[Definition]) -> None:
    """Where compile allows the definition: every pair of every configuration with each payload."""
    stepped = refused = 0
    for one in some:
        text = text_of(one)
        lifecycle, found = resolved(text)
        if any(finding.severity == "error" for finding in found):
            continue
        generated = at_once(text)
        for machine in lifecycle.machines:
            if machine.collections:
                continue
            world = World(lifecycle, machine, FEW)
            for node in explore(world).distance:
                for offer in world.offers(node):
                    payload = rest_of(machine, offer.event) | dict(offer.payload)
                    taken = [target for _, target in world.own_steps(node, offer)]
                    if len(taken) > 1 or any(world.broken(to) for to in taken if to):
                        continue
                    context = world.context(node)
                    made = generated.machines[machine.name]
                    if not taken:
                        with pytest.raises(TransitionRefused):
                            made.step(node.state, offer.event, context, payload)
                        refused += 1
                    elif taken[0] is not None:
                        step = made.step(node.state, offer.event, context, payload)
                        assert (step.state, dict(step.context)) == (
                            taken[0].state,
                            world.context(taken[0]),
                        )
                        stepped += 1
    assert stepped > 150
    assert refused > 40


def rest_of(machine: Machine, event: str) -> dict[str, Value]:
    """A value for every field, also for those that no row reads."""
    fields = next(one for one in machine.events if one.name == event).fields
    plain: dict[str, Value] = {"int": 0, "bool": False}
    return {
        one.name: one.type.members[0] if one.type.members else plain[one.type.name]
        for one in fields
    }


COUNTER = """
lifecycle: counter
version: 1
machines:
  m:
    initial: a
    states: {a: {}, b: {}, z: {final: true}}
    context: {x: {type: int, initial: 0}}
    events: {go: {}, leave: {}, end: {}}
    transitions:
      - {from: a, on: go, to: a, set: {x: x + 2}}
      - {from: a, on: leave, to: b, when: x >= 4, partial: true}
      - {from: a, on: end, to: z, when: x == 7, partial: true}
      - {from: b, on: end, to: z, when: x < 8}
    invariants:
      low: {in: b, holds: x <= 9}
"""


def test_what_it_finds_in_a_counter_that_is_worked_out_by_hand() -> None:
    lifecycle = resolved(COUNTER)[0]
    found = truths(lifecycle, Ranges(ints=numbers_near(lifecycle), steps=12))
    assert {one.key: one.length for one in found.values() if one.refuted} == {
        "m.invariant.low": 6,  # five times go, then leave
        "m.row.a.end": None,  # x is even
        "m.gap.b.end": 5,  # four times go, then leave
        "m.deadlock.b": 5,
    }
    assert not found["m.row.a.end"].certain  # steps were left out: x has no end


def test_what_it_leaves_out_it_does_not_call_certain() -> None:
    found = truths(resolved(COUNTER)[0], Ranges(steps=3))
    assert not found["m.gap.b.end"].refuted
    assert not any(one.certain for one in found.values())
