"""Why a job has not come to its end: what its log says of the calls that failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from milepost.errors import RoleAbsent
from milepost.executors.outcome import why_in
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.reading.failures import FailedAttempt
from milepost.text.escapes import printable
from milepost.text.wording import bounded

__all__ = ["failed", "unended"]

_SHOWN: Final = 3
"""So many of the items that failed last are told of, each by its last attempt."""

_LOOKED_AT: Final = 100
"""So many failed attempts are looked at."""

_MOST_CHARS: Final = 500


def unended(manager: StateManager, state: JobState) -> str:
    """What to say of a job that is in no final phase: where it is, why, and what failed in it."""
    why = why_in(manager, state, stopped="", halted="")
    if state.phase in state.roles.outcomes:
        first = f"job {state.id} is in phase {state.phase}, from which it can go on"
    else:
        first = f"job {state.id} is still in phase {state.phase}, which is not its end"
    return "\n".join([f"{first}: {why}" if why else first, *_failures(manager, state.id)])


def failed(manager: StateManager) -> Iterator[str]:
    """What to say of each job that has failed, whatever somebody who needed its end raised."""
    for job_id in manager.job_ids():
        state = manager.get_state(job_id)
        if not state.finished and state.phase in state.roles.outcomes:
            yield unended(manager, state)


def _failures(manager: StateManager, job_id: str) -> Iterator[str]:
    """The items that failed last, a line each."""
    try:
        found = manager.failure_summary(job_id, newest=_LOOKED_AT, undecoded=True)
    except RoleAbsent:
        return
    last = {failed.key: failed for failed in found.newest}
    yield from (f"  {_told(failed)}" for failed in list(last.values())[-_SHOWN:])


def _told(failed: FailedAttempt) -> str:
    failure, details = failed.failure, failed.failure.details
    attempt, place = "", ""
    if details is not None:
        attempt = f", attempt {details.attempt}" if details.attempt else ""
        *_, last = (" ", *details.traceback.splitlines())
        place = f", at {last.strip()}" if last.startswith(" ") and last.strip() else ""
    said = bounded(failure.message or failure.kind or failure.cause, _MOST_CHARS)
    return printable(f"item {failed.key!r}{attempt}: {said}{place}")
