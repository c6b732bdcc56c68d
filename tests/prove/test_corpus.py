"""Small definitions with their truth, which is found by two routes that share no code.

`corpus/truth.json` has, by name, the exit code of a check and every obligation that is refuted,
with the length of the shortest run that shows it (null where no run can: a dead row, say). All
other obligations are proved.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.prove.brute import truths
from tests.prove.reading import resolved
from tests.prove.world import Ranges, numbers_near

CORPUS = Path(__file__).parent / "corpus"
TRUTH: dict[str, dict[str, Any]] = json.loads((CORPUS / "truth.json").read_text(encoding="utf-8"))


def text_of(name: str) -> str:
    return (CORPUS / f"{name}.yaml").read_text(encoding="utf-8")


def test_every_definition_has_its_truth() -> None:
    assert {path.stem for path in CORPUS.glob("*.yaml")} == set(TRUTH)
    assert len(TRUTH) >= 60
    for name, truth in TRUTH.items():
        assert truth["exit"] == (1 if truth["refuted"] else 0), name


def test_every_kind_of_obligation_has_a_refuted_case() -> None:
    kinds = {key.split(".")[1] for truth in TRUTH.values() for key in truth["refuted"]}
    assert kinds == {
        "parameters",
        "invariant",
        "deterministic",
        "row",
        "guard",
        "gap",
        "deadlock",
        "members",
        "bounded",
        "progress",
    }


@pytest.mark.parametrize("name", TRUTH)
def test_every_run_shows_the_truth(name: str) -> None:
    lifecycle, _ = resolved(text_of(name))
    truth = TRUTH[name]
    ranges = Ranges(
        ints=numbers_near(lifecycle), members=truth.get("members", 2), nodes=3000, steps=40
    )
    found = truths(lifecycle, ranges)
    assert {key: one.length for key, one in found.items() if one.refuted} == truth["refuted"]
