"""What is counted here is said as it is of files; each story is recorded once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.crash.power.conftest import counted
from tests.crash.server.playing import Recording, playing
from tests.crash.server.stories import STORIES
from tests.postgres import new_url

__all__ = ["counted"]


@pytest.fixture(scope="session")
def recorded(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Recording]:
    """What a story comes to with nothing lost, by its name."""
    stories = {story.name: story for story in STORIES}

    @cache
    def recording(name: str) -> Recording:
        folder: Path = tmp_path_factory.mktemp("recorded") / "proxy"
        with playing(stories[name], new_url(postgres), folder) as play:
            return play.record()

    return recording
