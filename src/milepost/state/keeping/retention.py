"""Retention: how long jobs and checkpoints are kept, and which of them may go now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from sys import intern
from types import MappingProxyType
from typing import Final, NamedTuple

from milepost import arguments
from milepost.clock import instant
from milepost.errors import LifecycleChanged, StateError, StoreUnreadable
from milepost.job.versions import Catalogue, named
from milepost.log.rows import (
    Row,
    StoredCheckpointSize,
    StoredJob,
    StoredKeep,
    StoredLease,
    Tip,
    Tombstone,
)
from milepost.roles import Outcome
from milepost.state.checkpoint import KEPT, superfluous
from milepost.state.reading.departures import departure_of
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.naming import Names
from milepost.state.reading.outline import outline
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
    "holder_of",
    "judge",
    "keep_of",
    "kept_of",
    "plan_jobs",
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
_STEP: Final = 128


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetentionPolicy:
    """How long a job is kept after its newest commit, by how it ended.

    That is what its lifecycle's roles say: `completed` is for those that succeeded. None keeps such
    jobs for ever; `ended` is for those of which no role says how they ended. Active and paused jobs
    always stay. Of a job that stays, the newest `checkpoints` of each reason are kept. The
    tombstone of a deleted job, which takes some hundred bytes, is kept for `tombstones`.
    Jobs of a lifecycle that `lifecycles` names go by the policy there, whose ages and number of
    checkpoints stand in the place of these.
    """

    completed: timedelta | None = timedelta(days=7)
    failed: timedelta | None = timedelta(days=30)
    cancelled: timedelta | None = timedelta(days=7)
    ended: timedelta | None = None
    checkpoints: int = KEPT
    tombstones: timedelta | None = timedelta(days=365)
    lifecycles: Mapping[str, RetentionPolicy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("completed", "failed", "cancelled", "ended", "tombstones"):
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
        match outcome:
            case "completed":
                return self.completed
            case "failed":
                return self.failed
            case "cancelled":
                return self.cancelled
            case "ended":
                return self.ended
        return None


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
    What is left of a job that moves to another store is no such: a move ends it.
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

    Cost: one pass over the sizes of all rows, and one row a job, a step at a time; states are
    loaded only of jobs that are held.
    """
    made_at = instant(observer.now_us())
    unreadable: list[StateError] = []
    verdicts: list[Verdict] = []
    beside = _Beside(loader, reader)
    tips = reader.tips(unreadable.append)
    while step := list(islice(tips, _STEP)):
        sizes = _sizes(reader, step)
        for tip in step:
            try:
                log = JobLog(loader, reader, tip.job)
                size_bytes = sizes.get(tip.job.number)
                if size_bytes is None:
                    size_bytes = reader.sizes(tip.job.number).total_bytes
                verdict = judge(log, tip.row, policy, observer, beside, size_bytes)
                verdicts.append(verdict)
            except StoreUnreadable as error:
                unreadable.append(error)
    return RetentionPlan(
        policy=policy,
        made_at=made_at,
        verdicts=tuple(verdicts),
        left=tuple(one for one in reader.tombstones_left() if departure_of(one) is None),
        unreadable=tuple(map(str, unreadable)),
    )


def plan_jobs(
    loader: Loader,
    reader: Reader,
    policy: RetentionPolicy,
    observer: Observer,
    job_ids: Iterable[str],
) -> RetentionPlan:
    """The verdict on these jobs alone, in the order of their ids as given.

    Cost: a look at each of them, and one pass over its rows. Raises JobIdInvalid, JobAbsent, and
    StoreUnreadable for a job whose entry or newest row cannot be read.
    """
    verdicts = []
    for job_id in dict.fromkeys(job_ids):
        log = loader.log(reader, job_id)
        tip = reader.tip(log.number)
        if tip is None:
            raise log.corrupt(1, "it is missing")
        size_bytes = reader.sizes(log.number).total_bytes
        verdicts.append(judge(log, tip, policy, observer, size_bytes=size_bytes))
    return RetentionPlan(
        policy=policy, made_at=instant(observer.now_us()), verdicts=tuple(verdicts), left=()
    )


