"""The files of an old home: their kinds, the limits on reading them, and reading one whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.unpack import Encoding, NotReadError, decode, expand, sniff

__all__ = ["FileKind", "Limits", "OldFile", "lines", "load", "read_json"]

_T = TypeVar("_T")
_M = TypeVar("_M", bound=BaseModel)
_PIECE_BYTES = 1024 * 1024
_ENCODINGS = {
    ".json": Encoding.PLAIN,
    ".jsonl": Encoding.PLAIN,
    ".gz": Encoding.GZIP,
    ".zst": Encoding.ZSTD,
    ".lz4": Encoding.LZ4,
}


class FileKind(StrEnum):
    """What a file is, by its place and name."""

    STATE = "state"
    STATE_TEMPORARY = "state-temporary"
    METADATA = "metadata"
    CHECKPOINT = "checkpoint"
    CHECKPOINT_TEMPORARY = "checkpoint-temporary"
    REDUCE = "reduce"
    EVENTS = "events"
    ARCHIVE = "archive"
    EVENT_INDEX = "event-index"
    DEAD_LETTER = "dead-letter"
    DEAD_LETTER_INDEX = "dead-letter-index"
    MAPPING = "mapping"
    LOCK = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one reading may cost.

    `max_file_bytes` bounds a file on disk, `max_bytes` what it holds uncompressed,
    `max_entries` how many directory entries are looked at in all.
    """

    max_file_bytes: int = 256 * 1024 * 1024
    max_bytes: int = 512 * 1024 * 1024
    max_entries: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OldFile:
    """A file that was found. `path` is real; `shown` is printable, and relative to a home."""

    path: Path
    shown: str
    kind: FileKind
    modified_ns: int = 0

    @property
    def name(self) -> str:
        """The last part of the path as it was found."""
        return self.shown.rpartition("/")[2]

    @property
    def place(self) -> str:
        """The directory, as `shown`."""
        return self.shown.rpartition("/")[0]


@contextmanager
def _opened(file: OldFile, limits: Limits) -> Iterator[BinaryIO]:
    """The file, if it is a regular one within the limit. Raises NotReadError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file.path, flags)  # no link, and no waiting for a pipe's writer
        with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123  # an open descriptor
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotReadError(Code.FILE_UNREADABLE, "is not a regular file")
            if status.st_size > limits.max_file_bytes:
                problem = (
                    f"takes {status.st_size:,} bytes and at most {limits.max_file_bytes:,} are"
                    " read: raise Limits.max_file_bytes"
                )
                raise NotReadError(Code.FILE_TOO_LARGE, problem)
            yield stream
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise NotReadError(Code.FILE_UNREADABLE, problem) from error


def _pieces(stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The bytes of `stream`; a file that grows while it is read stays within the limit."""
    left = limits.max_file_bytes
    while piece := stream.read(min(_PIECE_BYTES, left + 1)):
        left -= len(piece)
        if left < 0:
            problem = f"grew beyond {limits.max_file_bytes:,} bytes while it was read"
            raise NotReadError(Code.FILE_TOO_LARGE, problem)
        yield piece


def read_json(file: OldFile, limits: Limits, kind: type[_T]) -> tuple[Encoding, _T]:
    """The encoding of the file and the JSON in it as `kind`. Raises NotReadError."""
    with _opened(file, limits) as stream:
        raw = b"".join(_pieces(stream, limits))
    if not raw:
        raise NotReadError(Code.BYTES_DAMAGED, "is empty")
    return decode(raw, limits.max_bytes, kind)


def load(file: OldFile, model: type[_M], limits: Limits, report: Report) -> _M | None:
    """The file as `model`, or None where it cannot be read: then the report says why."""
    try:
        encoding, content = read_json(file, limits, object)
        loaded = model.model_validate(content)
    except NotReadError as error:
        report.add(error.code, file.shown, error.problem)
        return None
    except ValidationError as error:
        report.add(Code.SHAPE_INVALID, file.shown, shape_problem(error))
        return None
    _check_name(file, encoding, report)
    return loaded


def shape_problem(error: ValidationError) -> str:
    """The first few places where JSON is not of the shape that it should be."""
    problems = error.errors(include_url=False, include_input=False)
    said = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'it'}: {problem['msg']}"
        for problem in problems[:3]
    ]
    more = len(problems) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more else "")


def lines(file: OldFile, limits: Limits, report: Report) -> Iterator[bytes]:
    """The lines of a file with their line feeds, the last perhaps without one.

    Read piece by piece: memory is one line. Where the file turns out to be damaged, the lines
    before the damage have been given and the report says so.
    """
    tail: list[bytes] = []
    try:
        with _opened(file, limits) as stream:
            head = stream.read(4)
            stream.seek(0)
            encoding = sniff(head)[0] if head else Encoding.PLAIN
            if encoding is Encoding.LZ4:
                encoding = Encoding.PLAIN  # events are never written as LZ4: a torn first line
            _check_name(file, encoding, report)
            for piece in expand(_pieces(stream, limits), encoding, limits.max_bytes):
                *whole, rest = piece.split(b"\n")
                for line in whole:
                    yield b"".join((*tail, line, b"\n"))
                    tail.clear()
                if rest:
                    tail.append(rest)
    except NotReadError as error:
        report.add(error.code, file.shown, error.problem)
    if tail:
        yield b"".join(tail)


def _check_name(file: OldFile, encoding: Encoding, report: Report) -> None:
    said = _ENCODINGS.get(Path(file.name).suffix)
    if said is not None and said is not encoding:
        message = f"its name says {said} and its content is {encoding}: the content counts"
        report.add(Code.ENCODING_MISNAMED, file.shown, message)
