"""Processes that run a job are killed: at every crash point, and at random moments.

No acknowledged result is lost, none is recorded twice, and every job then completes. Others stand
still there, are taken over, and write nothing once they wake up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from milepost import StateManager
from milepost.errors import ArgumentInvalid, ResultAbsent
from milepost.executors import run
from milepost.state.writing import lease as leases
from milepost.testing.deaths import (
    Driver,
    Inline,
    Nursery,
    Trial,
    notices_undone_commits,
    survives_kills,
    survives_random_kills,
    survives_stalls,
)
from milepost.testing.journal import Pages
from tests.crash.conftest import Counted, judges
from tests.crash.work import JOB, Spec, work

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
    said = r"item 'item-000' of job j was finished, and process \d+ called it again"
    with pytest.raises(AssertionError, match=said):
        survives_kills(calls_again, folder, nursery=nursery)


def elsewhere(driver: Driver) -> None:
    """A process that makes its commits by a manager of its own, which nobody watches."""
    with StateManager.open(driver.url) as manager:
        if not manager.job_ids():
            manager.create_job(["a"], job_id=JOB)
        if not manager.get_state(JOB).finished:
            manager.fire(JOB, "cancel", operator=True)


@pytest.mark.parametrize(
    "harness",
    [
        survives_kills,
        survives_stalls,
        partial(survives_random_kills, kills=1, rng=Random(0)),  # noqa: S311  moments, no secrets
        notices_undone_commits,
    ],
)
def test_a_harness_that_sees_no_commit_says_so(
    harness: Callable[..., object], tmp_path: Path, nursery: Nursery
) -> None:
    """Nobody would be killed, and all would be well."""
    with pytest.raises(AssertionError, match=r"must work by driver\.manager or driver\.store"):
        harness(elsewhere, tmp_path, nursery=nursery)


def test_kills_at_random_are_some(tmp_path: Path, nursery: Nursery) -> None:
    rng = Random(0)  # noqa: S311  moments, no secrets
    with pytest.raises(ArgumentInvalid, match="'kills': an integer from 1 on is wanted, not 0"):
        survives_random_kills(partial(work, SMALL), tmp_path, kills=0, rng=rng, nursery=nursery)


def sends_a_mail(driver: Driver, *, recorded: bool) -> None:
    driver.called("mail/send", recorded=recorded)
    work(SMALL, driver)


def test_a_call_that_nothing_records_is_told_of_by_processes(
    tmp_path: Path, nursery: Nursery
) -> None:
    with pytest.raises(AssertionError, match="the call named 'mail/send' is of no item"):
        survives_kills(partial(sends_a_mail, recorded=True), tmp_path, nursery=nursery)
    trial = Trial(
        partial(sends_a_mail, recorded=False), str(tmp_path / "j.db"), tmp_path / "j", nursery
    )
    trial.finish()
    counts = [names for word, *names in Pages(tmp_path / "j").turn() if word == "count"]
    assert counts == [["mail/send", 1]]


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


def fails(item: object) -> int:
    raise LookupError("no such word")


def works_in_vain(driver: Driver) -> None:
    if not driver.manager.job_ids():
        driver.manager.create_job(["or not"], job_id=JOB)
    run(driver.manager, JOB, fails, list, executor=Inline(), workers=1, ahead=0)


def needs_the_result(driver: Driver) -> None:
    works_in_vain(driver)
    driver.manager.result(JOB)


def test_a_process_that_needs_the_result_hides_no_failure(tmp_path: Path, nursery: Nursery) -> None:
    with pytest.raises(AssertionError, match="ResultAbsent: job") as told:
        survives_kills(needs_the_result, tmp_path, nursery=nursery)
    *_, job, item = str(told.value).splitlines()
    assert job.startswith(f"- job {JOB} is in phase failed, from which it can go on:")
    assert item.startswith("  item 'or not', attempt 3: LookupError: no such word, at ")


def asks_for_the_result(manager: StateManager) -> None:
    if manager.job_ids() and manager.get_state(JOB).phase == "failed":
        manager.result(JOB)


def test_a_check_that_raises_hides_nothing_of_what_was_found(
    tmp_path: Path, nursery: Nursery
) -> None:
    """A check that asks for the result raises where there is none; why is told before it."""
    with pytest.raises(AssertionError) as told:
        survives_kills(works_in_vain, tmp_path, check=asks_for_the_result, nursery=nursery)
    first, job, item, *_, checked = str(told.value).splitlines()
    assert first == "after process 1 came to its end:"
    assert job.startswith(f"- job {JOB} is in phase failed, from which it can go on:")
    assert item.startswith("  item 'or not', attempt 3: LookupError: no such word, at ")
    assert checked.startswith(f"- the check raised: ResultAbsent: job {JOB} has given no result")


def test_a_check_that_raises_alone_says_after_what(tmp_path: Path, nursery: Nursery) -> None:
    with pytest.raises(ResultAbsent) as alone:
        survives_kills(works_in_vain, tmp_path, always=asks_for_the_result, nursery=nursery)
    (note,) = alone.value.__notes__
    assert note.startswith("this was the check, after process 1, whose last words were")


@pytest.mark.parametrize("harness", [survives_kills, survives_stalls])
@pytest.mark.parametrize(
    ("point", "meant"),
    [("job recovr", "job recover"), ("items suceed", "items succeed"), ("checkpnt", "checkpoint")],
)
def test_a_crash_point_that_there_is_not_is_refused_before_a_process_begins(
    harness: Callable[..., object], point: str, meant: str, tmp_path: Path, nursery: Nursery
) -> None:
    """It would never be hit, which shows only once all others were."""
    with pytest.raises(ArgumentInvalid, match=rf"'{point}' \(did you mean '{meant}'\?\)"):
        harness(partial(work, SMALL), tmp_path, expected=[point], nursery=nursery)
    assert list(tmp_path.iterdir()) == []


def fails_when_it_takes_over(driver: Driver) -> None:
    if driver.number > 3:
        driver.manager.get_state("nine")
    work(SMALL, driver)


def test_of_a_process_that_fails_it_is_said_which_it_was(tmp_path: Path, nursery: Nursery) -> None:
    """And where those before it were killed, besides its traceback."""
    with pytest.raises(AssertionError, match="JobAbsent") as told:
        survives_kills(fails_when_it_takes_over, tmp_path, nursery=nursery)
    (note,) = told.value.__notes__
    assert note.startswith("this was process ")
    assert "after process 1 was killed before created, process 2 was killed after created" in note


def hangs_when_it_takes_over(driver: Driver) -> None:
    if driver.number > 2:
        driver.manager.job_ids()
        driver.tell("its nap")
        time.sleep(600)
    work(SMALL, driver)


def test_of_a_process_that_hangs_it_is_said_where(tmp_path: Path) -> None:
    """Which it was, what it said last, how long was waited, and at which line it is."""
    impatient = Nursery(tmp_path / "errors.txt", patience_s=3)
    with impatient, pytest.raises(AssertionError) as told:
        survives_kills(hangs_when_it_takes_over, tmp_path, nursery=impatient)
    said = str(told.value)
    assert "nothing was heard of it for 3 s, and the last that it said was 'its nap'" in said
    assert "give `nursery=Nursery(FILE, patience_s=SECONDS)`" in said
    assert "in hangs_when_it_takes_over" in said
    (note,) = told.value.__notes__
    assert note.startswith("this was process 3, after process 1 was killed before created, ")
