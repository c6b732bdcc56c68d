"""Every call to the operating system fails, each in its turn: what was said to the caller is so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from milepost.stores.sqlite import outcome as sqlite_outcome
from milepost.testing.power.faults import KINDS, Kind
from tests.crash.power.conftest import Count
from tests.crash.power.cuts import record
from tests.crash.power.judge import Judge
from tests.crash.power.stories import A_JOB, STORIES, Story
from tests.crash.power.sweep import Outcome, calls_of, sweep

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
EVERY = 1 if SOAK else 31
"""Every so manieth call fails in a playing of its own."""


def swept(story: Story, place: Path, kind: Kind, *, lasting: bool, every: int = EVERY) -> Outcome:
    recording = record(story, place / "recorded")
    calls = calls_of(story, place / "undisturbed", recording, kind)
    first = 1 + len(story.name) % every  # another one in each story
    at = range(first, calls + 1, every)
    judge = Judge(place / "judged")
    return sweep(story, place / "trial", recording, judge, at, kind=kind, lasting=lasting)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_what_is_said_after_an_io_error_is_so(
    story: Story, kind: Kind, lasting: bool, place: Path, counted: Count
) -> None:
    """Errors are ours; what was acknowledged is there, what was refused is not; it goes on after.

    Whether it is there is asked of the files as a crash at that moment would leave them.
    """
    outcome = swept(story, place, kind, lasting=lasting)
    assert outcome.wrong == []
    assert outcome.faults
    counted(
        "I/O errors",
        faults=outcome.faults,
        passed_over=outcome.unnoticed,
        refusals=outcome.told.total(),
        of_unknown_outcome=outcome.told["commit-unknown"],
        wrong=len(outcome.wrong),
    )


@pytest.mark.control("I/O errors")
def test_a_commit_that_comes_back_after_a_crash_is_found(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: what could not be synced is left in the log, and called not written."""
    monkeypatch.setattr(sqlite_outcome, "_overwritten", lambda connection: True)
    outcome = swept(A_JOB, place, "io", lasting=False, every=3)
    assert any("it stands at commit" in what for what in outcome.wrong)
