"""Pages about a store's upkeep: its format, copies of it, how tightly it is kept."""

from __future__ import annotations

from collections.abc import Iterator

from milepost.inspect.page import Block, Column, Note, Page, Table
from milepost.inspect.views import BackupView, CompactView, MigrateView

__all__ = [
    "backup_page",
    "compact_page",
    "migrate_page",
]


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
