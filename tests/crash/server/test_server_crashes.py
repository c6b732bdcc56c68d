"""The server is shut down at once with a commit of each kind before it, with it and behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.crash.power.conftest import Count
from tests.crash.server.halting import Halted, Kind, When
from tests.crash.server.playing import Recording
from tests.crash.server.stories import STORIES, small_sizes
from tests.postgres import Server, needs_postgres, new_url

pytestmark = needs_postgres

KINDS = [
    Kind("streamed", "create s"),  # what no commit speaks of yet
    Kind("streamed", "create s", 3),
    Kind("a job", "lease"),
    Kind("a job", "record j"),
    Kind("a job", "renew"),
    Kind("a job", "checkpoint"),
    Kind("a job", "group"),
    Kind("upkeep", "compact"),  # which adds to the index
    Kind("upkeep", "fork"),
    Kind("upkeep", "rewind"),
    Kind("upkeep", "collect"),
    Kind("upkeep", "collect", 3),  # what is left of a deleted job
    Kind("repair", "repair first"),
]
if os.environ.get("MILEPOST_SOAK"):
    KINDS += [
        Kind("a job", "create j"),
        Kind("a job", "start_map j"),
        Kind("a job", "checkpoint", 2),
        Kind("a job", "add"),
        Kind("a job", "give back"),
        Kind("a job", "finish_reduce k"),
        Kind("upkeep", "keep"),
    ]
Recorded = Callable[[str], Recording]


def crash(server: Server, lives: Sequence[Halted], when: When) -> list[str]:
    """What is wrong after a crash while the commits of all `lives` were under way."""
    for life in lives:
        life.begin(when)
    if when == "amid":
        for life in lives:
            life.gate.go.set()
    server.crash()
    server.begin()
    for life in lives:
        life.gate.go.set()
    return [what for life in lives for what in life.end(when)]


def test_a_server_that_is_crashed_at_any_kind_of_commit_loses_nothing(
    crashing: Server, recorded: Recorded, tmp_path: Path, counted: Count
) -> None:
    """What was on its way is there or not, what was done is; each driver goes on afterwards.

    Last comes the control: a driver whose commits need not be written is told that one took place,
    and it did not.
    """
    stories = {story.name: story for story in STORIES}
    crashed: dict[str, int] = {}
    with ExitStack() as opened, small_sizes():

        def life(number: int, kind: Kind, **options: str) -> Halted:
            folder = tmp_path / f"{number}"
            folder.mkdir()
            made = Halted(
                kind,
                stories[kind.story],
                recorded(kind.story),
                (new_url(crashing.url), folder),
                **options,  # type: ignore[arg-type]
            )
            opened.callback(made.play.close)
            return made

        lives = [life(number, kind) for number, kind in enumerate(KINDS)]
        for when in ("before", "after", "amid"):
            lives = [one for one in lives if one.on_to_a_commit()]
            assert crash(crashing, lives, when) == []
            crashed[when] = len(lives)
        careless = life(len(KINDS), Kind("a job", "record j"), durability="process")
        told = crash(crashing, [careless], "after")
        assert any("it was acknowledged and is not there" in what for what in told), told
    counted("commits under way when a server was crashed", about=True, **crashed)
    counted("commits under way when a server was crashed", wrong=0)
