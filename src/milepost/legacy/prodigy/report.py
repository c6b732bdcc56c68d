"""What a reader has to say: every choice it made, and everything that it could not carry over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from milepost.text.escapes import printable

__all__ = ["Code", "Finding", "Report", "Severity"]


class Severity(StrEnum):
    """How much a finding matters."""

    NOTE = "note"
    """A choice, or something of no consequence; nothing is missing."""
    WARNING = "warning"
    """Sources disagree, or something is not as it should be; what was carried is said."""
    LOSS = "loss"
    """Something was there and is not part of the result."""


class Code(StrEnum):
    """What a finding is about."""

    # Finding files
    LINK_NOT_FOLLOWED = "link-not-followed"
    NAME_NOT_UTF8 = "name-not-utf8"
    NOT_LISTED = "not-listed"
    WALK_LIMIT = "walk-limit"
    JOB_ID_UNUSUAL = "job-id-unusual"
    JOB_ID_SHARED = "job-id-shared"
    PLACE_DUPLICATE = "place-duplicate"
    SHARED_AMBIGUOUS = "shared-ambiguous"
    LOCK_IGNORED = "lock-ignored"
    OTHER_FORMAT = "other-format"
    FILE_UNKNOWN = "file-unknown"
    # Reading one file
    FILE_UNREADABLE = "file-unreadable"
    FILE_TOO_LARGE = "file-too-large"
    BYTES_DAMAGED = "bytes-damaged"
    SHAPE_INVALID = "shape-invalid"
    PACKAGE_MISSING = "package-missing"
    ENCODING_MISNAMED = "encoding-misnamed"
    VERSION_NEWER = "version-newer"
    ID_DIFFERS = "id-differs"
    LINES_SKIPPED = "lines-skipped"
    EVENTS_FOREIGN = "events-foreign"
    EVENTS_UNKNOWN = "events-unknown"
    EVENTS_UNLINKED = "events-unlinked"
    EVENTS_REPEATED = "events-repeated"
    # Choosing between files
    CHOSEN = "chosen"
    FELL_BACK = "fell-back"
    TEMPORARY_USED = "temporary-used"
    METADATA_ABSENT = "metadata-absent"
    METADATA_DIFFERS = "metadata-differs"
    HASH_MATCHED = "hash-matched"
    HASH_ABSENT = "hash-absent"
    HASH_MISMATCH = "hash-mismatch"
    INCONSISTENT = "inconsistent"
    # Bringing sources together
    SUCCESS_WINS = "success-wins"
    VALUE_DIFFERS = "value-differs"
    VALUE_UNKNOWN = "value-unknown"
    RESULT_DIFFERS = "result-differs"
    ITEM_UNLISTED = "item-unlisted"
    ITEM_DUPLICATE = "item-duplicate"
    ITEMS_MISSING = "items-missing"
    STATUS_UNKNOWN = "status-unknown"
    PENDING_DIFFERS = "pending-differs"
    COUNTS_DIFFER = "counts-differ"
    PARTIAL_SOURCE = "partial-source"


_NOTES: Final = frozenset(
    {
        Code.JOB_ID_UNUSUAL,
        Code.LOCK_IGNORED,
        Code.OTHER_FORMAT,
        Code.FILE_UNKNOWN,
        Code.ENCODING_MISNAMED,
        Code.EVENTS_REPEATED,
        Code.CHOSEN,
        Code.METADATA_ABSENT,
        Code.METADATA_DIFFERS,
        Code.HASH_MATCHED,
        Code.HASH_ABSENT,
        Code.PENDING_DIFFERS,
        Code.COUNTS_DIFFER,
    }
)
_LOSSES: Final = frozenset(
    {
        Code.LINK_NOT_FOLLOWED,
        Code.NAME_NOT_UTF8,
        Code.NOT_LISTED,
        Code.WALK_LIMIT,
        Code.SHARED_AMBIGUOUS,
        Code.FILE_UNREADABLE,
        Code.FILE_TOO_LARGE,
        Code.BYTES_DAMAGED,
        Code.SHAPE_INVALID,
        Code.PACKAGE_MISSING,
        Code.VERSION_NEWER,
        Code.LINES_SKIPPED,
        Code.HASH_MISMATCH,
        Code.VALUE_DIFFERS,
        Code.VALUE_UNKNOWN,
        Code.RESULT_DIFFERS,
        Code.ITEMS_MISSING,
    }
)
SEVERITIES: Final[Mapping[Code, Severity]] = {
    code: Severity.NOTE
    if code in _NOTES
    else Severity.LOSS
    if code in _LOSSES
    else Severity.WARNING
    for code in Code
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a report. `path` is relative to the home, or whole where it is of a project."""

    code: Code
    path: str
    message: str

    @property
    def severity(self) -> Severity:
        """How much it matters: the same for every finding of one code."""
        return SEVERITIES[self.code]

    def __str__(self) -> str:
        return printable(f"{self.path or '.'}: {self.severity} {self.code}: {self.message}")


class Report:
    """Findings in the order in which they were made; a finding equal to an earlier one is left out.

    Not thread-safe: each reading has its own.
    """

    def __init__(self) -> None:
        self._findings: dict[Finding, None] = {}

    def add(self, code: Code, path: str, message: str) -> None:
        """Note a finding."""
        self._findings[Finding(code=code, path=path, message=message)] = None

    def extend(self, findings: tuple[Finding, ...]) -> None:
        """Note findings that were made elsewhere."""
        self._findings.update(dict.fromkeys(findings))

    def findings(self) -> tuple[Finding, ...]:
        """All of them so far."""
        return tuple(self._findings)
