"""`milepost compact`: the small commits of jobs, merged into blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct

from milepost.errors import LifecycleChanged, LogCorrupt
from milepost.inspect.page import Column, Note, Page, Table
from milepost.state.manager import StateManager

__all__ = ["CompactView", "CompactedJob", "compact", "compact_page"]


class CompactedJob(Struct, frozen=True, kw_only=True):
    """What was merged of one job's log; `problem` is why nothing more was, None if all is well."""

    job: str
    commits: int
    merged: int
    blocks: int
    bytes_before: int
    bytes_after: int
    problem: str | None


class CompactView(Struct, frozen=True, kw_only=True):
    """What was merged of each job's log, or would be, unless `applied`."""

    SCHEMA: ClassVar[str] = "milepost.compact/1"

    applied: bool
    jobs: tuple[CompactedJob, ...]


def compact(manager: StateManager, job_ids: Iterable[str], *, apply: bool) -> CompactView:
    """What a merge of the log of each job comes to; it is done only with `apply`.

    A job that cannot be merged has a `problem`. Raises JobAbsent.
    """
    jobs = tuple(_compacted(manager, job_id, apply=apply) for job_id in job_ids)
    return CompactView(applied=apply, jobs=jobs)


def compact_page(view: CompactView) -> Page:
    """A line for each job, what kept us from one, and what became of it all."""
    columns = (
        Column("JOB"),
        Column("COMMITS", numeric=True),
        Column("MERGED", numeric=True),
        Column("BLOCKS", numeric=True),
        Column("BYTES BEFORE", numeric=True),
        Column("BYTES AFTER", numeric=True),
    )
    rows = tuple(
        (
            job.job,
            *(
                str(number)
                for number in (
                    job.commits,
                    job.merged,
                    job.blocks,
                    job.bytes_before,
                    job.bytes_after,
                )
            ),
        )
        for job in view.jobs
    )
    problems = tuple(Note(f"{job.job}: {job.problem}") for job in view.jobs if job.problem)
    saved = sum(job.bytes_before - job.bytes_after for job in view.jobs)
    outcome = "applied" if view.applied else "nothing was changed: --apply does it"
    outcome = f"{saved} bytes less; {outcome}" if saved else "nothing to merge"
    table = (Table(columns=columns, rows=rows),) if rows else ()
    return (*table, *problems, Note(outcome))


def _compacted(manager: StateManager, job_id: str, *, apply: bool) -> CompactedJob:
    try:
        done = manager.upkeep.compact(job_id, apply=apply)
    except (LogCorrupt, LifecycleChanged) as error:
        return CompactedJob(
            job=job_id,
            commits=0,
            merged=0,
            blocks=0,
            bytes_before=0,
            bytes_after=0,
            problem=str(error),
        )
    return CompactedJob(
        job=job_id,
        commits=done.commits,
        merged=done.rows,
        blocks=done.blocks,
        bytes_before=done.bytes_before,
        bytes_after=done.bytes_after,
        problem=None,
    )
