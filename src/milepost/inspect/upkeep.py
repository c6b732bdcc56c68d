"""What is told of a store's upkeep, as data and as pages: its format, how tightly it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from milepost.inspect.page import Block, Column, Note, Page, Table

__all__ = [
    "BackupView",
    "CompactView",
    "CompactedJob",
    "MigrateView",
    "MigrationStep",
    "backup_page",
    "compact_page",
    "migrate_page",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupView:
    """A copy of the store that was made: its size, and how many jobs it holds."""

    SCHEMA: ClassVar[str] = "milepost.backup/1"

    store: str
    copy: str
    size_bytes: int
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStep:
    """A step that takes a store to format `version`; `sql` is None where it was not asked for."""

    version: int
    title: str
    sql: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateView:
    """The format of a store, the newest there is, and the steps between: taken, if `applied`."""

    SCHEMA: ClassVar[str] = "milepost.migrate/1"

    store: str
    format: int
    newest: int
    applied: bool
    steps: tuple[MigrationStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedJob:
    """What was merged of one job's log; `problem` is why nothing more was, None if all is well."""

    job: str
    commits: int
    merged: int
    blocks: int
    bytes_before: int
    bytes_after: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactView:
    """What was merged of each job's log, or would be, unless `applied`."""

    SCHEMA: ClassVar[str] = "milepost.compact/1"

    applied: bool
    jobs: tuple[CompactedJob, ...]


def backup_page(view: BackupView) -> Page:
    """One line: what is in the copy."""
    jobs = f"{view.jobs} job{'' if view.jobs == 1 else 's'}"
    return (Note(f"{view.copy}: {jobs}, {view.size_bytes:,} bytes"),)


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


def migrate_page(view: MigrateView) -> Page:
    """The steps, what they run if that was asked for, and what became of them."""
    columns = (Column("FORMAT", numeric=True), Column("BRINGS"))
    rows = tuple((str(step.version), step.title) for step in view.steps)
    table: tuple[Block, ...] = (Table(columns=columns, rows=rows),) if rows else ()
    if not view.steps:
        outcome = "the newest: nothing to do"
    elif view.applied:
        outcome = f"taken from {view.steps[0].version - 1}"
    else:
        outcome = f"the newest is {view.newest}: --apply, or any open for writing, takes it there"
    return (*table, *_statements(view), Note(f"{view.store} has format {view.format}, {outcome}"))


def _statements(view: MigrateView) -> Iterator[Note]:
    for step in view.steps:
        for line in (step.sql or "").strip().splitlines():
            yield Note(line)
