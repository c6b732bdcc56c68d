"""Runs on process pools: what crosses between processes, and what happens when a worker dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from functools import partial
from pathlib import Path

import pytest

from milepost import Item, StateManager
from milepost.executors import Stop, process_pool, run

from .test_run import create, double, total


class HasNoCopyError(Exception):
    """An exception that cannot be made anew from its arguments, as many cannot."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


def awkward(item: Item) -> object:
    if item.value == 1:
        raise HasNoCopyError(1, "odd")
    return {"never", "sent"} if item.value == 2 else item.value


def deadly(item: Item) -> int:
    if item.value == 5:
        os._exit(1)
    return item.value


def test_a_job_on_a_process_pool(manager: StateManager) -> None:
    job_id = create(manager, 100)
    with process_pool(2) as pool:
        outcome = run(manager, job_id, double, total, executor=pool)
    assert (outcome.phase, manager.result(job_id)) == ("completed", sum(range(0, 200, 2)))


def test_what_cannot_be_sent_between_processes_is_a_failure(manager: StateManager) -> None:
    job_id = create(manager, 10, max_dead=2, max_attempts=1)
    outcome = run(manager, job_id, awkward, total, executor=partial(process_pool, 2))
    assert (outcome.phase, outcome.done_count) == ("completed", 8)
    messages = {key: found[0].message for key, found in manager.failures(job_id).items()}
    assert messages["item-0001"].endswith("HasNoCopyError: odd")
    assert "of type set, which is not JSON" in messages["item-0002"]


def test_a_function_that_cannot_be_sent_is_refused_before_anything_begins(
    manager: StateManager,
) -> None:
    job_id = create(manager, 10)
    with (
        process_pool(2) as pool,
        pytest.raises(TypeError, match="cannot be sent to another process"),
    ):
        run(manager, job_id, lambda item: item.value, total, executor=pool)
    assert manager.get_state(job_id).phase == "setup"


def test_an_item_that_kills_its_worker_dies_alone(manager: StateManager) -> None:
    job_id = create(manager, 30, max_dead=1)
    outcome = run(manager, job_id, deadly, total, executor=partial(process_pool, 2))
    assert (outcome.phase, outcome.done_count) == ("completed", 29)
    assert outcome.state.failed_items == ("item-0005",)
    assert outcome.state.item("item-0005")[1]["crashes"] == 3
    attempts = [outcome.state.item(item)[1]["attempts"] for item in outcome.state.processed_items]
    assert set(attempts) == {1}, "the others lost none"


def test_the_demo_ends_with_the_report_of_an_undisturbed_run() -> None:
    demo = Path(__file__).parents[3] / "examples" / "stdlib_report.py"
    ended = subprocess.run(
        [sys.executable, demo, "demo", "--every", "3"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("killed process") == 3
    assert "it is equal to that of the undisturbed run" in ended.stdout
    assert "verified: sound" in ended.stdout
    assert "Traceback" not in ended.stderr


def cannot_begin() -> None:
    raise OSError("no room for a worker")


def test_a_pool_that_never_works_ends_the_run_and_blames_no_item(manager: StateManager) -> None:
    """Its threads could not begin: no call was, so nothing is counted, and it is not for ever."""
    job_id = create(manager, 5, max_attempts=1)
    made = partial(ThreadPoolExecutor, 2, initializer=cannot_begin)
    with pytest.raises(BrokenExecutor) as caught:
        run(manager, job_id, double, total, executor=made)
    assert "executors broke in a row" in caught.value.__notes__[0]
    state = manager.get_state(job_id)
    assert (state.progress.pending, state.owner) == (5, None)
    contexts = [state.items.member(ordinal)[1] for ordinal in range(5)]
    assert {(one["attempts"], one["suspect"], one["crashes"]) for one in contexts} == {
        (0, False, 0)
    }


def test_a_pool_that_breaks_at_the_probe_is_replaced_and_nothing_is_waited_for(
    manager: StateManager,
) -> None:
    """Though nothing was to do when the job was looked at, as long as there was no worker."""
    job_id = create(manager, 5)
    manager.fire(job_id, "start_map")
    broken = ProcessPoolExecutor(1, initializer=os._exit, initargs=(1,))
    made: Iterator[Executor] = iter([broken, ThreadPoolExecutor(1)])
    stop = Stop()
    timer = threading.Timer(60, stop.request)  # of a run that would wait for an hour
    timer.start()
    outcome = run(
        manager, job_id, double, total, executor=lambda: next(made), stop=stop, look_every_s=3600
    )
    timer.cancel()
    assert (outcome.phase, outcome.done_count) == ("completed", 5)


def test_an_item_that_kills_its_worker_says_so_and_takes_no_other(manager: StateManager) -> None:
    """At its first death as many are suspected as there are workers; those behind are released."""
    job_id = create(manager, 30, max_dead=1, max_attempts=1)
    outcome = run(manager, job_id, deadly, total, executor=partial(process_pool, 2), ahead=0)
    assert outcome.phase == "completed"
    (letter,) = manager.dead_letters(job_id)
    assert (letter.key, letter.attempts, letter.crashes) == ("item-0005", 0, 3)
    assert [failure.cause for failure in letter.failures] == ["executor_lost"] * 3
    interrupted = [e for e in manager.get_state_history(job_id) if e.event == "interrupt"]
    assert 1 <= sum(event.count for event in interrupted) <= 2
