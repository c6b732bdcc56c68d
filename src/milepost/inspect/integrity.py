"""Views of verdicts, repairs and salvages as pages: what is lost stands beside what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from milepost.inspect.page import Column, Note, Page, Table
from milepost.inspect.views import (
    QuarantineView,
    RepairView,
    SalvageView,
    VerifiedJob,
    VerifyView,
)
from milepost.inspect.words import stamp
from milepost.state.salvage import SalvagedJob, describe

__all__ = ["quarantine_page", "repair_page", "salvage_page", "verify_page"]


def verify_page(view: VerifyView) -> Page:
    """The verdict on each job, what was found wrong, and what that loses."""
    columns = (
        Column("JOB"),
        Column("VERDICT"),
        Column("COMMITS", numeric=True),
        Column("CHECKPOINTS", numeric=True),
        Column("ITEMS", numeric=True),
    )
    rows = tuple(
        (
            job.job,
            "sound" if job.sound else "NOT SOUND",
            str(job.commits),
            str(job.checkpoints),
            str(job.items),
        )
        for job in view.jobs
    )
    found = [("", "", "medium", problem, "") for problem in view.store_problems]
    found += [problem for job in view.jobs for problem in _problems(job)]
    return (
        Table(columns=columns, rows=rows, empty="no jobs"),
        Table(
            title="problems",
            columns=(
                Column("JOB"),
                Column("SEQ", numeric=True),
                Column("BREAKS"),
                Column("WHAT"),
                Column("LOST"),
            ),
            rows=tuple(found),
        ),
        Note(f"{view.store}: {'sound' if view.sound else 'NOT SOUND'}"),
    )


def _problems(job: VerifiedJob) -> Iterator[tuple[str, str, str, str, str]]:
    for problem in job.problems:
        seq = "" if problem.seq is None else str(problem.seq)
        yield job.job, seq, problem.invariant, problem.message, problem.lost


def repair_page(view: RepairView) -> Page:
    """What a repair does to each job, what it loses, and what it cannot mend."""
    steps = [
        (repair.job_id, step.does, step.loses) for repair in view.repairs for step in repair.steps
    ]
    steps += [
        ("", f"sets {stray.count} rows of {stray.source} aside", f"job number {stray.number}")
        for stray in view.strays
    ]
    beyond = [("", "medium", problem, "") for problem in view.store_problems]
    beyond += [
        (repair.job_id, problem.invariant, problem.message, problem.lost)
        for repair in view.repairs
        for problem in repair.beyond
    ]
    does = "what was done" if view.applied else "what a repair would do"
    return (
        Table(
            title=does,
            columns=(Column("JOB"), Column("IT"), Column("LOST")),
            rows=tuple(steps),
            empty="there is nothing to repair",
        ),
        Table(
            title="what no repair mends",
            columns=(Column("JOB"), Column("BREAKS"), Column("WHAT"), Column("LOST")),
            rows=tuple(beyond),
        ),
        Note(f"{view.store}: {'sound' if view.sound else 'NOT SOUND'}"),
    )


def quarantine_page(view: QuarantineView) -> Page:
    """A line for each row that was set aside."""
    rows = tuple(
        (
            str(row.number),
            stamp(row.at),
            row.job_id,
            row.source,
            str(row.key),
            str(len(row.results)),
            row.reason,
        )
        for row in view.rows
    )
    columns = (
        Column("NUMBER", numeric=True),
        Column("AT"),
        Column("JOB"),
        Column("FROM"),
        Column("KEY", numeric=True),
        Column("PAYLOADS", numeric=True),
        Column("WHY"),
    )
    return (Table(columns=columns, rows=rows, empty="the quarantine is empty"),)


def salvage_page(view: SalvageView) -> Page:
    """What was copied of each job, and what was lost of it."""
    rows = tuple(
        (
            job.job_id or f"number {job.number}",
            "whole" if job.whole else "NOT WHOLE",
            str(job.commits),
            str(job.item_blocks),
            str(job.aside_count),
        )
        for job in view.jobs
    )
    columns = (
        Column("JOB"),
        Column("VERDICT"),
        Column("COMMITS", numeric=True),
        Column("ITEM BLOCKS", numeric=True),
        Column("SET ASIDE", numeric=True),
    )
    lost = tuple((job.job_id, what) for job in view.jobs for what in _lost(job))
    return (
        Table(columns=columns, rows=rows, empty="no jobs"),
        Table(title="what was lost", columns=(Column("JOB"), Column("WHAT")), rows=lost),
        Note(f"{view.new}: {'everything was copied' if view.whole else 'NOT ALL was copied'}"),
    )


def _lost(job: SalvagedJob) -> Iterator[str]:
    yield from (describe(gap) for gap in job.gaps)
    if job.problem:
        yield job.problem
    if job.repair is not None:
        yield from (f"{step.does}: {step.loses}" for step in job.repair.steps)
        yield from (f"{problem.message}: {problem.lost}" for problem in job.repair.beyond)
