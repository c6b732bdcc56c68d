"""Reaping: jobs whose holder has gone quiet are found, and freed for another executor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from milepost.clock import instant
from milepost.facts import Draft, JobFired, LeaseReleased
from milepost.job import JOB
from milepost.rows import StoredLease, Tip
from milepost.state.append import Decision, Moment
from milepost.state.lease import take
from milepost.state.loading import Loader
from milepost.state.persistence import Reader

__all__ = ["StuckJob", "expired", "reap"]

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


def expired(loader: Loader, reader: Reader, tip: Tip, now_us: int) -> StoredLease | None:
    """The newest lease of a job that may be stuck, if it has expired; its owner may be gone.

    None for a job that has ended, or that runs by another lifecycle. One look-up.
    """
    final = loader.lifecycle.machines[JOB].final
    foreign = tip.job.lifecycle != loader.lifecycle.digest
    if foreign or loader.tally(tip.job, tip.row).phase in final:
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
