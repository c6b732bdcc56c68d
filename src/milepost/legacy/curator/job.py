"""The files of one job brought together: each row with what was asked and what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Final, TypeVar

from milepost.legacy.curator.files import Limits, Listed, lines
from milepost.legacy.curator.report import Code, Report
from milepost.legacy.curator.wire import (
    Answer,
    KeyTwiceError,
    NotALineError,
    Request,
    answer_of,
    request_of,
)
from milepost.legacy.telling.attempts import MOST_ATTEMPTS, ToldAttempt, moves_of
from milepost.legacy.telling.history import items_of
from milepost.legacy.telling.names import Named
from milepost.legacy.telling.notes import Note, Notes
from milepost.legacy.telling.values import Move, ToldItem, ToldJob
from milepost.lifecycles.mapreduce import ItemEventName
from milepost.log.codec import DIGEST_BYTES
from milepost.text.keys import key_twice

__all__ = ["TOOL", "is_job", "read"]

TOOL: Final = "curator"
"""The name of the tool in the log."""

_REQUESTS: Final = re.compile(r"requests_([0-9]{1,9})\.jsonl", re.ASCII)
_RESPONSES: Final = re.compile(r"responses_([0-9]{1,9})\.jsonl", re.ASCII)
_METADATA: Final = re.compile(r"metadata_([0-9]{1,9})\.json", re.ASCII)
_BATCHES: Final = "batch_objects.jsonl"
_NO_RESULT: Final = {"response_message": None, "response_known": False}
_MOST_NAMED: Final = 5
_T = TypeVar("_T")


def is_job(files: tuple[str, ...]) -> bool:
    """True if a folder with these files is one of a job."""
    return any(_REQUESTS.fullmatch(each) or _RESPONSES.fullmatch(each) for each in files)


@dataclass(slots=True)
class _Row:
    """What is known of a row so far."""

    request: Request
    listed: bool
    answers: list[Answer] = field(default_factory=list)
    failed: list[Answer] = field(default_factory=list)


def read(
    folder: Path, shown: str, found: Listed, name: Named, limits: Limits, report: Report
) -> ToldJob:
    """All that the files in `folder` tell of the job. Memory: the job."""
    reader = _Reader(folder, shown, limits, report)
    for file in _numbered(found.files, _REQUESTS):
        reader.requests(file, f"metadata_{file[9:-6]}.json", found.files)
    for file in _numbered(found.files, _RESPONSES):
        reader.responses(file)
    reader.others(found)
    rows = [reader.rows[row] for row in sorted(reader.rows)]
    notes = Notes(shown)
    if name.renamed:
        notes.add(Note.JOB_RENAMED, f"the job {name.old_id!r} is {name.job_id!r} here")
    if not rows:
        return ToldJob(
            tool=TOOL,
            old_id=name.old_id,
            source="",
            report=tuple(report.lines),
            notes=notes,
            problem="no request or response of the old job can be read",
        )
    return _told(rows, shown, name, report, notes)


class _Reader:
    """The rows of one job, as its files are read."""

    def __init__(self, folder: Path, shown: str, limits: Limits, report: Report) -> None:
        self._folder = folder
        self._shown = shown
        self._limits = limits
        self._report = report
        self.rows: dict[int, _Row] = {}

    def requests(self, file: str, metadata: str, files: tuple[str, ...]) -> None:
        """The rows that one file asks about."""
        same: list[int] = []
        other: list[int] = []
        count = 0
        for request in self._read(file, request_of):
            count += 1
            known = self.rows.setdefault(request.row, _Row(request, listed=True))
            if known.request is not request:
                (same if known.request.value == request.value else other).append(request.row)
        place = self._place(file)
        self._report.some(Code.ITEM_DUPLICATE, place, same, "rows are asked about twice, alike")
        message = "rows are asked about twice, otherwise: the first request counts"
        self._report.some(Code.VALUE_DIFFERS, place, other, message)
        if metadata not in files:
            message = "nothing says how many requests there were to be: there may have been more"
            self._report.add(Code.REQUESTS_UNCOUNTED, place, message)
            return
        wanted = self._count(metadata)
        if wanted is not None and wanted > count:
            message = f"holds {count} of {wanted} requests: the others are no part of the job"
            self._report.add(Code.ITEMS_MISSING, place, message)

    def responses(self, file: str) -> None:
        """The answers of one file, each put to its row."""
        unlisted: list[int] = []
        differing: list[int] = []
        zoneless = 0
        for answer in self._read(file, answer_of):
            row = answer.request.row
            if row not in self.rows:
                unlisted.append(row)
                self.rows[row] = _Row(answer.request, listed=False)
            known = self.rows[row]
            if known.request.value != answer.request.value:
                differing.append(row)
                answer.result["generic_request"] = answer.request.value
            (known.failed if answer.failures else known.answers).append(answer)
            zoneless += not answer.zone_known
        place = self._place(file)
        message = "rows have an answer and no request: the answer says what was asked"
        self._report.some(Code.ITEM_UNLISTED, place, unlisted, message)
        message = "answers are to another request than the row's: they count, and say to which"
        self._report.some(Code.REQUEST_DIFFERS, place, differing, message)
        if zoneless:
            message = f"the times of {zoneless} answers have no zone: taken for UTC"
            self._report.add(Code.ZONE_UNKNOWN, place, message)

    def others(self, found: Listed) -> None:
        """Say which files were not read, and why that matters."""
        known = (_REQUESTS, _RESPONSES, _METADATA)
        rest = [each for each in found.files if not any(one.fullmatch(each) for one in known)]
        if _BATCHES in rest:
            open_rows = sum(not row.answers and not row.failed for row in self.rows.values())
            if open_rows:
                message = (
                    f"batches were given to a provider and {open_rows} rows have no answer:"
                    " what it has may be fetched by curator first, or is paid for again"
                )
                self._report.add(Code.BATCHES_OPEN, self._place(_BATCHES), message)
        for each in (*rest, *found.folders):
            message = "not read: no requests or responses are kept there"
            self._report.add(Code.FILE_NOT_READ, self._place(each), message)

    def _read(self, file: str, parse: Callable[[bytes], _T]) -> Iterator[_T]:
        place = self._place(file)
        skipped: list[int] = []
        twice: list[tuple[int, str]] = []
        for line in lines(self._folder / file, place, self._limits, self._report):
            try:
                if line.content is None:
                    raise NotALineError("too long")
                yield parse(line.content)
            except KeyTwiceError as error:
                twice.append((line.number, error.key[:40]))
            except NotALineError:
                if line.ended:
                    skipped.append(line.number)
                else:
                    message = f"line {line.number}, the last, is cut short: what it said is lost"
                    self._report.add(Code.LINE_TORN, place, message)
        self._report.some(Code.LINES_SKIPPED, place, skipped, "lines are not what they should be")
        if twice:
            few = ", ".join(f"{key!r} in line {number}" for number, key in twice[:3])
            more = ", ..." if len(twice) > 3 else ""
            message = (
                f"{len(twice)} lines have an object with a key twice: they are left out, since"
                f" nothing says which value is meant ({few}{more})"
            )
            self._report.add(Code.KEY_TWICE, place, message)

    def _count(self, metadata: str) -> int | None:
        place = self._place(metadata)
        path = self._folder / metadata
        text = b"\n".join(
            line.content or b"" for line in lines(path, place, self._limits, self._report)
        )
        try:
            count = json.loads(text)["num_jobs"]
            if key_twice(text.decode()) is not None:
                count = None
        except (ValueError, KeyError, TypeError, RecursionError):
            count = None
        if type(count) is int:
            return count
        self._report.add(Code.REQUESTS_UNCOUNTED, place, "does not say how many requests there are")
        return None

    def _place(self, file: str) -> str:
        return f"{self._shown}/{file}"


def _numbered(files: tuple[str, ...], pattern: re.Pattern[str]) -> list[str]:
    """The files of that name, by their number."""
    found = [(int(match[1]), each) for each in files if (match := pattern.fullmatch(each))]
    return [each for _, each in sorted(found)]


def _told(rows: list[_Row], shown: str, name: Named, report: Report, notes: Notes) -> ToldJob:
    digest = blake2b(digest_size=DIGEST_BYTES)
    told: list[ToldItem] = []
    dropped: list[str] = []
    changed: list[int] = []
    repeated: list[int] = []
    differing: list[int] = []
    names: set[str] = set()
    items, usable = items_of(((str(r.request.row), r.request.value, True) for r in rows), notes)
    skipped: list[str] = []
    for row, item, known in zip(rows, items, usable, strict=True):
        number = row.request.row
        every = (*row.failed, *row.answers)
        attempts, failures = _attempts(row)
        moves, too_many = moves_of(attempts)
        if too_many or failures > len(attempts):
            dropped.append(item.key)
        result = row.answers[0].result if row.answers else None
        if row.request.changed or any(each.changed for each in every):
            changed.append(number)
        for other in row.answers[1:]:
            unlike = _unlike(row.answers[0], other)
            (differing if unlike else repeated).append(number)
            names.update(unlike)
        if not known and not row.answers:
            skipped.append(item.key)
            moves = (*moves, Move(ItemEventName.SKIP))
        told.append(ToldItem(item=item, old_id=item.key, moves=moves, result=result))
        digest.update(_digested(row))
    message = "rows hold what is no JSON: NaN and infinities are null here, half a character U+FFFD"
    report.some(Code.VALUE_NOT_JSON, shown, changed, message)
    message = "rows were answered again, alike: the first answer counts"
    report.some(Code.ANSWER_REPEATED, shown, repeated, message)
    few = ", ".join(repr(each[:40]) for each in sorted(names)[:_MOST_NAMED])
    more = ", ..." if len(names) > _MOST_NAMED else ""
    message = f"rows were answered again, otherwise in {few}{more}: the first answer counts"
    report.some(Code.RESULT_DIFFERS, shown, differing, message)
    notes.some(Note.ATTEMPTS_DROPPED, dropped, "items have too many attempts: the oldest left out")
    notes.some(Note.ITEMS_SKIPPED, skipped, "items have no value to work on: left out of the job")
    notes.add(Note.REDUCE_UNKNOWN, "nothing says whether the job is to be reduced: it is here")
    ends = [
        each.ended_at
        for row in rows
        for each in (*row.failed, *row.answers)
        if each.ended_at is not None
    ]
    return ToldJob(
        tool=TOOL,
        old_id=name.old_id,
        source=shown,
        fingerprint=digest.hexdigest(),
        report=tuple(report.lines),
        notes=notes,
        items=tuple(told),
        max_dead=len(told),
        updated_at=max(ends, default=None),
        no_result=_NO_RESULT,
    )


def _attempts(row: _Row) -> tuple[list[ToldAttempt], int]:
    """The failures of a row, then its first answer; and how many failures there were in all."""
    attempts: list[ToldAttempt] = []
    told = 0
    for answer in row.failed:
        told += sum(each.times for each in answer.failures)
        newest = chain.from_iterable(
            repeat(each.message, each.times) for each in reversed(answer.failures)
        )
        messages = list(islice(newest, MOST_ATTEMPTS))[::-1]
        last = len(messages) - 1
        attempts += [
            ToldAttempt(
                succeeded=False,
                started_at=answer.began_at if at == 0 else None,
                ended_at=answer.ended_at if at == last else None,
                message=message + answer.details if at == last else message,
            )
            for at, message in enumerate(messages)
        ]
    for answer in row.answers[:1]:
        attempts.append(
            ToldAttempt(succeeded=True, started_at=answer.began_at, ended_at=answer.ended_at)
        )
    return attempts, told


def _unlike(first: Answer, other: Answer) -> set[str]:
    """The names under which two answers to a row say something else; none if they are one.

    What was paid, and when it was asked, is of an answer like what was said.
    """
    names = first.result.keys() | other.result.keys()
    return {name for name in names if _form(first, name) != _form(other, name)}


def _form(answer: Answer, name: str) -> bytes:
    return _encoded(answer.result[name]) if name in answer.result else b""


def _digested(row: _Row) -> bytes:
    """All that was read of a row, in one form."""
    answers = [[each.result, each.request.value] for each in (*row.failed, *row.answers)]
    return _encoded([row.request.value, answers])


def _encoded(value: object) -> bytes:
    """JSON in one form, in which true and 1 are two."""
    try:
        return json.dumps(value, sort_keys=True).encode() + b"\n"
    except RecursionError:
        return b"nested too deeply\n"
