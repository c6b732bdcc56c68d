"""The work that `bench-quick` counts: what users wait for, each at a size that is counted soon."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import apsw

from before_child import LIFE, READ
from before_child import leave as left_in_the_middle
from engine_calls import megabyte
from jobs import mapping_job
from milepost import CheckpointPolicy, ItemEvent, StateManager
from milepost.executors import run
from milepost.lifecycles import mapreduce
from milepost.state.persistence import Durability
from records import JOB
from samples import results

__all__ = ["WORKLOADS", "Workload", "build_store"]

Act = Callable[[int], object]
"""Does so many units of the work."""

AT_MOST: Final = 1.2
"""How many times its units a workload can be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Work in units, prepared in a folder of its own before anything is counted."""

    units: int
    unit: str
    prepared: Callable[[Path, Path], AbstractContextManager[Act]]
    """Is given an empty folder, and the store that `build_store` made, if it `looks` at it."""
    looks: bool = False


# A step, and a decision alone.


@contextmanager
def steps(_folder: Path, _store: Path) -> Iterator[Act]:
    machine = mapreduce.LIFECYCLE.machines["item"]

    def act(units: int) -> None:
        state, context = machine.initial, machine.context()
        for number in range(units):
            state, context, _, _ = machine.step(state, LIFE[number % len(LIFE)], context, READ)

    yield act


@contextmanager
def selects(_folder: Path, _store: Path) -> Iterator[Act]:
    machine = mapreduce.LIFECYCLE.machines["item"]
    context = machine.context()

    def act(units: int) -> None:
        for _ in range(units):
            machine.select("failed", "retry", context, READ)

    yield act


# Records.


@contextmanager
def records(folder: Path, _store: Path, *, batch: int, units: int) -> Iterator[Act]:
    """Results of items that were started before, `batch` in a commit."""
    with opened(folder) as manager:
        mapping_job(manager, JOB, int(units * AT_MOST) + batch)
        values = results(int(units * AT_MOST) + batch, seed=5)

        def record(ordinals: range) -> None:
            events = [ItemEvent(n, "succeed", {"result": values[n]}) for n in ordinals]
            manager.record(JOB, events)

        def act(units: int) -> None:
            for first in range(batch, batch + units, batch):
                record(range(first, min(first + batch, batch + units)))

        record(range(batch))  # whatever is done once is done now
        quiet(folder)
        yield act


@contextmanager
def large_results(folder: Path, _store: Path) -> Iterator[Act]:
    """Results of a megabyte that compresses to the half."""
    with opened(folder) as manager:
        mapping_job(manager, JOB, 10)
        texts = [megabyte(f"item-{number}") for number in range(10)]

        def act(units: int) -> None:
            for number in range(1, 1 + units):
                manager.record(JOB, [ItemEvent(number, "succeed", {"result": texts[number]})])

        manager.record(JOB, [ItemEvent(0, "succeed", {"result": texts[0]})])
        quiet(folder)
        yield act


# What a job is led through.


@contextmanager
def created(folder: Path, _store: Path) -> Iterator[Act]:
    with opened(folder) as manager:
        numbers = count()

        def act(units: int) -> None:
            items = (f"item-{number:07d}" for number in range(units))
            manager.create_job(items, job_id=f"{JOB}-{next(numbers)}")

        act(10)
        quiet(folder)
        yield act


@contextmanager
def plans(folder: Path, _store: Path) -> Iterator[Act]:
    with opened(folder, "process") as manager:
        left_in_the_middle(manager)
        manager.recover_from_checkpoint(JOB)

        def act(units: int) -> None:
            for _ in range(units):
                manager.recover_from_checkpoint(JOB)

        yield act


@contextmanager
def checkpoints(folder: Path, _store: Path) -> Iterator[Act]:
    """Each after another result of a job with items in every state."""
    with opened(folder, "process") as manager:
        left_in_the_middle(manager)
        in_flight = count(5_000)

        def act(units: int) -> None:
            for _ in range(units):
                manager.record(JOB, [ItemEvent(next(in_flight), "succeed", {"result": 1})])
                manager.create_checkpoint(JOB)

        act(1)
        quiet(folder)
        yield act


class AtOnce(Executor):
    """Makes each call as soon as it is submitted, in the same thread: there is nothing to race."""

    _max_workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 as an executor has it
            future.set_exception(error)
        return future


def nothing(_item: object) -> int:
    return 1


async def nothing_awaited(_item: object) -> int:
    return 1


@contextmanager
def runs(folder: Path, _store: Path) -> Iterator[Act]:
    """A run whose calls take no time, by a clock that ticks a microsecond whenever it is read."""
    with opened(folder, "process") as manager:
        numbers = count()

        def act(units: int) -> None:
            job_id, ticks = f"{JOB}-{next(numbers)}", count()
            manager.create_job((f"item-{number:07d}" for number in range(units)), job_id=job_id)
            outcome = run(
                manager, job_id, nothing, executor=AtOnce(), clock=lambda: next(ticks) / 1e6
            )
            assert outcome.done_count == units

        act(10)
        quiet(folder)
        yield act


# Looks at a job of many commits, and at a store of many jobs, each by a manager of its own.

COMMITS: Final = 2_000
JOBS: Final = 500


def build_store(folder: Path) -> Path:
    """One job of many commits and checkpoints, every tenth item failed; and many small jobs."""
    path = folder / "jobs.db"
    policy = CheckpointPolicy(commits=COMMITS // 20)
    with StateManager.open(path, durability="process") as manager:
        for number in range(JOBS):
            manager.create_job(["only"], job_id=f"small-{number:05d}")
        mapping_job(manager, JOB, COMMITS + 100)
        failed = {"cause": "error", "message": "no"}
        since = 0
        for ordinal in range(COMMITS):
            end = ("fail", failed) if ordinal % 10 == 9 else ("succeed", {"result": ordinal})
            manager.record(JOB, [ItemEvent(ordinal, *end)])
            since += 1
            if policy.due(settled_items=since, commits=since, elapsed_s=0.0):
                manager.create_checkpoint(JOB, reason="policy")
                since = 0
    return path


@contextmanager
def looks(folder: Path, store: Path, *, look: Callable[[StateManager], object]) -> Iterator[Act]:
    path = shutil.copy(store, folder)

    def act(units: int) -> None:
        for _ in range(units):
            with StateManager.open(path, create=False, allow_network=True) as manager:
                look(manager)

    act(1)
    quiet(folder)
    yield act


def same_result_again(manager: StateManager) -> None:
    manager.record(JOB, [ItemEvent(COMMITS // 2, "succeed", {"result": COMMITS // 2})])


def page_of_history(manager: StateManager) -> None:
    assert manager.get_state_history(JOB, after=COMMITS // 2, upto=COMMITS // 2 + 20)


def state_in_the_middle(manager: StateManager) -> None:
    manager.state_at(JOB, COMMITS // 2)


def one_result(manager: StateManager) -> None:
    assert manager.result_of(JOB, COMMITS // 2) == COMMITS // 2


def all_failures(manager: StateManager) -> None:
    assert manager.failures(JOB)


def jobs_by_prefix(manager: StateManager) -> None:
    assert len(manager.list_jobs(prefix="small-0012")) == 10


def newest_jobs(manager: StateManager) -> None:
    assert len(manager.list_jobs(limit=10)) == 10


def stuck(manager: StateManager) -> None:
    assert manager.stuck_jobs() == []


def plan_of_retention(manager: StateManager) -> None:
    manager.plan_retention()


def _look(look: Callable[[StateManager], object], units: int = 2) -> Workload:
    return Workload(units=units, unit="look", prepared=partial(looks, look=look), looks=True)


WORKLOADS: Final[dict[str, Workload]] = {
    "step": Workload(units=9_000, unit="step", prepared=steps),
    "select": Workload(units=9_000, unit="decision", prepared=selects),
    "record": Workload(units=100, unit="result", prepared=partial(records, batch=1, units=100)),
    "batch": Workload(
        units=1_000, unit="result", prepared=partial(records, batch=100, units=1_000)
    ),
    "megabyte": Workload(units=4, unit="result", prepared=large_results),
    "create": Workload(units=10_000, unit="item", prepared=created),
    "plan": Workload(units=4, unit="plan", prepared=plans),
    "checkpoint": Workload(units=4, unit="checkpoint", prepared=checkpoints),
    "run": Workload(units=1_000, unit="item", prepared=runs),
    "again": _look(same_result_again),
    "history": _look(page_of_history),
    "state-at": _look(state_in_the_middle),
    "result": _look(one_result),
    "failures": _look(all_failures),
    "prefix": _look(jobs_by_prefix),
    "newest": _look(newest_jobs),
    "stuck": _look(stuck),
    "retention": _look(plan_of_retention),
}


def opened(folder: Path, durability: Durability = "full") -> StateManager:
    return StateManager.open(folder / "jobs.db", durability=durability)


def quiet(folder: Path) -> None:
    """Let nothing that is done now and then fall to one of the commits that are counted.

    The log is moved into the file, and the folder looks as if it had been made an hour ago: a
    store looks more often at one that has just changed.
    """
    connection = apsw.Connection(str(folder / "jobs.db"))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    hour_ago = time.time() - 3_600
    os.utime(folder, (hour_ago, hour_ago))
