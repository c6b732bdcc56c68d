"""What a process does until it is killed: make a job and run it, by some executor."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from milepost import CheckpointPolicy, Item, StateManager
from milepost.executors import CoroutineExecutor, process_pool, run, wait_until_expired
from milepost.testing.deaths import Driver

JOB = "j"
WORKERS = 2


class Spec(NamedTuple):
    """A job, and how it is run. At the `gate`, a phase, it waits until the `pipe` is opened."""

    pool: str = "threads"
    items: int = 300
    spin: int = 500
    expires: bool = False
    takeover: str = "its process was killed"
    gate: str = ""
    pipe: str = ""


def keys_of(spec: Spec) -> list[str]:
    return [f"item-{n:03}" for n in range(spec.items)]


def map_item(spec: Spec, tell: Callable[[str], None] | None, item: Item) -> str:
    """A result that no other attempt gives: were it lost and made again, it would show."""
    if spec.gate == "map":
        assert tell is not None
        wait_at_the_gate(spec, tell)
    digest = hashlib.blake2b(item.key.encode())
    for _ in range(item.value):
        digest.update(digest.digest())
    return f"{digest.hexdigest()[:8]}-{os.urandom(6).hex()}"


async def awaited(mapped: Callable[[Item], str], item: Item) -> str:
    return mapped(item)


def reduce_results(
    spec: Spec, tell: Callable[[str], None], results: Iterator[tuple[str, str]]
) -> dict[str, int | str]:
    tell("reduce")
    digest = hashlib.blake2b()
    count = 0
    for key, value in results:
        if spec.gate == "reduce" and count == 1:
            wait_at_the_gate(spec, tell)
        digest.update(f"{key}={value}".encode())
        for _ in range(50):
            digest.update(digest.digest())
        count += 1
    return {"count": count, "digest": digest.hexdigest()}


def wait_at_the_gate(spec: Spec, tell: Callable[[str], None]) -> None:
    """Wait until somebody opens the pipe for writing."""
    tell("gate")
    Path(spec.pipe).read_bytes()


def work(spec: Spec, driver: Driver) -> str | None:
    """Run the job of `spec` until it ends, or the run does; what stopped it, if a signal did."""
    for number in (signal.SIGINT, signal.SIGTERM):  # what comes after the run is too late
        signal.signal(number, signal.SIG_IGN)
    manager = driver.manager
    if not manager.job_ids():
        items = [Item(key=key, value=spec.spin) for key in keys_of(spec)]
        manager.create_job(items, job_id=JOB, config={"max_attempts": 100, "max_crashes": 100})
    told = None if spec.pool == "processes" else driver.tell
    mapped: Callable[[Item], Any] = driver.watched(partial(map_item, spec, told))
    executor: Executor | Callable[[], Executor] = partial(process_pool, WORKERS)
    if spec.pool == "threads":
        executor = ThreadPoolExecutor(WORKERS)
    elif spec.pool == "coroutines":
        executor = CoroutineExecutor()
        mapped = partial(awaited, mapped)
    outcome = run(
        manager,
        JOB,
        mapped,
        partial(reduce_results, spec, driver.tell),
        executor=executor,
        policy=CheckpointPolicy(items=20),
        ttl_s=0.05 if spec.expires else 30.0,
        wait=wait_until_expired if spec.expires else "no",
        takeover="" if spec.expires else spec.takeover,
        owner=f"process {driver.number}",
        grace_s=60,
        look_every_s=3600,
        on_progress=driver.acknowledge,
    )
    return f"stopped by {outcome.stopped_by.name}" if outcome.stopped_by else None


def is_whole(spec: Spec, manager: StateManager) -> None:
    """Once the job has ended: all is done."""
    state = manager.get_state(JOB)
    assert (state.phase, state.progress.done) == ("completed", spec.items)
    assert manager.result(JOB)["count"] == spec.items
    assert json.dumps(sorted(dict(manager.results(JOB)))) == json.dumps(keys_of(spec))


def is_in_order(spec: Spec, manager: StateManager) -> None:
    """At any moment: no item has two results, and the plan of a recovery has each item once."""
    if not manager.job_ids():
        return
    results = dict(manager.results(JOB))
    records = Counter(
        key
        for event in manager.get_state_history(JOB)
        if event.event == "succeed"
        for key in event.items
    )
    assert records.keys() == results.keys()
    assert set(records.values()) <= {1}, "an item has two results"
    plan = manager.recover_from_checkpoint(JOB)
    parts = [key for keys in plan.parts.values() for key in keys]
    assert sorted(parts) == keys_of(spec)
    assert plan.done == results.keys()
    assert plan.fallbacks == ()
