"""Processes that run a job are killed: at every crash point, and at random moments.

No acknowledged result is lost, none is recorded twice, and every job then completes. Others stand
still there, are taken over, and write nothing once they wake up.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from random import Random

import pytest

from milepost.state.writing import lease as leases
from milepost.testing.deaths import (
    Driver,
    Nursery,
    notices_undone_commits,
    survives_kills,
    survives_random_kills,
    survives_stalls,
)
from tests.crash.conftest import Counted, judges
from tests.crash.work import Spec, work

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))
KILLS = {"threads": 60, "coroutines": 20, "processes": 10, "expires": 30}
SMALL = Spec(items=4, spin=10)
POOLS = ["threads", "coroutines", "processes"]

PARTS = {
    "taking the job up": ("created", "lease", "job recover"),
    "map": ("job start_map", "items start", "items succeed"),
    "checkpoint": ("checkpoint",),
    "ending": ("job finish_map", "job finish_reduce", "released"),
}
"""What a process at work can be about, by the part of a run that it belongs to."""


@pytest.mark.parametrize("pool", POOLS)
def test_a_kill_at_every_crash_point_loses_nothing(
    pool: str, tmp_path: Path, nursery: Nursery, deaths: Counted
) -> None:
    spec = SMALL._replace(pool=pool)
    killed = survives_kills(
        partial(work, spec), tmp_path, expected=["job recover"], nursery=nursery, **judges(spec)
    )
    known = {f"{when} {p}" for of in PARTS.values() for p in of for when in ("before", "after")}
    assert set(killed.existing) == known
    deaths("kills at crash points", killed)


@pytest.mark.parametrize("pool", POOLS if SOAK > 1 else POOLS[:2])
def test_a_stall_at_every_crash_point_spoils_nothing(
    pool: str, tmp_path: Path, nursery: Nursery, deaths: Counted
) -> None:
    spec = SMALL._replace(pool=pool)
    stalled = survives_stalls(
        partial(work, spec), tmp_path, expected=["job recover"], nursery=nursery, **judges(spec)
    )
    deaths("stalls at crash points", stalled)


@pytest.mark.parametrize("kind", KILLS)
def test_kills_at_random_lose_nothing(
    kind: str, tmp_path: Path, nursery: Nursery, deaths: Counted
) -> None:
    """With more to do, so that a kill finds most processes in its midst."""
    spec = Spec(items=100)
    spec = spec._replace(expires=True) if kind == "expires" else spec._replace(pool=kind)
    kills = KILLS[kind] * SOAK
    rng = Random(kind)  # noqa: S311  seeded: moments are drawn, not secrets
    killed = survives_random_kills(
        partial(work, spec), tmp_path, kills=kills, rng=rng, nursery=nursery, **judges(spec)
    )
    assert killed.ended == kills
    deaths("kills at random", killed)


@pytest.mark.control("kills at crash points")
@pytest.mark.control("kills at random")
def test_a_store_that_loses_what_it_acknowledged_is_found_out(
    tmp_path: Path, nursery: Nursery
) -> None:
    """The control: of commits of every kind."""
    undone = notices_undone_commits(partial(work, SMALL), tmp_path, nursery=nursery)
    assert {"undone items start", "undone items succeed", "undone lease"} <= undone.hit.keys()


def calls_again(driver: Driver) -> str | None:
    if driver.number > 1:
        driver.called("item-000")
    return work(SMALL, driver)


@pytest.mark.control("kills at crash points")
def test_a_process_that_calls_for_what_was_finished_is_found_out(
    tmp_path: Path, nursery: Nursery
) -> None:
    """The control of the other promise. The folder is made."""
    folder = tmp_path / "not" / "there"
    with pytest.raises(AssertionError, match=r"item-000 was finished when process .* called it"):
        survives_kills(calls_again, folder, nursery=nursery)


def without_a_fence(driver: Driver) -> str | None:
    leases._is_current = lambda *_: True  # type: ignore[assignment]  in this process alone
    return work(SMALL, driver)


@pytest.mark.control("stalls at crash points")
def test_a_process_without_a_fence_is_found_out(tmp_path: Path, nursery: Nursery) -> None:
    """The control of stalls: what wakes up writes on."""
    with pytest.raises(
        AssertionError, match=r"which process .* asked for .* had taken the job from it"
    ):
        survives_stalls(without_a_fence, tmp_path, nursery=nursery)


@pytest.mark.control("stalls at crash points")
def test_a_crash_point_that_is_never_hit_is_named(tmp_path: Path, nursery: Nursery) -> None:
    with pytest.raises(AssertionError, match="never hit: after job cancel"):
        survives_stalls(partial(work, SMALL), tmp_path, expected=["job cancel"], nursery=nursery)
