"""Following a job: what happens to it is written as it comes, until it has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from milepost.cli.output import note, write_format
from milepost.cli.session import Session
from milepost.cli.trouble import Trouble
from milepost.cli.watching import tell_driver
from milepost.errors import LifecycleChanged
from milepost.inspect.follow import event_lines
from milepost.inspect.history import Wanted
from milepost.inspect.holders import Driver, driver_of
from milepost.inspect.json import as_json
from milepost.inspect.watch import has_ended
from milepost.job.state import JobState
from milepost.state.manager import StateManager

__all__ = ["follow"]

_NOT_KNOWN: Final = (
    "nothing here tells when this job has ended, since its lifecycle is not at hand:"
    " end this by Ctrl-C, or name the lifecycle with --lifecycle"
)


def follow(
    session: Session,
    manager: StateManager,
    job_id: str,
    wanted: Wanted,
    *,
    after: int,
    every_s: float,
) -> None:
    """Write the events past commit `after` as lines of JSON, those to come too.

    When nobody drives the job any more, or somebody does again, is told on stderr. Returns once the
    job has ended and all is written, or nobody reads any more. Raises JobAbsent once the job is
    deleted, Trouble if another has its id then.
    """
    with session.watching(job_id) as wait:
        _follow(session, manager, job_id, wanted, after=after, wait=lambda: wait(every_s))


def _follow(
    session: Session,
    manager: StateManager,
    job_id: str,
    wanted: Wanted,
    *,
    after: int,
    wait: Callable[[], None],
) -> None:
    first = manager.summary(job_id)
    seen, told = 0, False
    state: JobState | None = None
    driver: Driver | None = None
    while True:
        job = manager.summary(job_id)
        if job.created_at != first.created_at or job.seq < first.seq:
            raise Trouble(f"job {job_id} was deleted meanwhile, and another has its id: begin anew")
        if job.seq != seen:
            state = _newest(manager, job_id)
            seen = job.seq if state is None else state.seq
            if state is None and not told:
                note(_NOT_KNOWN)
                told = True
            for line in event_lines(manager, job_id, after=after, upto=seen, wanted=wanted):
                if not write_format(line, as_json):
                    return
            after = max(after, seen)
            if state is not None and has_ended(state):
                return
        if state is not None:
            driver = tell_driver(session, driver, driver_of(manager, state))
        wait()


def _newest(manager: StateManager, job_id: str) -> JobState | None:
    """The newest state of the job; None where its lifecycle is not at hand."""
    try:
        return manager.get_state(job_id)
    except LifecycleChanged:
        return None
