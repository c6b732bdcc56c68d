"""`milepost import`: what became of the jobs of an old home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from msgspec import Struct

from milepost.errors import ImportConflict, ImportFailed
from milepost.inspect.counts import Counts, counts
from milepost.inspect.page import Cell, Column, Fields, Page, Table
from milepost.inspect.states import StateName, phase_among
from milepost.log import drafts
from milepost.state.keeping.old_homes import HomeImport, JobImport
from milepost.state.manager import StateManager

__all__ = [
    "ImportLine",
    "ImportView",
    "ImportedJob",
    "import_jobs",
    "import_jobs_page",
    "import_log",
]


class ImportLine(Struct, frozen=True, kw_only=True):
    """One line of the report of an import: `severity` is `note`, `warning` or `loss`.

    `place` is the old file that it is about, or `""` where it is about the job as a whole.
    """

    severity: str
    code: str
    place: str
    message: str


class ImportedJob(Struct, frozen=True, kw_only=True):
    """What became, or would become, of one old job; `problem` says what stood in the way."""

    job: str
    old_job: str
    repo: str
    outcome: str
    source: str
    phase: StateName
    progress: Counts | None
    problem: str
    report: tuple[ImportLine, ...]


class ImportView(Struct, frozen=True, kw_only=True):
    """What became, or would become, of the jobs of an old home; `whole` if nothing was lost.

    `tool` is the one that left the home, or `log` for the log of a job.
    """

    SCHEMA: ClassVar[str] = "milepost.import/1"

    store: str
    tool: str
    home: str
    dry_run: bool
    whole: bool
    jobs: tuple[ImportedJob, ...]
    report: tuple[ImportLine, ...]


def import_jobs(
    manager: StateManager, done: HomeImport, store: str, *, dry_run: bool
) -> ImportView:
    """What was imported into `store`, or would be, by the tables of `manager`."""
    return ImportView(
        store=store,
        tool=done.tool,
        home=str(done.home),
        dry_run=dry_run,
        whole=done.whole,
        jobs=tuple(_job(manager, job) for job in done.jobs),
        report=tuple(map(_line, done.report)),
    )


def import_log(manager: StateManager, file: Path, store: str, *, dry_run: bool) -> ImportView:
    """The one job whose log was in `file`. Raises as Upkeep.import_log does."""
    _, found = manager.upkeep.import_log(file, apply=not dry_run)
    machines = [each for one in manager.lifecycles for each in one.machines.values()]
    job = ImportedJob(
        job=found.id,
        old_job=found.id,
        repo="",
        outcome="would-import" if dry_run else "imported",
        source=str(file),
        phase=phase_among(manager.lifecycles, found.phase),
        progress=None if found.progress is None else counts(found.progress, machines),
        problem="",
        report=(),
    )
    return ImportView(
        store=store,
        tool="log",
        home=str(file),
        dry_run=dry_run,
        whole=True,
        jobs=(job,),
        report=(),
    )


def import_jobs_page(view: ImportView, *, notes: bool) -> Page:
    """A line a job, then a line for all that was lost or is not as it was; notes only if asked."""
    names = next((list(job.progress.parts) for job in view.jobs if job.progress), [])
    found = [("", line) for line in view.report]
    found += [(job.job, line) for job in view.jobs for line in job.report]
    shown = [(job, line) for job, line in found if notes or line.severity != "note"]
    return (
        Fields(entries=(("tool", view.tool), ("from", view.home), ("to", view.store))),
        Table(
            columns=(
                Column("JOB"),
                Column("OUTCOME"),
                Column("PHASE"),
                *(Column(name.upper(), numeric=True) for name in names),
                *(Column(name, numeric=True) for name in ("LOSSES", "WARNINGS", "NOTES")),
            ),
            rows=tuple(_row(job, names) for job in view.jobs),
            empty=f"there are no jobs of {view.tool} in it",
        ),
        Table(
            title="why not",
            columns=(Column("JOB"), Column("PROBLEM")),
            rows=tuple((job.job, job.problem) for job in view.jobs if job.problem),
        ),
        Table(
            title="what was found",
            columns=(Column("JOB"), Column("SEVERITY"), Column("CODE"), Column("MESSAGE")),
            rows=tuple((job, line.severity, line.code, _said(line)) for job, line in shown),
        ),
    )


def _said(line: ImportLine) -> str:
    return f"{line.message} [{line.place}]" if line.place else line.message


def _job(manager: StateManager, job: JobImport) -> ImportedJob:
    machines = [each for one in manager.lifecycles for each in one.machines.values()]
    problem = str(job.error or "")
    if isinstance(job.error, ImportFailed | ImportConflict):
        problem = job.error.problem
    return ImportedJob(
        job=job.job_id,
        old_job=job.old_id,
        repo=job.repo,
        outcome=job.outcome,
        source=job.source,
        phase=phase_among(manager.lifecycles, job.phase),
        progress=None if job.progress is None else counts(job.progress, machines),
        problem=problem,
        report=tuple(map(_line, job.report)),
    )


def _line(line: drafts.ReportLine) -> ImportLine:
    return ImportLine(
        severity=line.severity, code=line.code, place=line.place, message=line.message
    )


def _row(job: ImportedJob, names: Sequence[str]) -> tuple[Cell, ...]:
    parts = {} if job.progress is None else job.progress.parts
    counted = (str(parts.get(name, "?")) for name in names)
    said = [line.severity for line in job.report]
    return (
        job.job,
        job.outcome,
        job.phase or "?",
        *counted,
        *(str(said.count(severity)) for severity in ("loss", "warning", "note")),
    )
