"""The answers about what is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from milepost.drafts import Line
from milepost.job import Progress

__all__ = [
    "ImportLine",
    "ImportView",
    "ImportedJob",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedJob:
    """What became, or would become, of one old job; `problem` says what stood in the way."""

    job: str
    old_job: str
    repo: str
    outcome: str
    source: str
    phase: str
    progress: Progress | None
    problem: str
    report: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLine:
    """A line of a report, and the job that it is about; `""` where it is of the whole home."""

    job: str
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportView:
    """What became, or would become, of the jobs of an old home; `whole` if nothing was lost."""

    SCHEMA: ClassVar[str] = "milepost.import/1"

    store: str
    home: str
    dry_run: bool
    whole: bool
    jobs: tuple[ImportedJob, ...]
    report: tuple[Line, ...]
