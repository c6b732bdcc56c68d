"""Reaping: jobs whose holder has gone quiet are found, and freed for another executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from milepost.clock import instant
from milepost.errors import LifecycleChanged, StateError
from milepost.facts import Draft, JobFired, LeaseReleased
from milepost.job import JOB, JobState
from milepost.omissions import OnError
from milepost.rows import StoredLease, Tip
from milepost.state.append import Decision, Moment
from milepost.state.lease import take
from milepost.state.loading import Loader
from milepost.state.persistence import Reader

__all__ = ["StuckJob", "reap", "stuck"]

_TTL_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckJob:
    """A job whose lease has expired and was never given back.

    `running` items are in the hands of `owner`, the holder of `fence`, as far as the log knows.
    """

    id: str
    phase: str
    seq: int
    owner: str
    fence: int
    expired_at: datetime
    updated_at: datetime
    running: int


def stuck(
    loader: Loader,
    reader: Reader,
    now_us: int,
    known: Callable[[str], JobState | None],
    on_error: OnError,
) -> Iterator[StuckJob]:
    """The jobs whose lease has expired and was not given back, in order of creation.

    `known` may have a state of a job, of any age. Jobs that cannot go on under this version of
    their lifecycle are left out; `on_error` is told of those that cannot be read.
    """
    for tip in reader.tips(on_error):
        try:
            lease = _expired(loader, reader, tip, now_us)
            if lease is None:
                continue
            state = loader.load(reader, tip.job, known(tip.job.job_id)).state
        except LifecycleChanged:
            continue
        except StateError as error:
            on_error(error)
            continue
        if state.owner is not None and state.fence == lease.fence:
            yield StuckJob(
                id=state.id,
                phase=state.phase,
                seq=state.seq,
                owner=state.owner,
                fence=state.fence,
                expired_at=instant(lease.expires_at_us),
                updated_at=state.updated_at,
                running=state.progress.running,
            )


def _expired(loader: Loader, reader: Reader, tip: Tip, now_us: int) -> StoredLease | None:
    """The newest lease of a job that may be stuck, if it has expired; its owner may be gone.

    None for a job that has ended, or that runs by a lifecycle that is not at hand. One look-up.
    """
    lifecycle = loader.tables.get(tip.job.lifecycle)
    if lifecycle is None or loader.tally(tip.job, tip.row).phase in lifecycle.machines[JOB].final:
        return None
    lease = reader.lease(tip.job.number)
    if lease is None or lease.fence != tip.row.fence or lease.expires_at_us > now_us:
        return None
    return lease


def reap(owner: str, reason: str) -> Decision:
    """The decision that frees a job whose lease has expired, in one commit.

    `owner` takes the job over, what was in flight is interrupted (its attempts count), and the
    job is given back, so that any executor may take it. Nothing happens to a job that nobody
    holds. Raises LeaseHeld if the holder turned out to be alive.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        state = moment.state
        if state.owner is None:
            return
        stored = moment.writer.lease(moment.job.number)
        when = "" if stored is None else f" at {instant(stored.expires_at_us).isoformat()}"
        why = reason or f"the lease of {state.owner} expired{when}"
        yield from take(owner, _TTL_S, "")(moment)
        if "recover" in state.allowed():
            yield Draft(fact=JobFired("recover", {}), body={"reason": why})
        yield Draft(fact=LeaseReleased(owner=owner))

    return decision
