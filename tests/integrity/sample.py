"""A small store with all that a store has, on small pages, and what everybody is told of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from milepost import ItemEvent, StateManager
from milepost.errors import MilepostError
from milepost.testing import FakeClock

__all__ = ["JOBS", "PAGE_BYTES", "answers", "fill", "make"]

JOBS = ("first", "second")
PAGE_BYTES = 512
"""The least that SQLite knows: the most structure for a file of a size."""


def make(path: Path) -> Path:
    """Two jobs with results, failures, leases, checkpoints, plain and compressed rows."""
    whole = path.with_suffix(".whole")
    clock = FakeClock()
    with StateManager.open(whole, clock=clock) as manager:
        fill(manager, clock)
    connection = apsw.Connection(str(whole))
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    whole.rename(path)
    return path


def fill(manager: StateManager, clock: FakeClock) -> None:
    """The two jobs, in any store."""
    for job_id in JOBS:
        items = {f"{job_id}/{n}": {"page": n, "text": f"{job_id} " * (n % 3)} for n in range(40)}
        manager.create_job(items, job_id=job_id, variables={"day": 1})
        clock.advance(1)
        with manager.lease(job_id, "worker 1", renewed=False):
            manager.fire(job_id, "start_map")
            keys = list(items)
            for part in (keys[:2], keys[2:14], keys[14:17]):
                manager.record(job_id, [ItemEvent(key, "start") for key in part])
                clock.advance(1)
                manager.record(
                    job_id,
                    [ItemEvent(key, "succeed", {"result": {"of": key}}) for key in part],
                )
                if len(part) != 2:
                    manager.create_checkpoint(job_id, reason="half way")
            manager.record(job_id, [ItemEvent(keys[20], "start"), ItemEvent(keys[21], "start")])
            failed = {"cause": "timeout", "message": "no answer"}
            manager.record(job_id, [ItemEvent(keys[20], "fail", failed)])


def _state(manager: StateManager, job_id: str) -> Any:
    state = manager.get_state(job_id)
    return state, state.digest, [*state.processed_items]


def _plan(manager: StateManager, job_id: str) -> Any:
    plan = manager.recover_from_checkpoint(job_id)
    parts = {name: [*keys] for name, keys in plan.parts.items()}
    return plan.seq, plan.fence, plan.events, parts, [*plan.pending_items()]


def _checkpoint(manager: StateManager, job_id: str) -> Any:
    found = manager.get_checkpoint(job_id, 7)
    return found.seq, found.reason, found.taken_at, found.checksum, found.state


def _readable(question: Callable[..., list[Any]]) -> tuple[list[Any], bool]:
    """What is told of the jobs that can be read, and whether that is all of them."""
    unreadable: list[MilepostError] = []
    found = question(on_error=unreadable.append)
    return found, not unreadable


_OF_A_JOB: dict[str, Callable[[StateManager, str], Any]] = {
    "state": _state,
    "results": lambda manager, job_id: [*manager.results(job_id)],
    "failures": lambda manager, job_id: manager.failures(job_id),
    "plan": _plan,
    "checkpoint": _checkpoint,
    "lease": lambda manager, job_id: manager.lease_expires_at(job_id),
    "history": lambda manager, job_id: [
        (event.seq, event.at, event.event, [*event.items], event.owner, event.payload)
        for event in manager.get_state_history(job_id)
    ],
    "then": lambda manager, job_id: manager.state_at(job_id, 6),
}


def answers(path: Path) -> dict[str, Any]:
    """What is told of the store: each answer, or the error that was raised in its place.

    An error that is none of ours is an answer, and a wrong one. `sound` is the verdict of
    `verify`.
    """
    told: dict[str, Any] = {}

    def ask(name: str, question: Callable[[], Any]) -> None:
        try:
            told[name] = question()
        except MilepostError as error:
            told[name] = error
        except Exception as error:  # noqa: BLE001  an answer too, and always a wrong one
            told[name] = f"not one of ours: {error!r}"

    try:
        manager = StateManager.open(path, create=False, read_only=True)
    except MilepostError as error:
        return {"open": error}
    with manager:
        ask("ids", manager.job_ids)
        ask("jobs", manager.list_jobs)
        ask("ids of a beginning", lambda: manager.job_ids(JOBS[0][:2]))
        ask("first id", lambda: manager.job_ids(limit=1))
        ask("count", lambda: (manager.count_jobs(), manager.count_jobs(JOBS[0][:2])))
        ask("jobs of a beginning", lambda: manager.list_jobs(prefix=JOBS[0][:2]))
        ask("newest job", lambda: manager.list_jobs(limit=1))
        ask("is there", lambda: [manager.has_job(job_id) for job_id in (*JOBS, "third")])
        ask("readable ids", lambda: _readable(manager.job_ids))
        ask("readable jobs", lambda: _readable(manager.list_jobs))
        for job_id in JOBS:
            for name, question in _OF_A_JOB.items():
                ask(f"{job_id} {name}", lambda q=question, j=job_id: q(manager, j))
            ask(f"{job_id} checkpoints", lambda j=job_id: manager.list_checkpoints(j))
        ask("no such job", lambda: manager.get_state("third"))
        ask("sound", lambda: all(v.sound for v in manager.verify()) and not manager.check_store())
    return told
