"""Folders listed and files read line by line, with care: bounded, and never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from milepost.legacy.curator.report import Code, Report
from milepost.text.escapes import printable

__all__ = ["Limits", "Line", "Listed", "lines", "listed", "name_of"]

_PIECE_BYTES: Final = 1024 * 1024
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one reading may cost: bytes of a file and of a line, entries of a folder."""

    max_file_bytes: int = 4 * 1024 * 1024 * 1024
    max_line_bytes: int = 32 * 1024 * 1024
    max_entries: int = 100_000


class Listed(NamedTuple):
    """The names of the files and folders in a folder, each in order."""

    files: tuple[str, ...]
    folders: tuple[str, ...]


class Line(NamedTuple):
    """A line without its end: its number from 1, and whether its end is there.

    `content` is None for one that is longer than may be read.
    """

    number: int
    content: bytes | None
    ended: bool


def listed(folder: Path, shown: str, limits: Limits, report: Report) -> Listed:
    """What is in `folder`; links, and names that are no text, are reported and left out."""
    files: list[str] = []
    folders: list[str] = []
    left = limits.max_entries
    try:
        with os.scandir(folder) as listing:
            for entry in listing:
                left -= 1
                if left < 0:
                    message = f"holds more than {limits.max_entries:,} entries: not all were listed"
                    report.add(Code.NOT_ALL_LISTED, shown, message)
                    break
                name = _text(entry.name)
                if name != entry.name:
                    report.add(Code.FILE_UNREADABLE, _joined(shown, name), "its name is not UTF-8")
                elif entry.is_symlink():
                    message = "is a link: not followed"
                    report.add(Code.LINK_NOT_FOLLOWED, _joined(shown, name), message)
                else:
                    (folders if entry.is_dir(follow_symlinks=False) else files).append(name)
    except OSError as error:
        report.add(Code.NOT_LISTED, shown, f"cannot be listed: {error.strerror}")
    return Listed(tuple(sorted(files)), tuple(sorted(folders)))


def lines(path: Path, shown: str, limits: Limits, report: Report) -> Iterator[Line]:
    """The lines of a file that are not blank; where it cannot be read on, the report says so.

    Memory: one line.
    """
    number, held = 1, list[bytes]()
    held_bytes, left = 0, limits.max_file_bytes
    try:
        descriptor = os.open(path, _FLAGS)
        with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123 an open descriptor
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                report.add(Code.FILE_UNREADABLE, shown, "is not a regular file")
                return
            while piece := stream.read(_PIECE_BYTES):
                left -= len(piece)
                if left < 0:
                    message = f"takes more than {limits.max_file_bytes:,} bytes: read up to there"
                    report.add(Code.FILE_TOO_LARGE, shown, message)
                    return
                *whole, rest = piece.split(b"\n")
                for part in whole:
                    fits = held_bytes + len(part) <= limits.max_line_bytes
                    content = b"".join((*held, part)) if fits else None
                    if content is None or content.strip():
                        yield Line(number, content, ended=True)
                    number, held, held_bytes = number + 1, [], 0
                held_bytes += len(rest)
                if held_bytes <= limits.max_line_bytes:
                    held.append(rest)
                else:
                    held.clear()
    except OSError as error:
        report.add(Code.FILE_UNREADABLE, shown, f"cannot be read: {error.strerror}")
    if held_bytes > limits.max_line_bytes:
        yield Line(number, None, ended=False)
    elif (content := b"".join(held)).strip():
        yield Line(number, content, ended=False)


def name_of(folder: Path) -> str:
    """The name of a folder, as text whatever it is."""
    return _text(folder.resolve().name)


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _joined(shown: str, name: str) -> str:
    return f"{shown}/{printable(name)}" if shown else printable(name)
