"""Running a job that has ended: the answer is the same as before, and nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from milepost import InputChanged, Item, LeaseHeld, StateManager
from milepost.errors import ItemsRefused, JobFailed
from milepost.executors import CoroutineExecutor, RetryPolicy, RunOutcome, run, run_async
from milepost.executors.engines import Engine
from milepost.testing import FakeClock

DAY_S = 86_400


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> Iterator[StateManager]:
    url = "memory:" if request.param == "memory" else str(tmp_path / "jobs.db")
    with StateManager.open(url, durability="process", clock=clock) as opened:
        yield opened


class OfAPool(Engine):
    """An engine of somebody's own."""

    name = "of a pool"

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)

    def submit(
        self, call: Callable[..., Any], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[Any]:
        del token, timeout_s
        return self._pool.submit(call, *args)

    def slots(self) -> int:
        return 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As of an executor."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def double(item: Item) -> int:
    return 2 * int(item.value or 0)


def total(results: Iterator[tuple[str, Any]]) -> int:
    return sum(result for _, result in results)


THREAD = partial(ThreadPoolExecutor, 1)


def awaited(manager: StateManager, job_id: str, *given: Any, **named: Any) -> RunOutcome:
    return asyncio.run(run_async(manager, job_id, *given, **named))


WAYS: dict[str, Callable[..., RunOutcome]] = {
    "threads": partial(run, executor=THREAD),
    "coroutines": partial(run, executor=CoroutineExecutor),
    "awaited": awaited,
    "awaited, of threads": partial(awaited, executor=THREAD),
    "engine": partial(run, executor=partial(OfAPool)),
    "with a policy": partial(run, executor=THREAD, retry=RetryPolicy()),
    "shown, for ever": partial(run, executor=THREAD, progress=True, wait="for ever"),
    "to take over": partial(run, executor=THREAD, takeover="it hangs"),
}


def ended(manager: StateManager, how: str = "completed") -> None:
    manager.create_job({"a": 1, "b": 2}, job_id="j")
    if how == "cancelled":
        manager.fire("j", "cancel")
    else:
        assert run(manager, "j", double, total, executor=THREAD).succeeded


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["completed", "cancelled"])
def test_an_ended_job_is_answered_without_a_commit(
    manager: StateManager, clock: FakeClock, way: str, how: str
) -> None:
    """However it is run: as many commits as before, and as old for a collector."""
    ended(manager, how)
    before = manager.get_state("j")
    clock.advance(8 * DAY_S)
    outcome = WAYS[way](manager, "j", double, total)
    assert (outcome.phase, outcome.done_count) == (how, 0)
    assert outcome.plan.changes_nothing
    assert manager.get_state("j").seq == before.seq
    assert manager.get_state("j").fence == before.fence
    assert list(manager.get_state_history("j", after=before.seq)) == []
    (verdict,) = manager.plan_retention().verdicts
    assert (verdict.goes, verdict.age) == (True, timedelta(days=8))


def test_what_is_wrong_is_wrong_as_before(manager: StateManager) -> None:
    """Items that differ, items to add, and a job that has to succeed."""
    ended(manager)
    seq = manager.get_state("j").seq
    same = run(manager, "j", double, total, executor=THREAD, items={"a": 1, "b": 2})
    assert same.inputs is not None
    assert same.inputs.verdict == "same"
    with pytest.raises(InputChanged):
        run(manager, "j", double, total, executor=THREAD, items={"a": 1, "b": 3})
    with pytest.raises(ItemsRefused):
        run(
            manager,
            "j",
            double,
            total,
            executor=THREAD,
            items={"a": 1, "b": 2, "c": 3},
            on_changed="grow",
        )
    manager.create_job(["a"], job_id="k")
    manager.fire("k", "cancel")
    with pytest.raises(JobFailed):
        run(manager, "k", double, total, executor=THREAD, check=True)
    assert manager.get_state("j").seq == seq


def test_a_job_that_ends_while_a_run_waits_for_it_is_answered(manager: StateManager) -> None:
    """And one that has ended is not waited for, whoever still holds it."""
    manager.create_job(["a"], job_id="j")
    with ExitStack() as stack:
        lease = stack.enter_context(manager.lease("j", "another", renewed=False))

        def end(held: LeaseHeld) -> None:
            assert held.owner == "another"
            manager.fire("j", "cancel", lease=lease)

        assert run(manager, "j", double, total, executor=THREAD, wait=end).phase == "cancelled"
        assert run(manager, "j", double, total, executor=THREAD, wait="no").phase == "cancelled"
        assert manager.get_state("j").fence == lease.fence


def test_a_job_that_goes_on_again_is_run(manager: StateManager) -> None:
    """One that was rewound from its end."""
    ended(manager)
    before = manager.get_state("j")
    manager.apply(manager.plan_rewind("j", manager.phase_entered("j", before.seq) - 1))
    manager.redo("j", ["a"])
    outcome = run(manager, "j", double, total, executor=THREAD)
    assert (outcome.phase, outcome.done_count) == ("completed", 1)
    assert manager.get_state("j").fence > before.fence


def test_a_store_that_is_only_read_answers_too(tmp_path: Path) -> None:
    """What has ended needs no right to write."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path) as manager:
        ended(manager)
    with StateManager.open(path, read_only=True) as manager:
        assert run(manager, "j", double, total, executor=THREAD).phase == "completed"


def test_executors_that_are_given_stay_open(manager: StateManager) -> None:
    """As after any other run."""
    ended(manager)
    pool: Executor
    with ThreadPoolExecutor(1) as pool:
        run(manager, "j", double, total, executor=pool)
        assert pool.submit(double, Item(key="a", value=2)).result() == 4
