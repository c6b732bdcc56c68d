"""The power is cut while the real store works: what was acknowledged is in every image, once."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from milepost.stores.sqlite import store as sqlite
from milepost.testing.power.images import images
from milepost.testing.power.medium import Mark, Medium
from tests.crash.power.conftest import Count
from tests.crash.power.cuts import Recording, Verdict, cut, record
from tests.crash.power.judge import Judge
from tests.crash.power.stories import A_JOB, STORIES, Story, taken_up

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
SHARE = 1.0 if SOAK else 0.04


def cut_at(recording: Recording, judge: Judge, share: float, **options: bool) -> Verdict:
    """The verdict on a recording, by a seed of its own."""
    rng = random.Random(recording.story)  # noqa: S311 positions are drawn, not secrets
    return cut(recording, judge, rng, share=share, **options)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_what_was_acknowledged_survives_a_power_cut(
    story: Story, place: Path, counted: Count
) -> None:
    """At every position, whatever of what was not synced the disk has."""
    recording = record(story, place / "recorded")
    verdict = cut_at(recording, Judge(place / "judged"), SHARE)
    assert verdict.lost == [], verdict.least()
    assert verdict.positions > len(story.steps)
    counted(
        "power cuts",
        positions=verdict.positions,
        images=verdict.images,
        lost=len(verdict.lost),
    )
    counted("power cuts", about=True, distinct_images=verdict.distinct)


def test_a_store_can_be_opened_wherever_its_making_was_cut(place: Path) -> None:
    """Every image of every position until the first job is there: no sample, it is made once."""
    recording = record(A_JOB, place / "recorded")
    made = recording.operations.index(Mark(1))
    verdict = cut(recording.until(made), Judge(place / "judged"), random.Random(1), draws=1)  # noqa: S311
    assert verdict.positions == made + 1
    assert verdict.lost == [], verdict.least()


def test_a_second_cut_while_what_the_first_left_is_taken_up(place: Path, counted: Count) -> None:
    """Some images of the first, and of the second all positions: recovery is a story as well."""
    rng = random.Random(2)  # noqa: S311 images are drawn, not secrets
    recording = record(A_JOB, place / "recorded")
    medium = Medium(recording.before)
    left = []
    for operation in recording.operations:
        medium.do(operation)
        left += [rng.choice(list(images(medium, rng, 4))).files]
    total = Verdict()
    for number, files in enumerate(rng.sample(left, 12 if SOAK else 2)):
        again = record(taken_up(files), place / f"again-{number}")
        total.add(cut(again, Judge(place / "judged"), rng, draws=2, share=1.0 if SOAK else 0.1))
    assert total.lost == [], total.least()
    counted("second power cuts", positions=total.positions, images=total.images, lost=0)


@pytest.mark.control("power cuts")
def test_with_process_durability_the_newest_is_lost_and_nothing_is_damaged(
    place: Path, counted: Count
) -> None:
    """What a cut leaves is the store as it was at some moment; a cut is not what it is for."""
    recording = record(A_JOB, place / "recorded", durability="process")
    judge = Judge(place / "judged")
    verdict = cut_at(recording, judge, SHARE / 2, promised=False)
    assert verdict.lost == [], verdict.least()
    assert cut_at(recording, judge, SHARE / 2).lost
    counted("power cuts with durability process", images=verdict.images, damaged=0)


def first_third_cut(place: Path, *, lies: bool = False) -> Verdict:
    recording = record(A_JOB, place / "recorded", lies=lies)
    third = recording.operations.index(Mark(len(A_JOB.steps) // 3))
    return cut_at(recording.until(third), Judge(place / "judged"), SHARE / 2)


@pytest.mark.control("power cuts")
def test_a_store_that_does_not_sync_is_found_out(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: synchronous OFF in the place of FULL."""
    monkeypatch.setitem(sqlite._SYNCHRONOUS, "full", ("OFF", 0))
    verdict = first_third_cut(place)
    assert any("acknowledged and is not there" in what for what in verdict.lost)
    assert len(verdict.least()) == 1


@pytest.mark.control("power cuts")
def test_a_disk_that_lies_is_found_out(place: Path) -> None:
    """The other one: the store syncs, and the disk only says that it did."""
    verdict = first_third_cut(place, lies=True)
    assert any("acknowledged and is not there" in what for what in verdict.lost)
