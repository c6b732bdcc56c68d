"""Random definitions: the prover misses nothing that runs show, and says nothing false."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from milepost_codegen.prove import check_lifecycle
from tests.prove.against import differences
from tests.prove.brute import truths
from tests.prove.random_definitions import definitions, text_of
from tests.prove.reading import resolved
from tests.prove.world import Ranges, numbers_near

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))
BATCHES = 2
EACH = 18  # twenty times as many batches in a soak, so 720


@pytest.mark.parametrize("batch", range(BATCHES * SOAK))
def test_random_definitions_are_judged_as_their_runs_show(batch: int) -> None:
    said: Counter[str] = Counter()
    for definition in definitions(EACH, seed=batch):
        text = text_of(definition)
        lifecycle, _ = resolved(text)
        numbers = numbers_near(lifecycle, least=-1, most=3)
        found = truths(lifecycle, Ranges(ints=numbers, nodes=600, steps=12))
        report = check_lifecycle(lifecycle)
        assert list(differences(report, found, numbers)) == [], text
        said.update(one.verdict for one in report.results)
    print(f"batch {batch}: {dict(said)}")  # how much stays undetermined
    assert said["proved"] + said["refuted"] > 4 * said["undetermined"]


def test_a_prover_that_says_the_opposite_is_found_out() -> None:
    """The negative control: verdicts of one definition, held against another's runs."""
    caught = 0
    for definition, other in zip(definitions(5, seed=100), definitions(5, seed=200), strict=True):
        report = check_lifecycle(resolved(text_of(definition))[0])
        lifecycle, _ = resolved(text_of(other))
        numbers = numbers_near(lifecycle, least=-1, most=3)
        found = truths(lifecycle, Ranges(ints=numbers, nodes=600, steps=12))
        caught += any(True for _ in differences(report, found, numbers))
    assert caught == 5
