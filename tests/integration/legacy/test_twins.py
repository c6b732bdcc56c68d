"""A folder that was renamed is the job that it was; two that hold the same are two, and said so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from milepost import ImportConflict, JobAbsent, JobImport, StateManager
from milepost.state.persistence import open_store
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


REFUSED = answer(1, None, ["refused"])


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


@pytest.mark.parametrize(
    "then",
    [[answer(0, "a"), REFUSED, answer(2, "c")], [answer(0, "a"), answer(1, "b")]],
    ids=["more", "asked again"],
)
def test_one_that_went_on_under_another_name_is_found_by_its_answers(
    tmp_path: Path, then: list[object]
) -> None:
    """It is left as it is, as under its own name; and where both are there, both are jobs."""
    folder = write(tmp_path, REQUESTS, [answer(0, "a"), REFUSED])
    with opened(legacy=tmp_path) as manager:
        imports(manager, tmp_path)
        was = manager.get_state(JOB)
        folder.rename(tmp_path / "renamed")
        write(tmp_path, REQUESTS, then, job="renamed")
        for apply in (False, True):
            [job] = imports(manager, tmp_path, apply=apply)
            assert job.outcome == "conflict"
            assert isinstance(job.error, ImportConflict)
            assert job.error.job_id == JOB
        with pytest.raises(ImportConflict, match=JOB):
            manager.get_state("renamed")
        assert manager.job_ids() == [JOB]
        assert manager.get_state(JOB) == was
        write(tmp_path, REQUESTS, [answer(0, "a"), REFUSED])
        first, second = imports(manager, tmp_path)
        assert (first.job_id, first.outcome) == (JOB, "already-imported")
        assert (second.outcome, codes(second)) == ("imported", {"job-known"})
        assert any("and more: both are jobs" in line.message for line in second.report)


def test_a_part_that_is_there_at_once_with_the_whole_is_a_job_too(tmp_path: Path) -> None:
    write(tmp_path, REQUESTS, [answer(0, "a")], job="a")
    write(tmp_path, REQUESTS, [answer(0, "a"), answer(1, "b")], job="b")
    with opened() as manager:
        first, second = imports(manager, tmp_path)
        assert (first.outcome, codes(first)) == ("imported", set())
        assert (second.outcome, codes(second)) == ("imported", {"job-known"})


@pytest.mark.parametrize(
    ("before", "then"),
    [
        ([], [answer(0, "a")]),
        ([answer(0, "a")], [answer(0, "b"), answer(1, "b")]),
        ([answer(0, "a"), answer(1, "b")], [answer(0, "a")]),
        ([REFUSED], [REFUSED, answer(0, "a")]),
    ],
    ids=["no answer", "another answer", "fewer answers", "a failure alone"],
)
def test_what_is_not_sure_is_another_job(
    tmp_path: Path, before: list[object], then: list[object]
) -> None:
    """The same questions may be asked twice; the same answers at the same moments are not given."""
    folder = write(tmp_path, REQUESTS, before)
    with opened() as manager:
        imports(manager, tmp_path)
        folder.rename(tmp_path / "renamed")
        (tmp_path / "renamed" / "responses_0.jsonl").unlink(missing_ok=True)
        write(tmp_path, REQUESTS, then, job="renamed")
        [job] = imports(manager, tmp_path)
        assert (job.outcome, job.job_id, codes(job)) == ("imported", "renamed", set())


class Counting:
    """A store, or a reader of it, that counts how often the first row of each job is asked for."""

    def __init__(self, inner: Any, asked: Counter[int]) -> None:
        self.inner, self.asked = inner, asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield Counting(reader, self.asked)

    def rows(self, job: int, after: int = 0, upto: int | None = None, **how: Any) -> Any:
        self.asked[job] += (after, upto) == (0, 1)
        return self.inner.rows(job, after, upto, **how)


def test_jobs_without_a_time_look_at_the_others_once_for_all_of_them(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for number in range(4):
        write(home, [request(number)], job=f"untimed{number}")
    asked = Counter[int]()
    clock = FakeClock(NOW_US)
    store: Any = Counting(open_store(tmp_path / "jobs.db"), asked)
    with StateManager(store, clock=clock) as manager:
        for job_id in ("ours", "another"):
            manager.create_job([1, 2], job_id=job_id)
        asked.clear()
        done = imports(manager, home)
        assert {job.outcome for job in done} == {"imported"}
        assert set(asked.values()) == {1}
        assert {1, 2} <= set(asked)


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
