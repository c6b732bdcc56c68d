"""A store with jobs in every condition, and what a move must leave as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from milepost import ItemEvent, StateManager, StateStore
from milepost.errors import JobAbsent
from milepost.testing import FakeClock

__all__ = ["JOBS", "Content", "content", "known", "tell"]

JOBS = ("whole", "grown", "new")


def tell(manager: StateManager, clock: FakeClock) -> None:
    """One that has ended, one that was held, grew and went back, and one that is new."""
    manager.create_job({f"k{n}": n for n in range(30)}, job_id="whole", variables={"day": "mon"})
    with manager.lease("whole", "worker-1", renewed=False):
        manager.fire("whole", "start_map")
        for n in range(30):
            manager.record("whole", [ItemEvent(n, "start")])
            manager.record("whole", [ItemEvent(n, "succeed", {"result": "ü" * n})])
        manager.create_checkpoint("whole")
        manager.fire("whole", "finish_map")
        manager.fire("whole", "finish_reduce", {"result": 1})
    manager.keep("whole", for_=timedelta(days=3), reason="audit")
    clock.advance(5)
    manager.create_job(["a", "b"], job_id="grown", config={"max_attempts": 2})
    manager.fire("grown", "start_map")
    manager.add_items("grown", ["c", "d"])
    with manager.lease("grown", "worker-2", renewed=False):
        manager.record("grown", [ItemEvent("c", "start")])
        manager.record("grown", [ItemEvent("c", "fail", {"cause": "error", "message": "no"})])
        manager.create_checkpoint("grown")
    manager.apply(manager.plan_rewind("grown", 3))
    manager.create_job({}, job_id="new")


class Content(NamedTuple):
    """All of a job that a move leaves as it was: rows and what is beside them, but its number."""

    created_at_us: int
    lifecycle: str
    rows: tuple[Any, ...]
    inputs: tuple[Any, ...]
    segments: tuple[Any, ...]
    checkpoints: tuple[Any, ...]
    spans: tuple[Any, ...]
    states: tuple[Any, ...]
    lease: Any
    keep: Any
    told: Any


def content(store: StateStore, job_id: str) -> Content | None:
    """The job as it is stored; None if there is none."""
    with store.reading() as reader:
        job = reader.job(job_id)
        if job is None:
            return None
        number = job.number
        return Content(
            created_at_us=job.created_at_us,
            lifecycle=job.lifecycle,
            rows=tuple(reader.rows(number, bodies=True)),
            inputs=tuple(reader.inputs(number)),
            segments=tuple(reader.key_segments(number, 0, 1 << 30)),
            checkpoints=tuple(reader.checkpoints(number)),
            spans=tuple(reader.spans(number)),
            states=tuple(reader.states(number, 1 << 30)),
            lease=reader.lease(number),
            keep=reader.keep(number),
            told=reader.lifecycle(job.lifecycle),
        )


def known(manager: StateManager, job_id: str) -> bool:
    """True if the job can be driven from here."""
    try:
        manager.get_state(job_id)
    except JobAbsent:
        return False
    return True
