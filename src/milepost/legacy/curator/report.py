"""What the reader has to say: each choice, and everything that it could not carry over."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from milepost.log.drafts import ReportLine

__all__ = ["Code", "Report"]


class Code(StrEnum):
    """What a line of the report is about."""

    NOT_LISTED = "not-listed"
    NOT_ALL_LISTED = "walk-limit"
    LINK_NOT_FOLLOWED = "link-not-followed"
    FILE_UNREADABLE = "file-unreadable"
    FILE_TOO_LARGE = "file-too-large"
    FILE_NOT_READ = "file-not-read"
    BATCHES_OPEN = "batches-open"
    LINES_SKIPPED = "lines-skipped"
    LINE_TORN = "line-torn"
    KEY_TWICE = "key-twice"
    REQUESTS_UNCOUNTED = "requests-uncounted"
    ITEMS_MISSING = "items-missing"
    ITEM_DUPLICATE = "item-duplicate"
    ITEM_UNLISTED = "item-unlisted"
    VALUE_DIFFERS = "value-differs"
    VALUE_NOT_JSON = "value-not-json"
    REQUEST_DIFFERS = "request-differs"
    ANSWER_REPEATED = "answer-repeated"
    RESULT_DIFFERS = "result-differs"
    ZONE_UNKNOWN = "zone-unknown"


_NOTE, _WARNING, _LOSS = "note", "warning", "loss"
_SEVERITIES: Final[Mapping[Code, str]] = {
    Code.NOT_LISTED: _LOSS,
    Code.NOT_ALL_LISTED: _LOSS,
    Code.LINK_NOT_FOLLOWED: _LOSS,
    Code.FILE_UNREADABLE: _LOSS,
    Code.FILE_TOO_LARGE: _LOSS,
    Code.FILE_NOT_READ: _NOTE,
    Code.BATCHES_OPEN: _WARNING,
    Code.LINES_SKIPPED: _LOSS,
    Code.LINE_TORN: _LOSS,
    Code.KEY_TWICE: _LOSS,
    Code.REQUESTS_UNCOUNTED: _WARNING,
    Code.ITEMS_MISSING: _LOSS,
    Code.ITEM_DUPLICATE: _NOTE,
    Code.ITEM_UNLISTED: _WARNING,
    Code.VALUE_DIFFERS: _LOSS,
    Code.VALUE_NOT_JSON: _LOSS,
    Code.REQUEST_DIFFERS: _WARNING,
    Code.ANSWER_REPEATED: _NOTE,
    Code.RESULT_DIFFERS: _LOSS,
    Code.ZONE_UNKNOWN: _NOTE,
}
assert _SEVERITIES.keys() == set(Code), "every code has a severity"


class Report:
    """Lines in the order in which they were made. Each reading has its own."""

    def __init__(self) -> None:
        self.lines: list[ReportLine] = []

    def add(self, code: Code, place: str, message: str) -> None:
        """Say something of a file."""
        severity = _SEVERITIES[code]
        self.lines.append(
            ReportLine(severity=severity, code=code.value, place=place, message=message)
        )

    def some(self, code: Code, place: str, which: list[int], message: str) -> None:
        """Say something of the rows, or the lines, of these numbers, if there are any."""
        if which:
            few = ", ".join(str(each)[:20] for each in which[:3])
            more = ", ..." if len(which) > 3 else ""
            self.add(code, place, f"{len(which)} {message} ({few}{more})")
