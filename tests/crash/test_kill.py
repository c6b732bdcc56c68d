"""Killing a process that runs a job at 200 random moments loses no acknowledged result, records
none twice, and every job then completes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from milepost.errors import LogCorrupt
from tests.crash.trial import PARTS, Trial

KILLS = 200 * int(os.environ.get("MILEPOST_SOAK", "1"))
KILLS_OF_A_JOB = 20


def test_200_kills_lose_nothing_and_repeat_nothing(
    trials: Callable[..., Trial], record_property: Callable[[str, object], None]
) -> None:
    doing: Counter[str] = Counter()
    tries = 0
    jobs = 0
    while doing.total() < KILLS:
        options = {"pool": "processes"} if jobs % 8 == 7 else {"expires": jobs % 4 == 2}
        trial = trials(**options)
        trial.kill_children(min(KILLS_OF_A_JOB, KILLS - doing.total()))
        trial.finish()
        doing += trial.doing
        tries += trial.tries
        jobs += 1
    spread = {part: sum(doing[moment] for moment in moments) for part, moments in PARTS.items()}
    print(f"{doing.total()} of {tries} children were killed at work, in {jobs} jobs: {doing}")
    record_property("kills", dict(doing))
    assert doing.total() == KILLS
    assert tries < KILLS * 1.5, "most kills are to hit a child at work"
    assert min(spread.values()) >= KILLS // 20, f"some part of a run was hardly hit: {spread}"


def test_a_manager_that_acknowledges_before_it_commits_is_found_out(
    trials: Callable[..., Trial],
) -> None:
    with pytest.raises(AssertionError, match=r"acknowledged, and not in the log|after it was"):
        _kill_until_it_shows(trials, acknowledges_early=True)


def test_a_store_that_drops_its_last_commit_is_found_out(trials: Callable[..., Trial]) -> None:
    # The first one, too, and one of which there is a checkpoint.
    dropped = "acknowledged, and not in the log|commit 1: it is missing|is not of this log"
    with pytest.raises((AssertionError, LogCorrupt), match=dropped):
        _kill_until_it_shows(trials, drops_commits=True)


def _kill_until_it_shows(trials: Callable[..., Trial], **fault: bool) -> None:
    """As above, until the fault is found: a few kills as a rule, some hundred on a busy machine."""
    kills = 0
    while kills < 3 * KILLS:
        trial = trials(**fault)
        trial.kill_children(KILLS_OF_A_JOB)
        kills += trial.kills
