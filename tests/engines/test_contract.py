"""One script of trouble, on every engine: what is recorded is what was called, and no more.

A call that was made has begun in the log, and each attempt that the log counts was one call.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from milepost import JobState, StateManager
from milepost.executors import Stop, WorkItem, run

from .places import Place
from .trouble import Trouble

COUNT = 12


def job(count: int = COUNT, **config: object) -> StateManager:
    manager = StateManager.open("memory:")
    config = {"has_reduce": False, "max_dead": 1, "max_attempts": 2, **config}
    manager.create_job({str(n): n for n in range(count)}, job_id="j", config=config)
    return manager


def counted(manager: StateManager, job_id: str = "j") -> Counter[str]:
    """How many attempts the log counts, by item: those that gave a result or failed."""
    state = manager.get_state(job_id)
    keys = {n: state.inputs.key(n) for n in range(state.progress.total)}
    return Counter({key: state.items.member(n)[1]["attempts"] for n, key in keys.items()})


def test_what_fails_once_is_called_once_more(place: Place, tmp_path: Path) -> None:
    trouble = Trouble(tmp_path, "fails once")
    with job() as manager:
        outcome = run(manager, "j", trouble, executor=place.given)
        assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("completed", 12, 1)
        assert trouble.calls() == counted(manager)


def test_what_always_fails_is_called_as_often_as_it_may(place: Place, tmp_path: Path) -> None:
    trouble = Trouble(tmp_path, "always fails")
    with job(max_attempts=3) as manager:
        outcome = run(manager, "j", trouble, executor=place.given)
        assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("completed", 11, 3)
        assert trouble.calls() == counted(manager)
        assert trouble.calls()["3"] == 3


def test_a_worker_that_is_killed_once_costs_no_attempt(place: Place, tmp_path: Path) -> None:
    if not place.kills:
        pytest.skip("its workers are this process")
    trouble = Trouble(tmp_path, "dies once")
    with job() as manager:
        outcome = run(manager, "j", trouble, executor=place.given)
        assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("completed", 12, 0)
        assert set(counted(manager).values()) == {1}
        assert trouble.calls()["3"] == 2
        assert begun(manager) >= trouble.calls().total()


def test_an_item_that_kills_each_worker_is_dead_and_says_so(place: Place, tmp_path: Path) -> None:
    if not place.kills:
        pytest.skip("its workers are this process")
    trouble = Trouble(tmp_path, "always dies")
    with job(max_crashes=2) as manager:
        outcome = run(manager, "j", trouble, executor=place.given)
        assert (outcome.phase, outcome.done_count) == ("completed", 11)
        (letter,) = manager.dead_letters("j")
        assert (letter.key, letter.attempts, letter.crashes) == ("3", 0, 2)
        assert [one.cause for one in letter.failures] == ["executor_lost"] * 2
        assert "died while it ran alone" in letter.failures[-1].message
        assert trouble.calls()["3"] == 3, "the first time it was one of several"
        others = counted(manager)
        del others["3"]
        assert set(others.values()) == {1}, "the others lost none"
        assert begun(manager) >= trouble.calls().total()


def test_a_call_without_end_is_a_timeout_each_time(place: Place, tmp_path: Path) -> None:
    trouble = Trouble(tmp_path, "hangs")
    with job() as manager:
        outcome = run(manager, "j", trouble, executor=place.given, timeout_s=3)
        assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("completed", 11, 2)
        assert {one.cause for one in manager.failures("j")["3"]} == {"timeout"}
        assert trouble.calls() == counted(manager)


def test_a_stop_waits_for_what_is_under_way(place: Place, tmp_path: Path) -> None:
    """Every call that was made is recorded, and none is made again by the next run."""
    trouble = Trouble(tmp_path)
    stop = Stop()

    def asks(state: JobState) -> None:
        if state.progress.done > 5 and not stop.requested:
            stop.request()

    count = 1_000  # more than a run holds ahead, twice: in the turn that stops it others begin
    with job(count) as manager:
        first = run(
            manager,
            "j",
            trouble,
            executor=place.given,
            stop=stop,
            on_progress=asks,
            grace_s=60,
        )
        assert first.interrupted
        assert 5 < first.done_count < count
        assert trouble.calls().total() == first.done_count
        second = run(manager, "j", trouble, executor=place.given)
        assert second.phase == "completed"
        assert trouble.calls() == counted(manager)


def test_two_jobs_with_the_same_items_share_no_call(place: Place, tmp_path: Path) -> None:
    trouble = Trouble(tmp_path)
    with job() as manager:
        manager.create_job(
            {str(n): n for n in range(COUNT)}, job_id="k", config={"has_reduce": False}
        )
        runs = [
            threading.Thread(
                target=partial(run, executor=place.given), args=(manager, job_id, trouble)
            )
            for job_id in "jk"
        ]
        for each in runs:
            each.start()
        for each in runs:
            each.join()
        assert [manager.get_state(job_id).phase for job_id in "jk"] == ["completed"] * 2
        assert trouble.calls() == counted(manager, "j") + counted(manager, "k")
        assert trouble.calls().total() == 2 * COUNT


@dataclass(frozen=True)
class Unsendable:
    """A function for items that holds what no pickle can carry."""

    lock: Any

    def __call__(self, item: WorkItem) -> object:
        return item.value


def test_what_cannot_be_sent_ends_the_run_before_an_item_begins(place: Place) -> None:
    """Threads need send nothing; anywhere else no attempt is spent on it."""
    function = Unsendable(threading.Lock())
    with job() as manager:
        if place.kills:
            with pytest.raises(TypeError, match="cannot be sent"):
                run(manager, "j", function, executor=place.given)
            assert begun(manager) == 0
            assert counted(manager).total() == 0
        else:
            assert run(manager, "j", function, executor=place.given).done_count == COUNT


def test_ten_thousand_items_are_called_once_each(place: Place, tmp_path: Path) -> None:
    trouble = Trouble(tmp_path)
    with job(10_000) as manager:
        assert run(manager, "j", trouble, executor=place.given).done_count == 10_000
        assert trouble.calls() == counted(manager)
        assert set(counted(manager).values()) == {1}


def begun(manager: StateManager) -> int:
    return sum(event.count for event in manager.get_state_history("j") if event.event == "start")
