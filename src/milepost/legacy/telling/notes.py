"""What turning an old job into a log has to say, beside what reading it had to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from milepost.log.drafts import ReportLine

__all__ = ["Note", "Notes", "report_of"]

_MOST_LINES: Final = 1000
_MOST_CHARS: Final = 2000
_ORDER: Final = ("loss", "warning", "note")


class Note(StrEnum):
    """The code of a line of the report."""

    JOB_RENAMED = "job-renamed"
    JOB_KNOWN = "job-known"
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


_SEVERITIES: Final[Mapping[Note, str]] = {
    Note.JOB_RENAMED: "note",
    Note.JOB_KNOWN: "warning",
    Note.ITEM_RENAMED: "note",
    Note.ITEMS_SKIPPED: "loss",
    Note.ITEMS_SETTLED: "warning",
    Note.RESULTS_UNKNOWN: "warning",
    Note.VALUE_NOT_STORED: "loss",
    Note.ATTEMPTS_UNTOLD: "note",
    Note.ATTEMPTS_ADDED: "note",
    Note.ATTEMPTS_DROPPED: "loss",
    Note.PHASE_UNKNOWN: "warning",
    Note.PHASE_HELD_BACK: "warning",
    Note.REDUCE_UNKNOWN: "note",
    Note.ENVIRONMENT_LEFT_OUT: "note",
    Note.TIMES_CLAMPED: "warning",
    Note.LINES_LEFT_OUT: "note",
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
                severity=severity,
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


def report_of(
    found: Iterable[ReportLine], lines: Iterable[ReportLine] = ()
) -> tuple[ReportLine, ...]:
    """What a reader found, then `lines`: a thousand at most, and then how many more there were."""
    said = [
        line
        if len(line.message) <= _MOST_CHARS
        else replace(line, message=line.message[:_MOST_CHARS])
        for line in found
    ]
    every = [*lines, *said]
    if len(every) <= _MOST_LINES:
        return (*said, *lines)
    every.sort(key=lambda line: _ORDER.index(line.severity))
    left = len(every) - _MOST_LINES
    rest = ReportLine(
        severity=_SEVERITIES[Note.LINES_LEFT_OUT],
        code=Note.LINES_LEFT_OUT.value,
        place="",
        message=f"and {left} lines more, none of them more severe than the last",
    )
    return (*every[:_MOST_LINES], rest)
