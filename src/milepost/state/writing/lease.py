"""Leases: who works on a job, told apart by fences; time only says when another may take over."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from milepost import arguments
from milepost.clock import instant
from milepost.errors import (
    JobReplaced,
    LeaseForeign,
    LeaseHeld,
    LeaseLost,
    StateError,
    StoreUnreadable,
)
from milepost.log.facts import Draft, LeaseReleased, LeaseTaken, WriteRejected, check_job_id
from milepost.log.rows import StoredLease
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.writing.decision import Decision, Moment, RefusedWithRecord
from milepost.state.writing.liveness import Standing, Verdict
from milepost.state.writing.observing import Observer
from milepost.text.escapes import printable
from milepost.text.wording import one_line, short_repr

__all__ = [
    "Holding",
    "Lease",
    "Renewer",
    "check_lease",
    "default_owner",
    "give_back",
    "held",
    "holding",
    "release",
    "renew",
    "take",
]

_log: Final = logging.getLogger("milepost.lease")


def default_owner() -> str:
    """A name for this process that tells people where to look: host and process id."""
    return f"{os.uname().nodename}:{os.getpid()}"


class Lease:
    """The right to write as the executor of a job, as long as `fence` is the job's newest.

    `number` is the job's in its store, which tells it from a later one of the same id. `lost` is
    set by the renewal that finds another holder; a write finds out in any case.
    """

    def __init__(self, job_id: str, number: int, owner: str, fence: int, ttl_s: float) -> None:
        self.job_id = check_job_id(job_id)
        self.number = arguments.integer("number", number)
        self.owner = arguments.text("owner", owner, least=1)
        self.fence = arguments.integer("fence", fence)
        self.ttl_s = arguments.seconds("ttl_s", ttl_s, above=0)
        self.lost = threading.Event()

    def __repr__(self) -> str:
        state = "lost" if self.lost.is_set() else "held"
        return one_line(
            printable(f"<lease of {self.job_id} by {self.owner}, fence {self.fence}, {state}>")
        )


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Holding:
    """The holder of a job, its fence, and whether it may be replaced, as seen from here.

    It may be replaced in `left_s` at most, unless it renews; `reason` says why it may be already.
    `expires_at` is by its wall clock, for people.
    """

    owner: str
    fence: int
    expires_at: datetime
    standing: Standing
    left_s: float
    reason: str


def holding(observer: Observer, number: int, stored: StoredLease) -> Holding:
    """The holder of the job numbered `number`; `stored` was read just before."""
    verdict = observer.judge(number, stored)
    return Holding(
        owner=stored.owner,
        fence=stored.fence,
        expires_at=instant(stored.expires_at_us),
        standing=verdict.standing,
        left_s=verdict.left_us / 1_000_000,
        reason=verdict.reason,
    )


def held(job_id: str, stored: StoredLease, verdict: Verdict) -> LeaseHeld:
    """The error for who meets that holder of the job, of whom the `verdict` is."""
    return LeaseHeld(
        job_id=job_id,
        owner=stored.owner,
        expires_at=instant(stored.expires_at_us),
        left_s=verdict.left_us / 1_000_000,
        ttl_s=verdict.ttl_us / 1_000_000,
        fence=stored.fence,
        watched=verdict.standing == Standing.WATCHED,
    )


def take(owner: str, ttl_s: float, takeover: str) -> Decision:
    """The decision that makes `owner` the holder, with the next fence.

    Raises LeaseHeld while another holder is taken for alive, unless `takeover` gives a reason; a
    holder whose process has ended is replaced at once, with that as the reason. Safe under
    concurrency: it is decided under the write lock, and every later write of the holder before
    meets the new fence.
    """
    if not owner or not ttl_s > 0:
        raise ValueError("a lease needs an owner and a ttl_s above 0")

    def decision(moment: Moment) -> Iterator[Draft]:
        state = moment.state
        reason = takeover
        if state.owner is not None and not takeover:
            reason = _replaceable(moment)
        fence = state.fence + 1
        unharmed = _unharmed(moment)
        stamp = moment.observer.stamp(owner, fence, ttl_s, moment.now_us)
        moment.writer.put_lease(moment.log.number, stamp)
        yield Draft(fact=LeaseTaken(owner=owner, fence=fence, reason=reason, unharmed=unharmed))

    return decision


def release(lease: Lease) -> Decision:
    """The decision that gives the job back; nothing happens if the lease was lost before."""

    def decision(moment: Moment) -> Iterator[Draft]:
        if _is_current(moment, lease):
            give_back(moment, lease.fence)
            yield Draft(fact=LeaseReleased(owner=lease.owner))

    return decision


def give_back(moment: Moment, fence: int) -> None:
    """Note in the lease of `fence`, in the commit that says so, that its holder gave the job back.

    That nobody holds the job is in the log alone; by the note a look for holders passes it over.
    """
    number = moment.log.number
    try:
        stored = moment.writer.lease(number)
    except StoreUnreadable:
        return  # it stays as it is: `verify` tells of it
    if stored is not None and stored.fence == fence:
        moment.writer.put_lease(number, stored.given_back())


def renew(loader: Loader, lease: Lease, observer: Observer) -> bool:
    """Begin the lease's ttl anew; False if it is no longer the job's. One commit.

    However long ago it was renewed: what counts is that nobody took over.
    """
    with loader.store.writing(lease.job_id) as writer:
        job = writer.job(lease.job_id)
        if job is None or job.number != lease.number:  # it was deleted
            lease.lost.set()
            loader.metrics.lease("lost")
            return False
        tip = writer.tip(job.number)
        stored = None if tip is None else JobLog(loader, writer, job).lease(tip.fence)
        if stored is None or stored.fence != lease.fence:
            lease.lost.set()
            loader.metrics.lease("lost")
            return False
        now_us = observer.now_us()
        writer.put_lease(job.number, observer.stamp(lease.owner, lease.fence, lease.ttl_s, now_us))
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
        if lease.number != moment.log.number:
            lease.lost.set()
            raise JobReplaced(job_id=state.id, url=moment.log.url, what=repr(lease))
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
    if state.owner is not None and not operator:
        _replaceable(moment)


class Renewer:
    """Renews a lease from a thread of its own, three times in each ttl, until it is stopped."""

    def __init__(self, loader: Loader, lease: Lease, observer: Observer) -> None:
        self._loader = loader
        self._lease = lease
        self._observer = observer
        self._stop = threading.Event()
        name = f"milepost-lease-{lease.job_id}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing, and wait for a renewal that is under way. Not for the child of a fork."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._lease.ttl_s / 3):
            try:
                if not renew(self._loader, self._lease, self._observer):
                    _log.warning("%r: another holds the job now, or it is deleted", self._lease)
                    return
            except StateError as error:  # the next turn may succeed; the fence protects the job
                self._loader.metrics.lease("not_renewed")
                _log.warning("%r could not be renewed: %s", self._lease, error)


def _is_current(moment: Moment, lease: Lease) -> bool:
    if (moment.state.id, moment.log.number) != (lease.job_id, lease.number):
        return False
    return moment.state.owner == lease.owner and moment.state.fence == lease.fence


def _unharmed(moment: Moment) -> bool:
    """True if there is something in flight and whoever has it has not died, for all that we see.

    It gave the job back, or its process is one of this machine, and is there.
    """
    state = moment.state
    if not state.progress.running:
        return False
    if state.owner is None:
        return not state.executor_lost
    stored = moment.writer.lease(moment.log.number)
    return stored is not None and moment.observer.sees(stored)


def _replaceable(moment: Moment) -> str:
    """Why the holder, who has not given the job back, may be replaced. Raises LeaseHeld."""
    state = moment.state
    stored = moment.writer.lease(moment.log.number)
    if stored is None or stored.fence < state.fence:
        problem = f"the lease of job {state.id} is not the one that its log tells of"
        raise StoreUnreadable(url=moment.log.url, problem=problem)
    if stored.fence != state.fence:
        return f"the lease of {state.owner} had expired"
    verdict = moment.observer.judge(moment.log.number, stored)
    if verdict.replaceable:
        return verdict.reason
    raise held(state.id, stored, verdict)
