"""Results that are too large fail their items, and the run goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from milepost import Item, Limits, StateManager
from milepost.executors import run


def manager_of(tmp_path: Path, limits: Limits) -> StateManager:
    manager = StateManager.open(tmp_path / "jobs.db", durability="process", limits=limits)
    config = {"max_attempts": 1, "max_dead": 8}
    manager.create_job([f"{n}" for n in range(8)], job_id="j", config=config)
    return manager


def sized(item: Item) -> str:
    """Item 3 gives far too much."""
    return "x" * (9_000 if item.key == "3" else 900)


def total(results: Any) -> int:
    return sum(len(text) for _, text in results)


pool = partial(ThreadPoolExecutor, 2)


def test_a_value_that_is_too_large_fails_its_item(tmp_path: Path) -> None:
    """The attempt fails with the place in the result; the others are done."""
    with manager_of(tmp_path, Limits(value_max_bytes=4_000)) as manager:
        outcome = run(manager, "j", sized, total, executor=pool)
        assert outcome.phase == "completed"
        assert (outcome.done_count, outcome.failure_count) == (7, 1)
        (failure,) = manager.failures("j")["3"]
        assert "takes 9,002 bytes and may take 4,000" in failure.message
        assert manager.verify("j")[0].sound


def test_results_too_large_together_are_committed_apart(tmp_path: Path) -> None:
    """The limit of a commit splits what came at once, and fails what does not fit alone."""
    limits = Limits(commit_max_bytes=2_000)
    with manager_of(tmp_path, limits) as manager:
        outcome = run(manager, "j", sized, total, executor=pool)
        assert outcome.phase == "completed"
        assert (outcome.done_count, outcome.failure_count) == (7, 1)
        (failure,) = manager.failures("j")["3"]
        assert "one commit: all of it takes" in failure.message
        assert manager.result("j") == 7 * 900
        assert manager.verify("j")[0].sound


class AtOnce(Executor):
    """Has made each of two calls as soon as it gets them."""

    def slots(self) -> int:
        return 2

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_workers_do_not_wait_for_all_that_is_committed_apart(tmp_path: Path) -> None:
    """The next items begin with the first of the results that came at once."""
    with manager_of(tmp_path, Limits(commit_max_bytes=2_000)) as manager:
        run(manager, "j", lambda item: "x" * 900, total, executor=AtOnce(), ahead=0)
        history = manager.get_state_history("j")
        begun = [event.seq for event in history if event.event == "start"]
        ended = [event.seq for event in history if event.event == "succeed"]
        assert len(ended) == 8, "each in a commit of its own"
        assert begun[1:] == ended[:-2:2]


def test_a_reduced_result_that_is_too_large_fails_the_job(tmp_path: Path) -> None:
    """The job is failed and can be tried again; the run does not end in an error."""
    with manager_of(tmp_path, Limits(value_max_bytes=9_500)) as manager:
        outcome = run(manager, "j", sized, lambda r: "y" * total(r), executor=pool)
        assert (outcome.phase, outcome.done_count) == ("failed", 8)
        assert run(manager, "j", sized, total, executor=pool).phase == "completed"


def test_variables_too_large_for_a_commit_fail_the_job(tmp_path: Path) -> None:
    """Each value is small enough, the commit is not."""
    with manager_of(tmp_path, Limits(commit_max_bytes=2_000)) as manager:
        outcome = run(
            manager, "j", sized, total, executor=pool, setup_fn=lambda _: {"v": "w" * 3_000}
        )
        assert outcome.phase == "failed"


def test_a_run_goes_on_without_a_checkpoint_that_is_too_large(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has everything that it would have."""
    with (
        manager_of(tmp_path, Limits(checkpoint_max_bytes=10)) as manager,
        caplog.at_level(logging.WARNING, "milepost.executors"),
    ):
        assert run(manager, "j", sized, total, executor=pool).phase == "completed"
        assert manager.list_checkpoints("j") == []
    assert "job j: no checkpoint: job j: a checkpoint" in caplog.text
