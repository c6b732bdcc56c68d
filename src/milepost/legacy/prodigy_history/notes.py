"""What turning an old job into a log has to say, beside what reading it had to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from milepost.legacy.prodigy import Finding, Severity
from milepost.log.drafts import ReportLine

__all__ = ["Note", "Notes", "lines_of"]

_MOST_LINES: Final = 1000
_MOST_CHARS: Final = 2000


class Note(StrEnum):
    """What a line is about."""

    JOB_RENAMED = "job-renamed"
    ITEM_RENAMED = "item-renamed"
    ITEMS_SKIPPED = "items-skipped"
    ITEMS_SETTLED = "items-settled"
    RESULTS_UNKNOWN = "results-unknown"
    VALUE_NOT_STORED = "value-not-stored"
    ATTEMPTS_UNTOLD = "attempts-untold"
    ATTEMPTS_ADDED = "attempts-added"
    ATTEMPTS_DROPPED = "attempts-dropped"
    PHASE_UNKNOWN = "phase-unknown"
    PHASE_HELD_BACK = "phase-held-back"
    REDUCE_UNKNOWN = "reduce-unknown"
    ENVIRONMENT_LEFT_OUT = "environment-left-out"
    TIMES_CLAMPED = "times-clamped"
    LINES_LEFT_OUT = "lines-left-out"


_SEVERITIES: Final[Mapping[Note, Severity]] = {
    Note.JOB_RENAMED: Severity.NOTE,
    Note.ITEM_RENAMED: Severity.NOTE,
    Note.ITEMS_SKIPPED: Severity.LOSS,
    Note.ITEMS_SETTLED: Severity.WARNING,
    Note.RESULTS_UNKNOWN: Severity.WARNING,
    Note.VALUE_NOT_STORED: Severity.LOSS,
    Note.ATTEMPTS_UNTOLD: Severity.NOTE,
    Note.ATTEMPTS_ADDED: Severity.NOTE,
    Note.ATTEMPTS_DROPPED: Severity.LOSS,
    Note.PHASE_UNKNOWN: Severity.WARNING,
    Note.PHASE_HELD_BACK: Severity.WARNING,
    Note.REDUCE_UNKNOWN: Severity.NOTE,
    Note.ENVIRONMENT_LEFT_OUT: Severity.NOTE,
    Note.TIMES_CLAMPED: Severity.WARNING,
    Note.LINES_LEFT_OUT: Severity.NOTE,
}
assert _SEVERITIES.keys() == set(Note), "every note has a severity"


class Notes:
    """Lines about one job, in the order in which they were made. Each conversion has its own."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.lines: list[ReportLine] = []

    def add(self, note: Note, message: str) -> None:
        """Say something."""
        severity = _SEVERITIES[note]
        self.lines.append(
            ReportLine(
                severity=severity.value,
                code=note.value,
                place=self._place,
                message=message[:_MOST_CHARS],
            )
        )

    def some(self, note: Note, names: list[str], message: str) -> None:
        """Say something of the items, or whatever else has these names, if there are any."""
        if names:
            few = ", ".join(repr(name[:80]) for name in names[:3])
            more = ", ..." if len(names) > 3 else ""
            self.add(note, f"{len(names)} {message} ({few}{more})")


def lines_of(
    findings: Iterable[Finding], lines: Iterable[ReportLine] = ()
) -> tuple[ReportLine, ...]:
    """What a reader found, then `lines`: a thousand at most, and then how many more there were."""
    said = [
        ReportLine(
            severity=finding.severity.value,
            code=finding.code.value,
            place=finding.path,
            message=finding.message[:_MOST_CHARS],
        )
        for finding in findings
    ]
    every = [*lines, *said]
    if len(every) <= _MOST_LINES:
        return (*said, *lines)
    order = (Severity.LOSS, Severity.WARNING, Severity.NOTE)
    every.sort(key=lambda line: order.index(Severity(line.severity)))
    left = len(every) - _MOST_LINES
    rest = ReportLine(
        severity=Severity.NOTE.value,
        code=Note.LINES_LEFT_OUT.value,
        place="",
        message=f"and {left} lines more, none of them more severe than the last",
    )
    return (*every[:_MOST_LINES], rest)
