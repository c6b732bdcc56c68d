"""Runs that the solver finds are the shortest there are, by an exact search through all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milepost_codegen.expressions import evaluate
from milepost_codegen.prove.solve.unroll import exclude_shorter, shortest
from milepost_codegen.prove.system import Configuration, after, enabled
from tests.unit.compiler.solve.systems import (
    CONDITIONS,
    MODES,
    chances,
    condition,
    layers,
    random_system,
    sound,
    taken,
)

if TYPE_CHECKING:
    from milepost_codegen.prove.solve.concrete import Found
    from milepost_codegen.prove.system import System

DEPTH = 4
SEEDS = range(60)


def check_run(system: System, found: Found, *, keep_last: bool) -> Configuration:
    """The end of the run, after every step of it was taken again."""
    at = found.run.start
    for step in found.run.steps:
        assert sound(system, at)
        assert enabled(step.move, at, step.payload)
        at = after(step.move, at, step.payload)
        assert at == step.after
    assert not keep_last or sound(system, at)
    return at


@pytest.mark.parametrize("keep_last", [False, True])
def test_a_run_to_a_bad_configuration_is_the_shortest(keep_last: bool) -> None:
    lengths = []
    for seed in SEEDS:
        chance = chances(seed)
        system = random_system(chance)
        bad = {
            mode: condition(f"not ({chance.choice(CONDITIONS)})")
            for mode in chance.sample(MODES, 2)
        }
        expected = next(
            (
                length
                for length, layer in enumerate(layers(system, DEPTH))
                for at in layer
                if at.mode in bad
                and evaluate(bad[at.mode], at.values, {})
                and (sound(system, at) or not keep_last)
            ),
            None,
        )
        found = shortest(system, bad, at_most=DEPTH, keep_last=keep_last)
        lengths.append(found and len(found.run.steps))
        assert lengths[-1] == expected, seed
        if found is None or expected is None:
            continue
        end = check_run(system, found, keep_last=keep_last)
        assert evaluate(bad[end.mode], end.values, {})
        assert exclude_shorter(system, bad, length=expected, keep_last=keep_last)
        assert not exclude_shorter(system, bad, length=expected + 1, keep_last=keep_last)
        below = shortest(system, bad, at_most=DEPTH, shorter_than=expected, keep_last=keep_last)
        assert below is None
    assert len(set(lengths)) > 3


def test_a_run_that_takes_a_move_is_the_shortest() -> None:
    lengths = []
    for seed in SEEDS:
        chance = chances(seed)
        system = random_system(chance)
        asked = {
            move.name: condition(
                chance.choice((*CONDITIONS, "event.sure" if move.inputs else "on"))
            )
            for move in chance.sample(system.moves, 2)
        }
        expected = next(
            (
                length + 1
                for length, layer in enumerate(layers(system, DEPTH - 1))
                for at in layer
                if sound(system, at)
                for move, payload in taken(system, at)
                if move.name in asked
                and evaluate(asked[move.name], at.values, payload)
                and sound(system, after(move, at, payload))
            ),
            None,
        )
        found = shortest(system, {}, bad_moves=asked, at_most=DEPTH)
        lengths.append(found and len(found.run.steps))
        assert lengths[-1] == expected, seed
        if found is not None:
            check_run(system, found, keep_last=True)
            last = found.run.steps[-1]
            before = found.run.steps[-2].after if len(found.run.steps) > 1 else found.run.start
            assert evaluate(asked[last.move.name], before.values, last.payload)
    assert len(set(lengths)) > 2


def test_a_run_into_a_dead_end_is_the_shortest() -> None:
    lengths = []
    for seed in SEEDS:
        system = random_system(chances(seed))
        leaving = {
            mode: tuple(move for move in system.moves if move.source == mode) for mode in MODES[1:]
        }
        expected = next(
            (
                length
                for length, layer in enumerate(layers(system, DEPTH))
                for at in layer
                if at.mode in leaving and sound(system, at) and not list(taken(system, at))
            ),
            None,
        )
        found = shortest(system, {}, stuck=leaving, at_most=DEPTH)
        lengths.append(found and len(found.run.steps))
        assert lengths[-1] == expected, seed
        if found is not None:
            assert not list(taken(system, check_run(system, found, keep_last=True)))
    assert len(set(lengths)) > 2


def test_a_run_is_the_same_whatever_else_was_asked() -> None:
    """And free entries and payloads are the first ones: the nearest to nothing."""
    for seed in (1, 2, 3, 5, 8):
        system = random_system(chances(seed))
        bad = {mode: condition("x >= 2 or y >= 2") for mode in MODES}
        first = shortest(system, bad, at_most=DEPTH)
        shortest(random_system(chances(seed + 1)), bad, at_most=DEPTH)
        assert shortest(system, bad, at_most=DEPTH) == first
        longer = shortest(system, bad, at_most=DEPTH + 3)
        assert first is None or longer == first


def test_what_is_read_of_a_payload_at_the_end_is_told() -> None:
    system = random_system(chances(0))
    found = shortest(system, {"a": condition("event.by > 5 and event.to != size")}, at_most=0)
    assert found is not None
    assert found.payload == {"by": 6, "to": "middle"}
