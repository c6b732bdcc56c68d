"""A sample of mutants is noticed, the control is, and the page tells of the last whole run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.mutants.chosen import CONTROL, MODULES
from tests.mutants.page import PAGE, page, reasons, scores
from tests.mutants.running import SAMPLE, UNNOTICED, sampled
from tests.mutants.session import ROOT, every_mutant

OF_EACH = 6


def tried(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.mutants", *arguments],
        cwd=ROOT,
        env={name: each for name, each in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.control("mutants")
def test_the_sample_is_noticed(record_property: Callable[[str, object], None]) -> None:
    """And of the control what is known of it, or nobody knew whether the tool can tell.

    After a change of these modules or tests: make mutants, which chooses anew.
    """
    ended = tried("--sample")
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]
    count = len(sampled())
    assert f"{count} of {count} noticed" in ended.stdout
    record_property("counted", ("mutants", {"sampled": count, "of them noticed": count}))


def test_the_sample_is_of_every_module() -> None:
    modules = [name.partition(":")[0] for name, _ in sampled()]
    assert {module: modules.count(module) for module in MODULES} == dict.fromkeys(MODULES, OF_EACH)
    assert SAMPLE.read_text(encoding="utf-8").count("\n") == OF_EACH * len(MODULES)


def test_mutants_have_names_of_their_own() -> None:
    """Survivors are told by them, also once lines have moved."""
    for module in (*MODULES, CONTROL):
        names = [one.name for one in every_mutant(module)]
        assert len(set(names)) == len(names)
    assert UNNOTICED in names


def test_the_page_tells_of_the_last_run(record_property: Callable[[str, object], None]) -> None:
    """Written by make mutants, from the scores and from the reasons that people gave."""
    assert PAGE.read_text(encoding="utf-8") == page()
    found = scores()
    assert list(found) == list(MODULES)
    named = reasons()
    assert sum(score["survivors"] for score in found.values()) == len(named)
    record_property(
        "counted",
        (
            "mutants, in the last whole run",
            {
                "tried": sum(score["mutants"] for score in found.values()),
                "noticed": sum(score["mutants"] - score["survivors"] for score in found.values()),
            },
        ),
    )
