"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["part_beside", "whole_file"]

_NAME_BYTES: Final = 200
"""Of a name that is kept: file systems take 255 bytes, of which others need some, too."""


def part_beside(path: Path) -> Path:
    """A hidden name beside `path` that nothing has, for what is to be put there once it is whole.

    There is room for an end of some letters more.
    """
    name = os.fsencode(path.name)[:_NAME_BYTES].decode(errors="ignore")
    return path.with_name(f".{name}.{secrets.token_hex(6)}.part")


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, put in its place once all of it is durable; nothing is left of a failure.

    An OSError names `path`, whichever file it was about on the way there.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as out:
            yield out
        return
    beside = part_beside(path)
    try:
        with beside.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(beside)) and error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
