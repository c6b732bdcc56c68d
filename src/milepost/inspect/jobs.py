"""`milepost jobs`: the jobs of a store, and those that their holders left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum, auto
from typing import ClassVar, Final, TypeAlias

from msgspec import UNSET, Struct

from milepost.arguments import MAX_COUNT
from milepost.errors import StateError, StoreUnreadable
from milepost.inspect.counts import Counts, counts
from milepost.inspect.page import Cell, Column, Page, Table
from milepost.inspect.states import StateName, phase_among
from milepost.inspect.words import ago, stamp
from milepost.machine import Lifecycle
from milepost.roles import Outcome
from milepost.state.keeping.retention import ACTIVE, ENDED, UNKNOWN
from milepost.state.manager import StateManager
from milepost.state.recovering.reaping import StuckJob
from milepost.state.writing.new_jobs import JobSummary

__all__ = [
    "WANTED_OUTCOMES",
    "JobLine",
    "JobsView",
    "Sort",
    "StuckLine",
    "StuckView",
    "jobs",
    "jobs_page",
    "outcomes_of",
    "stuck",
    "stuck_page",
    "stuck_table",
]


WANTED_OUTCOMES: Final = (ACTIVE, *map(str, Outcome))
"""The outcomes that can be asked for."""


class Sort(StrEnum):
    """What jobs are sorted by: the newest first, the largest first, ids from A to Z."""

    CREATED = auto()
    UPDATED = auto()
    ID = auto()
    LEFT = auto()


class JobLine(Struct, frozen=True, kw_only=True):
    """A job as of its newest commit `seq`.

    It runs by the `lifecycle` of that name, in that `version`, which is 0 where it is not known.
    One that cannot go on under the lifecycles that are found is not `at_hand`: then phase and
    progress are those of its own version. `progress` is None where nothing tells what its states
    mean. `outcome` is `active`, how it ended by its lifecycle's roles, `ended` where those do not
    say, or `unknown` without the lifecycle.
    """

    id: str
    lifecycle: str
    version: int
    at_hand: bool
    phase: StateName
    outcome: str
    progress: Counts | None
    seq: int
    fence: int
    created_at: datetime
    updated_at: datetime


class JobsView(Struct, frozen=True, kw_only=True):
    """The jobs of a store, sorted as it was asked for: the first of `total`.

    There are `more` where the limit cuts; then `total` is None if it would take a look at every
    job to tell. `unreadable` says why jobs are left out that were looked at. Where an outcome was
    asked for, `unknown` counts jobs that are left out as nothing here tells theirs.
    """

    SCHEMA: ClassVar[str] = "milepost.jobs/1"

    jobs: tuple[JobLine, ...]
    total: int | None
    unreadable: tuple[str, ...] = ()
    more: bool = False
    unknown: int = 0


class StuckLine(Struct, frozen=True, kw_only=True):
    """A job that was never given back, and whose holder has ended or does not renew its lease.

    `running` items are in the hands of `owner`, the holder of `fence`. `why` says how that is
    known. It is not `sure` where the holder has to be watched for `left_s` before it may be
    replaced. `expired_at` is by wall clocks, and not later than now.
    """

    id: str
    phase: StateName
    seq: int
    owner: str
    fence: int
    expired_at: datetime
    updated_at: datetime
    running: int
    sure: bool
    why: str
    left_s: float


class StuckView(Struct, frozen=True, kw_only=True):
    """The jobs that were left by their holders, as of `as_of`.

    `unknown` says which were and cannot go on under the lifecycles at hand: they are left alone.
    `unreadable` says which jobs cannot be told of, and why.
    """

    SCHEMA: ClassVar[str] = "milepost.jobs.stuck/1"

    as_of: datetime
    jobs: tuple[StuckLine, ...]
    unknown: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def jobs(
    manager: StateManager,
    *,
    phases: Collection[str] = (),
    outcome: str = "",
    lifecycle: str | None = None,
    prefix: str = "",
    since: datetime | None = None,
    sort: Sort = Sort.CREATED,
    limit: int | None = None,
) -> JobsView:
    """The first `limit` jobs, as `sort` has them, of which all is true that is asked for.

    They are in one of `phases`, stand as `outcome` says, run by `lifecycle`, have an id that begins
    with `prefix`, and were written to at or after `since`.

    Cost: as StateManager.list_jobs with the limit where jobs of one phase are asked for, or of all,
    in order of creation; where there are more, all are counted by their ids. Else one row a job.
    """
    unreadable: list[StateError] = []
    by_index = sort is Sort.CREATED and len(phases) < 2 and not outcome and since is None
    found = manager.list_jobs(
        phase=next(iter(phases)) if len(phases) == 1 else None,
        lifecycle=lifecycle,
        prefix=prefix,
        limit=min(limit + 1, MAX_COUNT) if by_index and limit is not None else None,
        on_error=unreadable.append,
    )
    outcome_of = outcomes_of(manager)
    unknown = 0
    if not by_index:
        kept = [
            job
            for job in found
            if (not phases or job.phase in phases) and (since is None or job.updated_at >= since)
        ]
        told = [(job, outcome_of(job)) for job in kept]
        unknown = sum(each == UNKNOWN for _, each in told) if outcome else 0
        found = sorted((job for job, each in told if outcome in ("", each)), key=_KEYS[sort])
    lines = tuple(_line(manager, job, outcome_of(job)) for job in found[:limit])
    total: int | None = len(found)
    if by_index and len(found) > len(lines):
        total = None
        if not phases and lifecycle is None:
            with suppress(StoreUnreadable):  # which jobs that is of, only a look at all tells
                total = manager.count_jobs(prefix)
    return JobsView(
        jobs=lines,
        total=total,
        unreadable=tuple(map(str, unreadable)),
        more=len(found) > len(lines),
        unknown=unknown,
    )


def outcomes_of(manager: StateManager) -> Callable[[JobSummary], str]:
    """How a job stands, by the roles of the lifecycles at hand: one of the outcomes, or another."""
    ends = _ends(manager.lifecycles)

    def outcome_of(job: JobSummary) -> str:
        known = ends.get(job.lifecycle) if job.at_hand else None
        return UNKNOWN if known is None else known.get(job.phase, ACTIVE)

    return outcome_of


def stuck(manager: StateManager, *, now: datetime) -> StuckView:
    """The jobs that were not given back, and whose holder has ended or does not renew."""
    unreadable: list[StateError] = []
    unknown: list[StateError] = []
    found = manager.stuck_jobs(on_error=unreadable.append, on_unknown=unknown.append)
    return StuckView(
        as_of=now,
        jobs=tuple(_stuck_line(manager, job) for job in found),
        unknown=tuple(map(str, unknown)),
        unreadable=tuple(map(str, unreadable)),
    )


def jobs_page(view: JobsView) -> Page:
    """A line for each job, with its lifecycle where they differ or one is not at hand.

    Done, left, dead and skipped add up to the items, with those that ended in another way, which
    have a column where there are any.
    """
    ended = any(job.progress and job.progress.ended for job in view.jobs)
    several = len({job.lifecycle for job in view.jobs}) > 1
    named = several or not all(job.at_hand for job in view.jobs)
    columns = (
        Column("JOB"),
        *((Column("LIFECYCLE"),) if named else ()),
        Column("PHASE"),
        Column("DONE", numeric=True),
        Column("LEFT", numeric=True),
        Column("DEAD", numeric=True),
        Column("SKIPPED", numeric=True),
        *((Column("ENDED", numeric=True),) if ended else ()),
        Column("ITEMS", numeric=True),
        Column("SEQ", numeric=True),
        Column("UPDATED", whole=True),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            job.id,
            *((f"{job.lifecycle} {job.version or '?'}",) if named else ()),
            job.phase,
            *_counts(job.progress, ended=ended),
            str(job.seq),
            stamp(job.updated_at),
        )
        for job in view.jobs
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def stuck_page(view: StuckView) -> Page:
    """A line for each job whose holder has gone quiet."""
    return stuck_table(view.jobs, view.as_of)


def stuck_table(jobs: tuple[StuckLine, ...], now: datetime) -> Page:
    """A line for each job that was left, as of `now`; nothing if there is none."""
    columns = (
        Column("JOB"),
        Column("PHASE"),
        Column("HELD BY"),
        Column("FENCE", numeric=True),
        Column("EXPIRED", whole=True),
        Column("LAST WRITE", whole=True),
        Column("IN FLIGHT", numeric=True),
        Column("WHY"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            job.id,
            job.phase,
            job.owner,
            str(job.fence),
            ago(job.expired_at, now),
            stamp(job.updated_at),
            str(job.running),
            job.why,
        )
        for job in jobs
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


_Ends: TypeAlias = Mapping[str, Mapping[str, str]]

_KEYS: Final[Mapping[Sort, Callable[[JobSummary], tuple[float | str, ...]]]] = {
    Sort.CREATED: lambda _: (),
    Sort.UPDATED: lambda job: (-job.updated_at.timestamp(), job.id),
    Sort.ID: lambda job: (job.id,),
    Sort.LEFT: lambda job: (-_left(job), job.id),
}
"""The keys of sorting; jobs come newest first."""


def _left(job: JobSummary) -> int:
    return -1 if job.progress is None else job.progress.total - job.progress.settled


def _ends(lifecycles: Iterable[Lifecycle]) -> _Ends:
    """By lifecycle, how a job has ended in each of its phases; active ones are left out."""
    found: dict[str, Mapping[str, str]] = {}
    for each in lifecycles:
        root = each.machines[each.root]
        named = {phase: str(outcome) for phase, outcome in root.roles.outcomes.items()}
        found[each.name] = dict.fromkeys(root.final, ENDED) | named
    return found


def _line(manager: StateManager, job: JobSummary, outcome: str) -> JobLine:
    named = [each for each in manager.lifecycles if each.name == job.lifecycle]
    machines = None
    if job.at_hand:  # or one of that name may be another
        machines = [each.machines[c.machine] for each in named for c in each.collections.values()]
    return JobLine(
        id=job.id,
        lifecycle=job.lifecycle,
        version=job.version,
        at_hand=job.at_hand,
        phase=phase_among(manager.lifecycles, job.phase, job.lifecycle),
        outcome=outcome,
        progress=None if job.progress is None else counts(job.progress, machines),
        seq=job.seq,
        fence=job.fence,
        created_at=job.created_at,
        updated_at=job.updated_at,
    )


def _stuck_line(manager: StateManager, job: StuckJob) -> StuckLine:
    return StuckLine(
        id=job.id,
        phase=phase_among(manager.lifecycles, job.phase),
        seq=job.seq,
        owner=job.owner,
        fence=job.fence,
        expired_at=job.expired_at,
        updated_at=job.updated_at,
        running=job.running,
        sure=job.sure,
        why=job.why,
        left_s=job.left_s,
    )


def _counts(progress: Counts | None, *, ended: bool) -> tuple[str, ...]:
    """Done, left, dead, skipped, perhaps `ended`, and all.

    Unknown for a job of another lifecycle, empty without a role.
    """
    if progress is None:
        return ("?",) * (6 if ended else 5)
    left = sum(progress.left.values())
    other = (progress.ended,) if ended else ()
    known = (progress.done, left, progress.dead, progress.skipped, *other, progress.total)
    has_items = progress.total or progress.parts
    return tuple("" if count is UNSET or not has_items else str(count) for count in known)
