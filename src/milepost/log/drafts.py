"""A whole log about to be stored: what is made of another tool's job, free of that tool.

Nothing of it is stored yet, and nothing of it has been decided: whoever stores it applies each
fact as it goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from milepost.log.facts import Draft, Imported, JobCreated
from milepost.log.rows import InputBlock
from milepost.text.escapes import printable
from milepost.text.wording import short_repr

__all__ = ["CommitDraft", "LogDraft", "ReportLine"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportLine:
    """One line of the report of an import: `severity` is `note`, `warning` or `loss`.

    `place` is the old file that it is about, or `""` where it is about the job as a whole.
    """

    severity: str
    code: str
    place: str
    message: str

    def __str__(self) -> str:
        return printable(f"{self.place or 'the job'}: {self.severity} {self.code}: {self.message}")


class CommitDraft(NamedTuple):
    """The facts of one commit, and its time in microseconds since 1970."""

    at_us: int
    drafts: list[Draft]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDraft:
    """A job as a log: the first commit holds `created` and `imported`, then `commits` follow.

    Times never fall from `created_at_us` over those of the commits to `updated_at_us`, all in
    microseconds since 1970.
    """

    job_id: str
    created: JobCreated
    blocks: tuple[InputBlock, ...]
    imported: Imported
    report: tuple[ReportLine, ...]
    created_at_us: int
    updated_at_us: int
    commits: tuple[CommitDraft, ...]
