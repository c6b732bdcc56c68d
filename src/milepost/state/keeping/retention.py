"""Retention: how long jobs and checkpoints are kept, and which of them may go now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from milepost import arguments
from milepost.clock import instant
from milepost.errors import StateError, StoreUnreadable
from milepost.job.versions import Catalogue, named
from milepost.log.rows import Row, StoredJob, StoredKeep, StoredLease, Tombstone
from milepost.roles import Outcome
from milepost.state.checkpoint import KEPT, superfluous
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.naming import Names
from milepost.state.writing.liveness import Standing, current_by_wall
from milepost.state.writing.observing import Observer
from milepost.stores.protocol import Reader
from milepost.text.wording import short_repr

__all__ = [
    "ACTIVE",
    "ENDED",
    "UNKNOWN",
    "Kept",
    "RetentionPlan",
    "RetentionPolicy",
    "Verdict",
    "Why",
    "judge",
    "keep_of",
    "kept_of",
    "plan_retention",
]

ACTIVE: Final = "active"
"""The outcome of a job that has none yet: paused ones are among them."""

UNKNOWN: Final = "unknown"
"""The outcome of a job whose lifecycle is not at hand: it may have ended, or be at work."""

ENDED: Final = "ended"
"""The outcome of a job that has ended, where its lifecycle has no role that says how."""

_NAMES: Final[Mapping[Outcome, str]] = {
    Outcome.SUCCEEDED: "completed",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
}
"""The names that policies and tombstones have for outcomes."""

_UNSAID: Final = "its lifecycle does not say how it ended (roles: outcomes)"
_MICROSECOND: Final = timedelta(microseconds=1)
_LONGEST: Final = timedelta(days=1_000_000)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetentionPolicy:
    """How long a job is kept after its newest commit, by how it ended.

    That is what its lifecycle's roles say: `completed` is for those that succeeded. None keeps such
    jobs for ever, as those are kept of which no role says how they ended. Active and paused jobs
    always stay. Of a job that stays, the newest `checkpoints` of each reason are kept. The
    tombstone of a deleted job, which takes some hundred bytes, is kept for `tombstones`.
    Jobs of a lifecycle that `lifecycles` names go by the policy there, whose ages and number of
    checkpoints stand in the place of these.
    """

    completed: timedelta | None = timedelta(days=7)
    failed: timedelta | None = timedelta(days=30)
    cancelled: timedelta | None = timedelta(days=7)
    checkpoints: int = KEPT
    tombstones: timedelta | None = timedelta(days=365)
    lifecycles: Mapping[str, RetentionPolicy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("completed", "failed", "cancelled", "tombstones"):
            age = getattr(self, name)
            if age is not None:
                arguments.span(name, age, _LONGEST)
        kept = arguments.integer("checkpoints", self.checkpoints, 1)
        object.__setattr__(self, "checkpoints", kept)
        own = arguments.mapping("lifecycles", self.lifecycles)
        for each in own.values():
            arguments.instance("lifecycles", each, RetentionPolicy)
            if each.lifecycles:
                arguments.refuse("lifecycles", each, "policies that name no lifecycles themselves:")
        object.__setattr__(self, "lifecycles", MappingProxyType(own))

    def of(self, lifecycle: str) -> RetentionPolicy:
        """The policy for jobs of the lifecycle of that name."""
        return self.lifecycles.get(lifecycle, self)

    def kept_for(self, outcome: str) -> timedelta | None:
        """How long jobs of that outcome are kept, None for ever."""
        ages = (self.completed, self.failed, self.cancelled)
        return dict(zip(_NAMES.values(), ages, strict=True)).get(outcome)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Kept:
    """How long one job is kept after its newest commit, None for ever, by its owner's own word."""

    job_id: str
    for_: timedelta | None
    reason: str
    set_at: datetime


