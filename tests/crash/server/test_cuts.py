"""The connection is lost in every commit of every kind: what a driver is told of it is so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from milepost.state.writing.append import Appender
from tests.crash.power.conftest import Count
from tests.crash.server.playing import Recording, playing
from tests.crash.server.stories import STORIES, ServedStory
from tests.postgres import needs_postgres, new_url

pytestmark = needs_postgres

Recorded = Callable[[str], Recording]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_connection_lost_in_any_commit_loses_nothing(
    story: ServedStory, postgres: str, recorded: Recorded, tmp_path: Path, counted: Count
) -> None:
    recording = recorded(story.name)
    assert not recording.held[-1].problems
    with playing(story, new_url(postgres), tmp_path / "cut") as play:
        outcome = play.lose_each(recording)
    assert outcome.wrong == []
    committing = {s.name for s, n in zip(story.steps, recording.commits[1:], strict=True) if n}
    assert outcome.faults.keys() == committing
    counted("connections lost in a commit", faults=outcome.faults.total(), wrong=0)


@pytest.mark.control("connections lost in a commit")
def test_a_commit_that_is_said_to_have_taken_place_is_looked_for(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: whoever takes every lost commit for done is found out."""
    story = STORIES[0]._replace(steps=STORIES[0].steps[:4])
    with playing(story, new_url(postgres), tmp_path / "recorded") as play:
        recording = play.record()
    monkeypatch.setattr(Appender, "_took_place", lambda *_: True)
    with playing(story, new_url(postgres), tmp_path / "cut") as play:
        outcome = play.lose_each(recording)
    assert any("told None" in what for what in outcome.wrong)
