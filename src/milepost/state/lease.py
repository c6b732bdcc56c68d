"""Leases: who works on a job, told apart by fences; expiry only says when another may take over."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

from milepost.clock import Clock, instant
from milepost.errors import (
    JobReplaced,
    LeaseForeign,
    LeaseHeld,
    LeaseLost,
    StateError,
    StoreUnreadable,
)
from milepost.facts import Draft, LeaseReleased, LeaseTaken, WriteRejected
from milepost.printing import printable
from milepost.rows import StoredLease
from milepost.state.append import Decision, Moment, RefusedWithRecord
from milepost.state.loading import Loader

__all__ = ["Lease", "Renewer", "check_lease", "default_owner", "release", "renew", "take"]

_log: Final = logging.getLogger("milepost.lease")


def default_owner() -> str:
    """A name for this process that tells people where to look: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Lease:
    """The right to write as the executor of a job, as long as `fence` is the job's newest.

    `number` is the job's in its store, which tells it from a later one of the same id. `lost` is
    set by the renewal that finds another holder; a write finds out in any case.
    """

    def __init__(self, job_id: str, number: int, owner: str, fence: int, ttl_s: float) -> None:
        self.job_id = job_id
        self.number = number
        self.owner = owner
        self.fence = fence
        self.ttl_s = ttl_s
        self.lost = threading.Event()

    def __repr__(self) -> str:
        state = "lost" if self.lost.is_set() else "held"
        return printable(f"<lease of {self.job_id} by {self.owner}, fence {self.fence}, {state}>")


def take(owner: str, ttl_s: float, takeover: str) -> Decision:
    """The decision that makes `owner` the holder, with the next fence.

    Raises LeaseHeld while another holder is taken for alive, unless `takeover` gives a reason.
    Safe under concurrency: it is decided under the write lock, and every later write of the
    holder before meets the new fence.
    """
    if not owner or not ttl_s > 0:
        raise ValueError("a lease needs an owner and a ttl_s above 0")

    def decision(moment: Moment) -> Iterator[Draft]:
        state = moment.state
        stored = _alive(moment)
        reason = takeover
        if stored is not None and not takeover:
            raise LeaseHeld(
                job_id=state.id, owner=stored.owner, expires_at=instant(stored.expires_at_us)
            )
        if not reason and state.owner is not None:
            reason = f"the lease of {state.owner} had expired"
        fence = state.fence + 1
        expires_at_us = moment.now_us + int(ttl_s * 1_000_000)
        moment.writer.put_lease(moment.job.number, StoredLease(owner, fence, expires_at_us))
        yield Draft(fact=LeaseTaken(owner=owner, fence=fence, reason=reason))

    return decision


def release(lease: Lease) -> Decision:
    """The decision that gives the job back; nothing happens if the lease was lost before."""

    def decision(moment: Moment) -> Iterator[Draft]:
        if _is_current(moment, lease):
            yield Draft(fact=LeaseReleased(owner=lease.owner))

    return decision


def renew(loader: Loader, lease: Lease, clock: Clock) -> bool:
    """Push the expiry out by the lease's ttl; False if it is no longer the job's. One commit."""
    with loader.store.writing() as writer:
        job = writer.job(lease.job_id)
        if job is None or job.number != lease.number:  # it was deleted
            lease.lost.set()
            loader.metrics.lease("lost")
            return False
        tip = writer.tip(job.number)
        stored = None if tip is None else loader.lease(writer, job, tip.fence)
        if stored is None or stored.fence != lease.fence:
            lease.lost.set()
            loader.metrics.lease("lost")
            return False
        expires_at_us = clock.now_us() + int(lease.ttl_s * 1_000_000)
        writer.put_lease(job.number, StoredLease(lease.owner, lease.fence, expires_at_us))
    loader.metrics.lease("renewed")
    return True


def check_lease(
    moment: Moment,
    lease: Lease | None,
    *,
    operator: bool,
    wants: Callable[[], tuple[str, list[int]]],
) -> None:
    """Let a write pass, or refuse it (INV-FENCE).

    With a lease: LeaseLost unless its fence is the job's, and the log keeps that it was tried;
    LeaseForeign if it is of a job of another id, JobReplaced if it is of an earlier one of that
    id. Without one: LeaseHeld while another holder is taken for alive, unless an operator asks.
    """
    state = moment.state
    if lease is not None:
        if lease.job_id != state.id:  # the lease that it is may well be held
            raise LeaseForeign(job_id=state.id, lease_job_id=lease.job_id, owner=lease.owner)
        if lease.number != moment.job.number:
            lease.lost.set()
            raise JobReplaced(job_id=state.id, url=moment.url, what=repr(lease))
        if _is_current(moment, lease):
            return
        lease.lost.set()
        event, ordinals = wants()
        raise RefusedWithRecord(
            LeaseLost(
                job_id=state.id,
                owner=lease.owner,
                fence=lease.fence,
                current_owner=state.owner,
                current_fence=state.fence,
            ),
            Draft(
                fact=WriteRejected(
                    code=LeaseLost.code,
                    owner=lease.owner,
                    fence=lease.fence,
                    event=event,
                    ordinals=ordinals,
                )
            ),
        )
    stored = _alive(moment)
    if stored is not None and not operator:
        raise LeaseHeld(
            job_id=state.id, owner=stored.owner, expires_at=instant(stored.expires_at_us)
        )


class Renewer:
    """Renews a lease from a thread of its own, three times in each ttl, until it is stopped."""

    def __init__(self, loader: Loader, lease: Lease, clock: Clock) -> None:
        self._loader = loader
        self._lease = lease
        self._clock = clock
        self._stop = threading.Event()
        name = f"milepost-lease-{lease.job_id}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing, and wait for a renewal that is under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._lease.ttl_s / 3):
            try:
                if not renew(self._loader, self._lease, self._clock):
                    _log.warning("%r: another holds the job now, or it is deleted", self._lease)
                    return
            except StateError as error:  # the next turn may succeed; the fence protects the job
                self._loader.metrics.lease("not_renewed")
                _log.warning("%r could not be renewed: %s", self._lease, error)


def _is_current(moment: Moment, lease: Lease) -> bool:
    if (moment.state.id, moment.job.number) != (lease.job_id, lease.number):
        return False
    return moment.state.owner == lease.owner and moment.state.fence == lease.fence


def _alive(moment: Moment) -> StoredLease | None:
    """The lease of a holder that has neither given it back nor let it expire."""
    state = moment.state
    if state.owner is None:
        return None
    stored = moment.writer.lease(moment.job.number)
    if stored is None or stored.fence < state.fence:
        problem = f"the lease of job {state.id} is not the one that its log tells of: repair it"
        raise StoreUnreadable(url=moment.url, problem=problem)
    if stored.fence != state.fence or stored.expires_at_us <= moment.now_us:
        return None
    return stored