class Why(StrEnum):
    """Why a job goes or stays."""

    OLD = "old"  # goes: it ended longer ago than it is kept
    YOUNG = "young"
    ACTIVE = "active"
    HELD = "held"  # an executor has it under a lease
    FOR_EVER = "for-ever"
    UNKNOWN = "unknown"  # nothing here knows its lifecycle, and so not whether it has ended
    UNREADABLE = "unreadable"  # what cannot be read is not taken for something that may go


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Verdict:
    """The decision of retention about one job, as of its commit `seq` with that `digest`.

    `lifecycle` is the name of the one that it runs by. `kept_for` is how long it is kept, None for
    ever or as long as it is active; `reason` is that of whoever said so of this job, or names its
    holder. `checkpoints` are those that go although the job stays. `size_bytes` is all that is
    stored of the job, and `goes_bytes` what goes of it.
    """

    job_id: str
    lifecycle: str
    number: int
    seq: int
    digest: bytes
    phase: str
    outcome: str
    age: timedelta
    goes: bool
    why: Why
    kept_for: timedelta | None
    reason: str
    checkpoints: tuple[int, ...]
    size_bytes: int
    goes_bytes: int


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetentionPlan:
    """The jobs that a collector may delete by `policy`, as of `made_at`; it changes nothing.

    `left` are jobs whose deletion was begun and not ended: nobody sees them, their rows still go.
    `unreadable` names the jobs that cannot be read, and why: they are left alone.
    """

    policy: RetentionPolicy
    made_at: datetime
    verdicts: tuple[Verdict, ...]
    left: tuple[Tombstone, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def goes_bytes(self) -> int:
        """How much would be deleted, beside what is `left`."""
        return sum(verdict.goes_bytes for verdict in self.verdicts)

    @property
    def changes_nothing(self) -> bool:
        """True if there is nothing to delete."""
        idle = not any(verdict.goes or verdict.checkpoints for verdict in self.verdicts)
        return idle and not self.left


def plan_retention(
    loader: Loader, reader: Reader, policy: RetentionPolicy, observer: Observer
) -> RetentionPlan:
    """The verdict on every job, in order of creation. A job of an unknown lifecycle stays.

    Cost: one pass over the sizes of all rows; states are loaded only of jobs that are held.
    """
    made_at = instant(observer.now_us())
    unreadable: list[StateError] = []
    verdicts: list[Verdict] = []
    names = Names(loader, reader)
    for tip in list(reader.tips(unreadable.append)):
        try:
            verdict = judge(JobLog(loader, reader, tip.job), tip.row, policy, observer, names)
            verdicts.append(_measured(reader, verdict))
        except StoreUnreadable as error:
            unreadable.append(error)
    return RetentionPlan(
        policy=policy,
        made_at=made_at,
        verdicts=tuple(verdicts),
        left=tuple(reader.tombstones_left()),
        unreadable=tuple(map(str, unreadable)),
    )


def judge(
    log: JobLog,
    tip: Row,
    policy: RetentionPolicy,
    observer: Observer,
    names: Names | None = None,
) -> Verdict:
    """The verdict on one job, without its sizes. Under the write lock it is the one that counts."""
    keep = log.reader.keep(log.number)
    kept_for, lifecycle = None, ""
    try:
        phase = log.tally(tip).phase
        lifecycle, version = (names or Names(log.loader, log.reader)).of(log.entry)
    except StateError as error:
        phase, outcome, why, reason = "?", ACTIVE, Why.UNREADABLE, str(error)
    else:
        policy = policy.of(lifecycle)
        outcome, why, reason = UNKNOWN, Why.UNKNOWN, named(lifecycle, version, log.entry.lifecycle)
        tables = log.loader.tables
        if tables.knows(log.entry.lifecycle):
            outcome, why, reason = _outcome(tables, log.entry.lifecycle, phase), Why.ACTIVE, ""
            kept_for = policy.kept_for(outcome) if keep is None else _age(keep.for_us)
    ended = outcome not in (ACTIVE, UNKNOWN)
    now_us = observer.now_us()
    age = timedelta(microseconds=max(now_us - tip.at_us, 0))
    if ended:
        reason = keep.reason if keep else _UNSAID if outcome == ENDED else ""
        if tip.at_us > now_us:  # it is kept from then on: what is young by mistake can still go
            reason = reason or f"its newest commit is dated ahead, at {instant(tip.at_us)}"
        why = Why.FOR_EVER
        if kept_for is not None:
            why = Why.OLD if age >= kept_for else Why.YOUNG
        holder = _holder(log, tip, observer)
        if holder is not None:
            why, reason = Why.HELD, holder.owner
    thinned = ended and why not in (Why.OLD, Why.HELD)
    return Verdict(
        job_id=log.job_id,
        lifecycle=lifecycle,
        number=log.number,
        seq=tip.seq,
        digest=tip.digest,
        phase=phase,
        outcome=outcome,
        age=age,
        goes=why == Why.OLD,
        why=why,
        kept_for=kept_for if ended else None,
        reason=reason,
        checkpoints=_thinned(log, policy.checkpoints) if thinned else (),
        size_bytes=0,
        goes_bytes=0,
    )


def _outcome(tables: Catalogue, digest: str, phase: str) -> str:
    """How a job has ended that is in `phase` of the version of that digest, or ACTIVE or ENDED.

    By the roles of that version, and where those say nothing, of the one that it would go on under.
    """
    version, current = tables.get(digest), tables.current_of(digest)
    outcome = None
    final = False
    if version is not None:
        root = version.machines[version.root]
        outcome, final = root.roles.outcomes.get(phase), phase in root.final
    upgrade = current.upgrades.get(digest) if current is not None else None
    if current is not None and upgrade is not None and outcome is None:
        root = current.machines[current.root]
        earlier = upgrade.machines.get(current.root)
        if earlier is not None:
            after = earlier.states.get(phase, phase)
            outcome = earlier.roles.outcomes.get(phase) or root.roles.outcomes.get(after)
            final = final or after in root.final
    if outcome is not None:
        return _NAMES[outcome]
    return ENDED if final else ACTIVE


def keep_of(for_: timedelta | None, reason: str, now_us: int) -> StoredKeep:
    """How long a job is kept, as it is stored. Raises ValueError below 0 and beyond reason."""
    if for_ is not None:
        arguments.span("for_", for_, _LONGEST)
    return StoredKeep(None if for_ is None else for_ // _MICROSECOND, reason, now_us)


def kept_of(job: StoredJob, keep: StoredKeep | None) -> Kept | None:
    """The stored `keep` of `job`, for people."""
    if keep is None:
        return None
    set_at = instant(keep.set_at_us)
    return Kept(job_id=job.job_id, for_=_age(keep.for_us), reason=keep.reason, set_at=set_at)


def _age(for_us: int | None) -> timedelta | None:
    return None if for_us is None else timedelta(microseconds=for_us)


def _measured(reader: Reader, verdict: Verdict) -> Verdict:
    size_bytes = reader.sizes(verdict.number).total_bytes
    goes_bytes = size_bytes if verdict.goes else 0
    if verdict.checkpoints:
        going = set(verdict.checkpoints)
        listed = reader.checkpoint_sizes(verdict.number)
        goes_bytes = sum(one.size_bytes for one in listed if one.seq in going)
    return replace(verdict, size_bytes=size_bytes, goes_bytes=goes_bytes)


def _holder(log: JobLog, tip: Row, observer: Observer) -> StoredLease | None:
    """The lease of an executor that still seems alive and has not given the job back.

    One that would have to be watched is believed by the wall clock: the job has ended, and a
    collector does not stay.
    """
    lease = log.reader.lease(log.number)
    if lease is None or lease.fence != tip.fence:
        return None
    verdict = observer.judge(log.number, lease)
    if verdict.replaceable:
        return None
    if verdict.standing == Standing.WATCHED and not current_by_wall(lease, observer.now_us()):
        return None
    try:
        given_back = log.load().state.owner is None
    except StateError:
        given_back = False  # not known: so the job stays as long as the lease runs
    return None if given_back else lease


def _thinned(log: JobLog, keep: int) -> tuple[int, ...]:
    """The checkpoints that may go: never the newest that verifies, which loading begins with."""
    listed = log.reader.checkpoint_sizes(log.number)
    going = superfluous(((one.seq, one.reason) for one in listed), keep)
    return tuple(_without(going, _needed(log))) if going else ()


def _needed(log: JobLog) -> int | None:
    for stored in log.reader.checkpoints(log.number):
        try:
            return log.verified(stored).seq
        except StateError:
            continue  # an older one may do
    return None


def _without(seqs: Iterable[int], needed: int | None) -> list[int]:
    return [seq for seq in seqs if seq != needed]
