"""Lemmas are inductive, enough, and in the language; where a run ends badly, there are none."""

from __future__ import annotations

from milepost_codegen.expressions import BOOL, evaluate, read_expression, to_text
from milepost_codegen.prove.solve.induct import Prover
from milepost_codegen.prove.solve.lemmas import lemmas
from milepost_codegen.prove.solve.unroll import shortest
from tests.unit.compiler.solve.systems import (
    CONDITIONS,
    MODES,
    SCOPE,
    chances,
    condition,
    layers,
    random_system,
    sound,
)


def test_lemmas_prove_what_no_run_breaks() -> None:
    """Wherever Spacer says that the bad end is reached, a run of a few steps reaches it."""
    proved = reached = 0
    for seed in range(30):
        chance = chances(seed)
        system = random_system(chance)
        bad = {
            mode: condition(f"not ({chance.choice(CONDITIONS)})")
            for mode in chance.sample(MODES, 2)
        }
        found = lemmas(system, bad)
        run = shortest(system, bad, at_most=6)
        if found is None:
            reached += 1
            assert run is not None, seed
            continue
        proved += 1
        assert run is None, seed
        prover = Prover(system)
        assert prover.inductive(found) == found
        for mode, ended in bad.items():
            assert (
                prover.valid(mode, found.get(mode, ()), condition(f"not ({to_text(ended)})"))
                is None
            )
        for layer in layers(system, 3):
            for at in layer:
                if sound(system, at):
                    assert all(evaluate(one, at.values, {}) for one in found.get(at.mode, ()))
        for one in (each for several in found.values() for each in several):
            assert read_expression(to_text(one), BOOL, SCOPE) == one
    assert proved > 8
    assert reached > 8
