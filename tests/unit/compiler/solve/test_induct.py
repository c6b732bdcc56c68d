"""What is said to be kept is kept by every run, and nothing that could be kept is left out."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from milepost_codegen.expressions import evaluate
from milepost_codegen.prove.solve.induct import Prover, inductive
from milepost_codegen.prove.system import Configuration, after, enabled
from tests.unit.compiler.solve.systems import (
    CONDITIONS,
    MODES,
    SIZE,
    chances,
    condition,
    layers,
    payloads,
    random_system,
    sound,
    starts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.system import Move, System

SEEDS = range(40)
BOX = range(-1, 4)
CANDIDATES = tuple(
    condition(text) for text in (*CONDITIONS, "x >= 0", "y >= 0", "x >= y", "x <= most")
)


def holds(tree: Expression, at: Configuration) -> bool:
    return bool(evaluate(tree, at.values, {}))


def candidates_of(seed: int) -> dict[str, tuple[Expression, ...]]:
    chance = chances(1000 + seed)
    return {mode: tuple(chance.sample(CANDIDATES, 8)) for mode in MODES}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_kept_holds_in_every_configuration_of_every_run(seed: int) -> None:
    system = random_system(chances(seed))
    kept = inductive(system, candidates_of(seed))
    for layer in layers(system, 3):
        for at in layer:
            if sound(system, at):
                assert all(holds(one, at) for one in kept[at.mode])


def steps_in_a_box(system: System) -> dict[str, list[tuple[Configuration, Configuration]]]:
    """The steps by each move from all small configurations, invariants kept at both ends.

    What no move sets is what it was at the start.
    """
    cases = itertools.product(BOX, BOX, (False, True), SIZE.members, range(3))
    names = [entry.name for entry in system.entries]
    moved = {one.name for move in system.moves for one in move.sets}
    fixed = {one.name: one.initial for one in system.entries if one.name not in moved}
    small = [
        values
        for case in cases
        for values in [dict(zip(names, case, strict=True))]
        if all(first in (None, values[name]) for name, first in fixed.items())
    ]
    found: dict[str, list[tuple[Configuration, Configuration]]] = {}
    for move in system.moves:
        found[move.name] = [
            (at, later)
            for values in small
            for at in [Configuration(mode=move.source, values=values)]
            if sound(system, at)
            for payload in payloads(move)
            if enabled(move, at, payload)
            for later in [after(move, at, payload)]
            if sound(system, later)
        ]
    return found


def kept_in_a_box(
    system: System, candidates: Mapping[str, Sequence[Expression]]
) -> dict[str, tuple[Expression, ...]]:
    """The largest part of `candidates` that no small step breaks."""
    alive = {mode: list(found) for mode, found in candidates.items()}
    alive["a"] = [
        one
        for one in alive["a"]
        if all(holds(one, at) for at in starts(system) if sound(system, at))
    ]
    steps = steps_in_a_box(system)
    moves: list[Move] = list(system.moves)
    while True:
        count = sum(map(len, alive.values()))
        for move in moves:
            ends = [
                later
                for at, later in steps[move.name]
                if all(holds(one, at) for one in alive[move.source])
            ]
            alive[move.target] = [
                one for one in alive[move.target] if all(holds(one, at) for at in ends)
            ]
        if count == sum(map(len, alive.values())):
            return {mode: tuple(found) for mode, found in alive.items()}


def test_nothing_that_is_kept_is_left_out() -> None:
    """Small steps break all that any step breaks, but for what takes larger values."""
    missing = extra = same = 0
    for seed in range(5):
        system = random_system(chances(seed))
        candidates = candidates_of(seed)
        kept, small = inductive(system, candidates), kept_in_a_box(system, candidates)
        for mode in MODES:
            missing += len(set(kept[mode]) - set(small[mode]))
            extra += len(set(small[mode]) - set(kept[mode]))
            same += len(set(kept[mode]) & set(small[mode]))
    assert missing == 0
    assert extra <= same // 20
    assert same > 20


@pytest.mark.parametrize("seed", SEEDS)
def test_a_counterexample_is_one(seed: int) -> None:
    """And what is said to be kept by a move is broken by no small step of it."""
    system = random_system(chances(seed))
    prover = Prover(system)
    steps = steps_in_a_box(system) if seed < 2 else {}
    answers = set()
    for move in system.moves:
        claim, premise = chances(seed).sample(CANDIDATES, 2)
        broken = prover.kept(move, (premise,), claim)
        answers.add(broken is None)
        if broken is None:
            ends = [later for at, later in steps.get(move.name, ()) if holds(premise, at)]
            assert all(holds(claim, at) for at in ends)
            continue
        assert sound(system, broken.before)
        assert holds(premise, broken.before)
        assert enabled(move, broken.before, broken.step.payload)
        assert broken.step.after == after(move, broken.before, broken.step.payload)
        assert not holds(claim, broken.step.after)
        assert sound(system, broken.step.after)
    assert answers


def test_a_declared_invariant_is_judged_without_itself() -> None:
    """Enforced at the target it would hold by being declared."""
    for seed in SEEDS:
        system = random_system(chances(seed))
        prover = Prover(system)
        for move in system.moves:
            for claim in system.invariants.get(move.target, {}).values():
                assert prover.kept(move, (), claim) is None
                broken = prover.kept(move, (), claim, enforced=False)
                if broken is not None:
                    assert not holds(claim, broken.step.after)
                    return
    raise AssertionError("no invariant of any system is broken")


def test_a_claim_in_one_mode() -> None:
    system = random_system(chances(0))
    prover = Prover(system)
    on, few = condition("x >= 2"), condition("x == most")
    assert prover.valid("b", (on, few), condition("most == 2")) is None
    assert prover.valid("b", (few,), condition("0 <= x and x <= 2")) is None
    found = prover.valid("b", (few,), condition("x + event.by < 12 or event.sure"))
    assert found is not None
    assert found.at.values == {"x": 0, "y": 0, "on": False, "size": "small", "most": 0}
    assert found.payload == {"by": 12, "sure": False}


def test_the_premises_that_are_needed() -> None:
    system = random_system(chances(0))
    prover = Prover(system)
    one, other, same = condition("x >= 2"), condition("x == most"), condition("most <= x")
    claim = condition("most == 2")
    idle = condition("y == 1")
    assert prover.enough("b", (one, idle, other, same), claim) == (one, other)
    assert prover.enough("b", (idle, same, one, other), claim) == (one, other)
    assert prover.enough("b", (idle, other), claim) is None
    assert prover.enough("b", (idle,), condition("x == x")) == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_supports_a_claim_is_inductive_by_itself(seed: int) -> None:
    """And leaves nothing out that was asked for."""
    system = random_system(chances(seed))
    prover = Prover(system)
    kept = prover.inductive(candidates_of(seed))
    wanted = {mode: found[-1:] for mode, found in kept.items() if found}
    support = prover.support(kept, wanted)
    assert prover.inductive(support) == support
    for mode, found in wanted.items():
        assert set(found) <= set(support[mode])


def test_something_is_left_out_of_a_support() -> None:
    sizes = []
    for seed in SEEDS:
        prover = Prover(random_system(chances(seed)))
        kept = prover.inductive(candidates_of(seed))
        wanted = {mode: found[-1:] for mode, found in kept.items() if found}
        support = prover.support(kept, wanted)
        sizes.append((sum(map(len, support.values())), sum(map(len, kept.values()))))
    assert sum(few for few, _ in sizes) < sum(all_of for _, all_of in sizes) // 2
