"""What is counted here is said as it is of files; each story is recorded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from milepost.log import spans
from milepost.state.keeping import spanning
from milepost.state.writing import staging
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


@pytest.fixture(autouse=True)
def sizes_are_put_back() -> Iterator[None]:
    """Stories in several threads make sizes small at once; the last may put a small one back."""
    before = spans.SPAN, spanning.SPAN, staging._BATCH_BYTES
    yield
    spans.SPAN, spanning.SPAN, staging._BATCH_BYTES = before
