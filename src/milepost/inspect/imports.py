"""What became of old jobs, for people: one line a job, and what was lost or is not as it was."""

from __future__ import annotations

from milepost.errors import ImportConflict, ImportFailed
from milepost.inspect.page import Badge, Cell, Column, Fields, Page, Table
from milepost.inspect.views import ImportedJob, ImportLine, ImportView
from milepost.job import JOB
from milepost.state.old_homes import HomeImport, JobImport

__all__ = ["import_page", "import_view"]

_COUNTED = ("pending", "running", "done", "failed", "dead", "skipped")


def import_view(done: HomeImport, store: str, *, dry_run: bool) -> ImportView:
    """What was imported into `store`, or would be."""
    return ImportView(
        store=store,
        home=str(done.home),
        dry_run=dry_run,
        whole=done.whole,
        jobs=tuple(_job(job) for job in done.jobs),
        report=done.report,
    )


def import_page(view: ImportView, *, notes: bool) -> Page:
    """A line a job, then a line for all that was lost or is not as it was; notes only if asked."""
    shown = [line for line in _lines(view) if notes or line.line.severity != "note"]
    return (
        Fields(entries=(("from", view.home), ("to", view.store))),
        Table(
            columns=(
                Column("JOB"),
                Column("OUTCOME"),
                Column("PHASE"),
                *(Column(name.upper(), numeric=True) for name in _COUNTED),
                *(Column(name, numeric=True) for name in ("LOSSES", "WARNINGS", "NOTES")),
            ),
            rows=tuple(_row(job) for job in view.jobs),
            empty="there are no jobs in it",
        ),
        Table(
            title="why not",
            columns=(Column("JOB"), Column("PROBLEM")),
            rows=tuple((job.job, job.problem) for job in view.jobs if job.problem),
        ),
        Table(
            title="what was found",
            columns=(Column("JOB"), Column("SEVERITY"), Column("CODE"), Column("MESSAGE")),
            rows=tuple((s.job, s.line.severity, s.line.code, _said(s)) for s in shown),
        ),
    )


def _lines(view: ImportView) -> list[ImportLine]:
    of_home = [ImportLine(job="", line=line) for line in view.report]
    of_jobs = [ImportLine(job=job.job, line=line) for job in view.jobs for line in job.report]
    return of_home + of_jobs


def _said(shown: ImportLine) -> str:
    return f"{shown.line.message} [{shown.line.place}]" if shown.line.place else shown.line.message


def _job(job: JobImport) -> ImportedJob:
    problem = str(job.error or "")
    if isinstance(job.error, ImportFailed | ImportConflict):
        problem = job.error.problem
    return ImportedJob(
        job=job.job_id,
        old_job=job.old_id,
        repo=job.repo,
        outcome=job.outcome,
        source=job.source,
        phase=job.phase,
        progress=job.progress,
        problem=problem,
        report=job.report,
    )


def _row(job: ImportedJob) -> tuple[Cell, ...]:
    counts = ["?"] * len(_COUNTED)
    if job.progress is not None:
        counts = [str(getattr(job.progress, name)) for name in _COUNTED]
    said = [line.severity for line in job.report]
    return (
        job.job,
        job.outcome,
        Badge(JOB, job.phase) if job.phase else "?",
        *counts,
        *(str(said.count(severity)) for severity in ("loss", "warning", "note")),
    )
