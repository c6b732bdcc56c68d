"""A folder that was renamed is the job that it was; two that hold the same are two, and said so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from milepost import JobAbsent, JobImport, StateManager
from milepost.testing import FakeClock
from tests.integration.legacy.curator.folders import (
    JOB,
    NOW_US,
    answer,
    codes,
    opened,
    request,
    write,
)
from tests.integrity.test_repair import damage

REQUESTS = [request(row) for row in range(3)]


def imports(manager: StateManager, home: Path, *, apply: bool = True) -> Sequence[JobImport]:
    return manager.upkeep.import_jobs(home, tool="curator", apply=apply).jobs


@pytest.mark.parametrize("answers", [[], [answer(0, "a")]], ids=["untimed", "timed"])
def test_a_renamed_folder_is_found_by_what_it_holds(tmp_path: Path, answers: list[object]) -> None:
    """Also where no file says when; and there is no second job that asks again."""
    folder = write(tmp_path, REQUESTS, answers)
    with opened() as manager:
        imports(manager, tmp_path)
        renamed = folder.rename(tmp_path / "renamed")
        for home, apply in ((tmp_path, True), (tmp_path, False), (renamed, True)):
            [job] = imports(manager, home, apply=apply)
            assert (job.outcome, job.job_id, job.old_id) == ("already-imported", JOB, "renamed")
            assert codes(job) == {"job-known"}
            assert manager.job_ids() == [JOB]
        write(tmp_path, REQUESTS, [*answers, answer(2, "more")], job="renamed")
        [job] = imports(manager, tmp_path)
        assert (job.outcome, job.job_id) == ("imported", "renamed")  # it holds something else


def test_two_folders_that_hold_the_same_are_two_jobs_and_said_to_be(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write(tmp_path, REQUESTS, [answer(0, "a")], job=name)
    with opened() as manager:
        first, *others = imports(manager, tmp_path)
        assert codes(first) == set()
        for job in others:
            assert (job.outcome, codes(job)) == ("imported", {"job-known"})
        assert len(manager.job_ids()) == 3
        assert {job.outcome for job in imports(manager, tmp_path)} == {"already-imported"}


def test_who_asks_for_the_new_name_is_told_the_old_one(tmp_path: Path) -> None:
    folder = write(tmp_path, REQUESTS, [answer(0, "a")])
    with opened(legacy=tmp_path) as manager:
        manager.get_state(JOB)
        folder.rename(tmp_path / "renamed")
        with pytest.raises(JobAbsent, match=f"is here as '{JOB}'"):
            manager.get_state("renamed")


def test_jobs_of_others_and_damaged_ones_are_passed_over(tmp_path: Path) -> None:
    """What cannot be read tells nothing of where it is from, and stands in nobody's way."""
    home, database = tmp_path / "home", tmp_path / "jobs.db"
    folder = write(home, REQUESTS)
    with StateManager.open(database, clock=FakeClock(NOW_US)) as manager:
        manager.create_job([1, 2], job_id="ours")
        imports(manager, home)
    damage(database, "UPDATE commits SET head = x'00'")
    folder.rename(home / "renamed")
    with StateManager.open(database, clock=FakeClock(NOW_US)) as manager:
        [job] = imports(manager, home)
        assert (job.outcome, codes(job)) == ("imported", set())
