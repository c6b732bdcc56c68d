"""A run meets invariants that its own items would break: it says so, and stores nothing broken."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from milepost import InvariantBroken, StateManager
from milepost.executors import RetryPolicy, WorkItem, run, run_async
from milepost.machine import Lifecycle
from tests.contract.lifecycles.compiling import BUILT_IN, at_once

ONCE = "      redone_counted:    {holds: redone >= 0}\n"
AT_ONCE = RetryPolicy(causes={"error": "at once"})
LAST = "      settled_at_the_end:"


def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2)


def key_of(item: WorkItem) -> str:
    return item.key


def built_in(before: str, more: str) -> Lifecycle:
    """The built-in lifecycle with one invariant more."""
    assert BUILT_IN.count(before) == 1
    return at_once(BUILT_IN.replace(before, f"      mine: {more}\n{before}"))


@pytest.fixture
def manager(tmp_path: Path) -> StateManager:
    """Items that were tried twice must not be done."""
    lifecycle = built_in(ONCE, "{in: [done], holds: attempts <= 1}")
    return StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle)


class Flaky:
    """A function that fails the first time that it is called for `b`."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, item: WorkItem) -> str:
        if item.key == "b":
            self.calls += 1
            if self.calls == 1:
                raise ValueError("not yet")
        return item.key


def test_a_result_that_must_not_be_is_a_failure_of_its_item(manager: StateManager) -> None:
    """For good, since every other call would give it again; the rest of the job goes on."""
    flaky = Flaky()
    manager.create_job(["a", "b", "c"], job_id="j")
    manager.fire("j", "start_map", {})
    run(manager, "j", flaky, executor=threads(), retry=AT_ONCE)
    state = manager.get_state("j")
    assert flaky.calls == 2
    assert state.failed_items == ("b",)
    assert sorted(state.processed_items) == ["a", "c"]
    messages = [one.message for _, _, one in manager.failed_attempts("j")]
    assert len(messages) == 2
    assert "would break the invariant 'mine' in 'done': attempts <= 1" in messages[1]
    assert manager.verify("j")[0].sound


def test_a_step_of_the_job_that_must_not_be_ends_the_run(tmp_path: Path) -> None:
    """With the refusal; the job is where it was, and every result is kept."""
    lifecycle = built_in(LAST, "{in: [completed, reduce], holds: items.done <= 2}")
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle) as manager:
        manager.create_job(["a", "b", "c"], job_id="j", config={"has_reduce": False})
        manager.fire("j", "start_map", {})
        with pytest.raises(InvariantBroken) as caught:
            run(manager, "j", key_of, executor=threads())
        assert (caught.value.invariant, caught.value.values) == ("mine", {"items.done": 3})
        state = manager.get_state("j")
        assert (state.phase, len(state.done)) == ("map", 3)
        assert manager.verify("j")[0].sound


def test_a_run_of_coroutines_is_refused_alike(tmp_path: Path) -> None:
    async def call(item: WorkItem) -> str:
        return item.key

    lifecycle = built_in(LAST, "{in: [completed, reduce], holds: items.done <= 2}")
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle) as manager:
        manager.create_job(["a", "b", "c"], job_id="j", config={"has_reduce": False})
        manager.fire("j", "start_map", {})
        with pytest.raises(InvariantBroken):
            asyncio.run(run_async(manager, "j", call))
        assert len(manager.get_state("j").done) == 3
