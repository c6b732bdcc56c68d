"""The power is cut while the real store works: what was acknowledged is in every image, once."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from milepost.stores import sqlite
from tests.crash.power.conftest import Count
from tests.crash.power.cuts import Verdict, cut, record
from tests.crash.power.judge import Judge
from tests.crash.power.medium import Mark
from tests.crash.power.stories import A_JOB, STORIES, Story

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
SHARE = 1.0 if SOAK else 0.04


def cut_at(story: Story, place: Path, share: float = SHARE, **options: object) -> Verdict:
    """The verdict on a story, recorded anew, by a seed of its own."""
    promised = bool(options.pop("promised", True))
    recording = record(story, place / "recorded", **options)  # type: ignore[arg-type]
    rng = random.Random(story.name)  # noqa: S311 positions are drawn, not secrets
    return cut(recording, Judge(place / "judged"), rng, share=share, promised=promised)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_what_was_acknowledged_survives_a_power_cut(
    story: Story, place: Path, counted: Count
) -> None:
    """At every position, whatever of what was not synced the disk has."""
    verdict = cut_at(story, place)
    assert verdict.lost == []
    assert verdict.positions > len(story.steps)
    counted(
        "power cuts",
        positions=verdict.positions,
        images=verdict.images,
        distinct_ones=verdict.distinct,
        lost=len(verdict.lost),
    )


def test_a_store_can_be_opened_wherever_its_making_was_cut(place: Path) -> None:
    """Every image of every position until the first job is there: no sample, it is made once."""
    recording = record(A_JOB, place / "recorded")
    made = recording.operations.index(Mark(1))
    verdict = cut(recording.until(made), Judge(place / "judged"), random.Random(1))  # noqa: S311
    assert verdict.positions == made + 1
    assert verdict.lost == []


def test_with_process_durability_the_newest_is_lost_and_nothing_is_damaged(
    place: Path, counted: Count
) -> None:
    """What a cut leaves is the store as it was at some moment; a cut is not what it is for."""
    share = SHARE / 2
    verdict = cut_at(A_JOB, place / "any", share, durability="process", promised=False)
    assert verdict.lost == []
    lost = cut_at(A_JOB, place / "newest", share, durability="process").lost
    assert lost
    counted("power cuts with durability process", images=verdict.images, damaged=0)


def test_a_store_that_does_not_sync_is_found_out(
    place: Path, monkeypatch: pytest.MonkeyPatch, counted: Count
) -> None:
    """The negative control: synchronous OFF in the place of FULL."""
    monkeypatch.setitem(sqlite._SYNCHRONOUS, "full", ("OFF", 0))
    verdict = cut_at(A_JOB, place, share=0.03)
    assert any("acknowledged and is not there" in what for what in verdict.lost)
    counted("control: synchronous OFF", images=verdict.images, complaints=len(verdict.lost))


def test_a_disk_that_lies_is_found_out(place: Path, counted: Count) -> None:
    """The other one: the store syncs, and the disk only says that it did."""
    verdict = cut_at(A_JOB, place, share=0.03, lies=True)
    assert any("acknowledged and is not there" in what for what in verdict.lost)
    counted("control: a disk that lies", images=verdict.images, complaints=len(verdict.lost))