class _Beside:
    """What is asked of many jobs at once: which have rows beside their log, and where they stand.

    `keeps`, `held` and `checkpoints` are the numbers of jobs that may have such rows: of all that
    have them, or of the one `number`, which is not asked for here.
    """

    def __init__(self, loader: Loader, reader: Reader, number: int | None = None) -> None:
        if number is None:
            self.keeps = reader.having("keep")
            self.held = reader.having("held")
            self.checkpoints = reader.having("checkpoint")
        else:
            self.keeps = self.held = self.checkpoints = {number}
        self._tables = loader.tables
        self._names = Names(loader, reader)
        self._standings: dict[tuple[str, str], _Standing] = {}

    def standing(self, entry: StoredJob, phase: str) -> _Standing:
        """How a job stands that is in `phase`; looked up once for each phase of each version.

        Raises LogCorrupt where only its log can tell its lifecycle, and cannot be read.
        """
        key = entry.lifecycle, phase
        found = self._standings.get(key)
        if found is None:
            lifecycle, version = self._names.of(entry)
            outcome, reason = UNKNOWN, ""
            if self._tables.knows(entry.lifecycle):
                outcome = _outcome(self._tables, entry.lifecycle, phase)
            else:
                reason = named(lifecycle, version, entry.lifecycle)
            found = self._standings[key] = _Standing(lifecycle, intern(phase), outcome, reason)
        return found


class _Standing(NamedTuple):
    """The lifecycle of a job by its name, its phase, how it has ended, and why that is unknown."""

    lifecycle: str
    phase: str
    outcome: str
    reason: str


def _sizes(reader: Reader, tips: list[Tip]) -> dict[int, int]:
    """By number, how many bytes are stored of the jobs; nothing where some cannot be read."""
    numbers = [tip.job.number for tip in tips]
    try:
        found = reader.sizes_of(min(numbers), max(numbers))
    except StoreUnreadable:
        return {}
    return {number: found.get(number, 0) for number in numbers}


def judge(
    log: JobLog,
    tip: Row,
    policy: RetentionPolicy,
    observer: Observer,
    beside: _Beside | None = None,
    size_bytes: int = 0,
) -> Verdict:
    """The verdict on one job, of which so much is stored.

    Under the write lock it is the one that counts. `beside` is given where many are judged.
    """
    number = log.number
    if beside is None:
        beside = _Beside(log.loader, log.reader, number)
    keep = log.reader.keep(number) if number in beside.keeps else None
    kept_for = None
    try:
        lifecycle, phase, outcome, reason = beside.standing(log.entry, log.tally(tip).phase)
    except StateError as error:
        lifecycle, phase, outcome, why, reason = "", "?", ACTIVE, Why.UNREADABLE, str(error)
    else:
        why = Why.UNKNOWN if outcome == UNKNOWN else Why.ACTIVE
    ended = outcome not in (ACTIVE, UNKNOWN)
    now_us = observer.now_us()
    age = timedelta(microseconds=max(now_us - tip.at_us, 0))
    if ended:
        policy = policy.of(lifecycle)
        kept_for = policy.kept_for(outcome) if keep is None else _age(keep.for_us)
        unsaid = outcome == ENDED and policy.ended is None
        reason = keep.reason if keep else _UNSAID if unsaid else ""
        if tip.at_us > now_us:  # it is kept from then on: what is young by mistake can still go
            reason = reason or f"its newest commit is dated ahead, at {instant(tip.at_us)}"
        why = Why.FOR_EVER
        if kept_for is not None:
            why = Why.OLD if age >= kept_for else Why.YOUNG
        holder = holder_of(log, tip, observer) if number in beside.held else None
        if holder is not None:
            why, reason = Why.HELD, holder.owner
    thinned: tuple[StoredCheckpointSize, ...] = ()
    if ended and number in beside.checkpoints and why not in (Why.OLD, Why.HELD):
        thinned = _thinned(log, policy.checkpoints)
    goes = why == Why.OLD
    return Verdict(
        job_id=log.job_id,
        lifecycle=lifecycle,
        number=number,
        seq=tip.seq,
        digest=tip.digest,
        phase=phase,
        outcome=outcome,
        age=age,
        goes=goes,
        why=why,
        kept_for=kept_for,
        reason=reason,
        checkpoints=tuple(one.seq for one in thinned),
        size_bytes=size_bytes,
        goes_bytes=size_bytes if goes else sum(one.size_bytes for one in thinned),
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


def holder_of(log: JobLog, tip: Row, observer: Observer) -> StoredLease | None:
    """The lease of an executor that still seems alive and has not given the job back.

    One that would have to be watched is believed by the wall clock: who asks takes the job out of
    its reach, and does not stay.
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
    except LifecycleChanged:
        given_back = outline(log).owner is None
    except StateError:
        given_back = False  # not known: so the job stays as long as the lease runs
    return None if given_back else lease


def _thinned(log: JobLog, keep: int) -> tuple[StoredCheckpointSize, ...]:
    """The checkpoints that may go: never the newest that verifies, which loading begins with."""
    listed = log.reader.checkpoint_sizes(log.number)
    going = set(superfluous(((one.seq, one.reason) for one in listed), keep))
    if going:
        going.discard(_needed(log) or 0)
    return tuple(one for one in listed if one.seq in going)


def _needed(log: JobLog) -> int | None:
    for stored in log.reader.checkpoints(log.number):
        try:
            return log.verified(stored).seq
        except StateError:
            continue  # an older one may do
    return None
