"""The write-ahead log: commits in it that SQLite passes over, since one before them is damaged.

Source: the format of the file, sqlite.org/fileformat2.html, section 4.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path
from typing import Final

import apsw

__all__ = ["passed_over"]

_HEADER: Final = struct.Struct(">8I")  # magic, version, page size, sequence, 2 salts, 2 checksums
_FRAME: Final = struct.Struct(">6I")  # page, size of the database if it commits, 2 salts, 2 sums


def passed_over(connection: apsw.Connection, database: Path) -> int:
    """How many commits are in the `-wal` file behind the last that SQLite reads.

    One may be what a crash cut short. More than one were written, one after the other, and lost:
    something before them is damaged. What does not carry on from what is before it was never kept:
    a crash cut it short, too, or a commit that was cut short was written over what an earlier crash
    had left. Commits of before the file was begun anew do not count, and neither do those that are
    in the database already: a power cut may tear the header that begins it anew. A writer may go on
    meanwhile. Cost: a few bytes of each frame are read, and of each commit that may be lost the
    sums of three frames are worked out, below 1 ms each.
    """
    list(connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1"))
    wal = Path(f"{database}-wal")
    # of the database, which has the same: the header may be what is damaged
    page_bytes: int = next(iter(connection.execute("PRAGMA page_size")))[0]
    header, commits = _commits(wal, page_bytes)
    valid_count = next(iter(connection.execute("PRAGMA wal_checkpoint(NOOP)")))[1]
    if header != _commits(wal, page_bytes)[0]:
        return 0  # it was begun anew while we looked
    lost = [frame for frame in commits if frame > valid_count]
    if valid_count == 0:
        for left in range(min(len(lost), 2)):
            if _is_checked_in(connection, wal, page_bytes, lost[-1 - left]):
                return left
    if len(lost) < 2:
        return len(lost)

    def carries_on(number: int) -> bool:
        return _carries_on(wal, page_bytes, number)

    kept = 0
    for before, last in pairwise(lost):
        left_over = carries_on(before) and not carries_on(before + 1)
        kept += carries_on(last) and not left_over
    return 1 + kept


def _carries_on(wal: Path, page_bytes: int, number: int) -> bool:
    """True if the sums of a frame, from 1, are of its bytes and of the sums that come before it."""
    size = _FRAME.size + page_bytes
    with wal.open("rb") as file:
        header, before = file.read(_HEADER.size), b""
        if number > 1:
            file.seek(_HEADER.size + (number - 2) * size)
            before = file.read(_FRAME.size)
        file.seek(_HEADER.size + (number - 1) * size)
        frame, page = file.read(_FRAME.size), file.read(page_bytes)
    if len(page) < page_bytes:  # it ends before that, or was begun anew while we looked
        return False
    *_, first, second = _FRAME.unpack(before) if before else _HEADER.unpack(header)
    order = ">" if header[3] & 1 else "<"  # the last byte of the magic number
    words = struct.unpack(f"{order}{2 + page_bytes // 4}I", frame[:8] + page)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFF_FFFF
        second = (second + other + first) & 0xFFFF_FFFF
    return (first, second) == _FRAME.unpack(frame)[4:]


def _is_checked_in(connection: apsw.Connection, wal: Path, page_bytes: int, last: int) -> bool:
    """True if the database has every page as the frames of the log up to `last` leave it."""
    size = 0  # of the database, in pages
    pages: dict[int, int] = {}  # where in the log its newest content is
    with wal.open("rb") as file:
        for number in range(last):
            place = _HEADER.size + number * (_FRAME.size + page_bytes)
            file.seek(place)
            page, size, *_ = _FRAME.unpack(file.read(_FRAME.size))
            pages[page] = place + _FRAME.size
        for page, place in pages.items():
            file.seek(place)
            if page == 0 or (
                page <= size
                and file.read(page_bytes)
                != connection.read("main", 0, (page - 1) * page_bytes, page_bytes)[1]
            ):
                return False
    return True


def _commits(wal: Path, page_bytes: int) -> tuple[bytes, list[int]]:
    """The header of the file, and which of its frames, from 1, end a commit of its time."""
    try:
        with wal.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return b"", []
            _, _, _, _, *salts, _, _ = _HEADER.unpack(header)
            found: list[int] = []
            number = 0
            while len(frame := file.read(_FRAME.size)) == _FRAME.size:
                number += 1
                _, commits, *frame_salts, _, _ = _FRAME.unpack(frame)
                if commits and frame_salts == salts:
                    found.append(number)
                file.seek(page_bytes, 1)
    except FileNotFoundError:
        return b"", []
    return header, found
