"""The prover says the truth of every definition of the corpus, with the shortest runs."""

from __future__ import annotations

import pytest

from milepost_codegen.prove import check_lifecycle
from tests.prove.reading import resolved
from tests.prove.test_corpus import TRUTH, text_of


@pytest.mark.parametrize("name", TRUTH)
def test_the_prover_says_the_truth(name: str) -> None:
    report = check_lifecycle(resolved(text_of(name))[0])
    refuted = {
        one.obligation.key: len(one.run.steps) if one.run else None
        for one in report.results
        if one.verdict == "refuted"
    }
    assert refuted == TRUTH[name]["refuted"]
    assert [one.obligation.key for one in report.results if one.verdict == "undetermined"] == []
    assert all(one.shortest for one in report.results if one.obligation.kind != "progress")


@pytest.mark.parametrize("name", TRUTH)
def test_without_a_solver_nothing_false_is_said(name: str) -> None:
    report = check_lifecycle(resolved(text_of(name))[0], solver=False)
    assert report.solver == ""
    truth = TRUTH[name]["refuted"]
    for one in report.results:
        if one.verdict == "refuted":
            assert one.obligation.key in truth
        if one.verdict == "proved":
            assert one.obligation.key not in truth
