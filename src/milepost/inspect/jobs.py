"""`milepost jobs`: the jobs of a store, and those that their holders left."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from msgspec import UNSET, Struct

from milepost.arguments import MAX_COUNT
from milepost.errors import StateError, StoreUnreadable
from milepost.inspect.counts import Counts, counts
from milepost.inspect.page import Cell, Column, Page, Table
from milepost.inspect.states import StateName, phase_among
from milepost.inspect.words import ago, stamp
from milepost.state.manager import StateManager
from milepost.state.recovering.reaping import StuckJob
from milepost.state.writing.new_jobs import JobSummary

__all__ = [
    "JobLine",
    "JobsView",
    "StuckLine",
    "StuckView",
    "jobs",
    "jobs_page",
    "stuck",
    "stuck_page",
    "stuck_table",
]


class JobLine(Struct, frozen=True, kw_only=True):
    """A job as of its newest commit `seq`.

    It runs by the `lifecycle` of that name, in that `version`, which is 0 where it is not known.
    One that cannot go on under the lifecycles that are found is not `at_hand`: then phase and
    progress are those of its own version. `progress` is None where nothing tells what its states
    mean.
    """

    id: str
    lifecycle: str
    version: int
    at_hand: bool
    phase: StateName
    progress: Counts | None
    seq: int
    fence: int
    created_at: datetime
    updated_at: datetime


class JobsView(Struct, frozen=True, kw_only=True):
    """The jobs of a store, newest first: the first of `total` that were asked for.

    There are `more` where the limit cuts; then `total` is None if it would take a look at every
    job to tell. `unreadable` says why jobs are left out that were looked at.
    """

    SCHEMA: ClassVar[str] = "milepost.jobs/1"

    jobs: tuple[JobLine, ...]
    total: int | None
    unreadable: tuple[str, ...] = ()
    more: bool = False


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
    phase: str | None = None,
    lifecycle: str | None = None,
    prefix: str = "",
    limit: int | None = None,
) -> JobsView:
    """The newest `limit` jobs in `phase`, of `lifecycle`, whose id begins with `prefix`.

    Cost: as StateManager.list_jobs; where there are more, all are counted by their ids.
    """
    unreadable: list[StateError] = []
    found = manager.list_jobs(
        phase=phase,
        lifecycle=lifecycle,
        prefix=prefix,
        limit=None if limit is None else min(limit + 1, MAX_COUNT),
        on_error=unreadable.append,
    )
    lines = tuple(_line(manager, job) for job in found[:limit])
    total: int | None = len(found)
    if len(found) > len(lines):
        total = None
        if phase is None and lifecycle is None:
            with suppress(StoreUnreadable):  # which jobs that is of, only a look at all tells
                total = manager.count_jobs(prefix)
    return JobsView(
        jobs=lines,
        total=total,
        unreadable=tuple(map(str, unreadable)),
        more=len(found) > len(lines),
    )


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
    """A line for each job, with its lifecycle where they differ or one is not at hand."""
    several = len({job.lifecycle for job in view.jobs}) > 1
    named = several or not all(job.at_hand for job in view.jobs)
    columns = (
        Column("JOB"),
        *((Column("LIFECYCLE"),) if named else ()),
        Column("PHASE"),
        Column("DONE", numeric=True),
        Column("LEFT", numeric=True),
        Column("DEAD", numeric=True),
        Column("ITEMS", numeric=True),
        Column("SEQ", numeric=True),
        Column("UPDATED"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            job.id,
            *((f"{job.lifecycle} {job.version or '?'}",) if named else ()),
            job.phase,
            *_counts(job.progress),
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
        Column("EXPIRED"),
        Column("LAST WRITE"),
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


def _line(manager: StateManager, job: JobSummary) -> JobLine:
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


def _counts(progress: Counts | None) -> tuple[str, ...]:
    """Done, left, dead and all; unknown for a job of another lifecycle, empty without a role."""
    if progress is None:
        return ("?",) * 4
    left = sum(progress.left.values())
    known = (progress.done, left, progress.dead, progress.total)
    has_items = progress.total or progress.parts
    return tuple("" if count is UNSET or not has_items else str(count) for count in known)
