"""A store with a story: one job left behind by an executor that died, and two that wait."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from milepost import ItemEvent, StateManager
from milepost.errors import StoreError
from milepost.machine import Lifecycle
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.stores.make import NoProcesses

JOB = "nightly"


def tell(
    folder: Path,
    clock: FakeClock,
    *,
    silent_s: float = 90,
    lifecycles: Iterable[Lifecycle] = (),
    of: Callable[[StateManager], Any] = lambda manager: manager,
) -> Path:
    """`jobs.db` in `folder`, as it was when the executor of `nightly` died with its lease held.

    That was `silent_s` ago. With `lifecycles` the jobs are of the first, in the words of the
    built-in one: `of` makes a manager that understands them.
    """
    alive, left = folder / "alive.db", folder / "jobs.db"
    store = open_store(alive)
    opened = StateManager(store, clock=clock, processes=NoProcesses(), lifecycles=tuple(lifecycles))
    with of(opened) as manager:
        _create(manager, clock)
        with manager.lease(JOB, "worker-1", renewed=False):
            _work(manager, clock)
            for suffix in ("", "-wal"):
                shutil.copy(f"{alive}{suffix}", f"{left}{suffix}")
    for rest in folder.glob("alive.db*"):
        rest.unlink()
    StateManager.open(left).close()
    clock.advance(silent_s)
    return left


def tell_on_a_server(url: str, clock: FakeClock, *, silent_s: float = 90) -> str:
    """The same at `url`: the store is shut under the executor, so that its lease stays."""
    store = open_store(url)
    manager = StateManager(store, clock=clock, processes=NoProcesses())
    _create(manager, clock)
    with suppress(StoreError), manager.lease(JOB, "worker-1", renewed=False):
        _work(manager, clock)
        store.close()
    clock.advance(silent_s)
    return url


def _create(manager: StateManager, clock: FakeClock) -> None:
    manager.create_job(
        {f"eu/{n}": {"n": n} for n in range(8)},
        job_id=JOB,
        config={"max_attempts": 2},
        variables={"day": "2023-11-14"},
    )
    for waiting in ("weekly-1", "weekly-2"):
        clock.advance(1)
        manager.create_job(["a", "b"], job_id=waiting)


def _work(manager: StateManager, clock: FakeClock) -> None:
    clock.advance(2)
    manager.fire(JOB, "start_map")
    clock.advance(1.5)
    manager.record(JOB, [ItemEvent(f"eu/{n}", "start") for n in range(6)])
    clock.advance(2)
    succeeded = [ItemEvent(f"eu/{n}", "succeed", {"result": n}) for n in (0, 1)]
    failed = ItemEvent("eu/2", "fail", {"cause": "error", "message": "HTTP 500\n\x1b[31mred"})
    manager.record(JOB, [*succeeded, failed])
    manager.create_checkpoint(JOB)
    clock.advance(2)
    timeout = {"cause": "timeout", "message": "no answer in 30 s"}
    manager.record(
        JOB,
        [
            ItemEvent("eu/2", "retry"),
            ItemEvent("eu/2", "start"),
            ItemEvent("eu/2", "fail", timeout),
            ItemEvent("eu/2", "give_up"),
            ItemEvent("eu/3", "fail", timeout),
        ],
    )
    manager.fire(JOB, "pause")
    clock.advance(12)
    manager.fire(JOB, "resume")
