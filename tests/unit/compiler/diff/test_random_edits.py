"""Random edits of random definitions: no verdict but `breaking` is refuted by any short run."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import pytest

from milepost_codegen.diff import compare
from tests.unit.compiler.diff.edits import Edited, edited_definitions, refuted

COUNT = 200 * int(os.environ.get("MILEPOST_SOAK", "1"))  # a thousand takes 90 s
MOST = 120  # jobs of each definition that are followed


@pytest.fixture(scope="module")
def pairs() -> list[Edited]:
    """What all are about: most of the time goes into making them."""
    return list(edited_definitions(COUNT, migrations=0.3))


def test_no_run_refutes_a_verdict_but_breaking(pairs: list[Edited]) -> None:
    """Every run of OLD with a few numbers and members is taken alike; needless breaking is told."""
    told: Counter[str] = Counter()
    false: list[str] = []
    for pair in pairs:
        verdict = compare(pair.old, pair.new).verdict
        found = refuted(pair, verdict, most=MOST)
        if found and verdict != "breaking":
            false.append(f"{verdict}, {pair.edit}: {found}\n{pair.texts[0]}\n{pair.texts[1]}")
        told[verdict] += 1
        told["with a migration"] += pair.migrated
        told["needless"] += verdict == "breaking" and not found
    print(f"\n{COUNT} edits: {dict(told)}, {len(false)} false,", end=" ")
    print(f"{told['needless'] / COUNT:.1%} needlessly breaking")
    assert not false, f"{len(false)}: {false[0]}"
    assert min(told["compatible"], told["migrated"], told["breaking"]) > COUNT // 12, told
    assert told["needless"] < COUNT // 10


def test_the_runs_find_what_a_verdict_hides(pairs: list[Edited]) -> None:
    """A control: were every edit called compatible, many would be refuted, of every grave kind."""
    found = Counter(pair.edit for pair in pairs[:200] if refuted(pair, "migrated", most=MOST))
    grave = {"target", "drop_row", "swap_guards", "initial_value", "guard", "change_set"}
    wrong = {"new_variable", "moved_state", "retired", "renamed_event"}
    assert grave | wrong <= set(found), found
    same = next(edited_definitions(1))
    assert refuted(replace(same, new=same.old), "compatible", most=MOST) == ""
