"""Lines of CSV whose cells read back as they were, whichever version of Python writes them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

__all__ = ["cell", "writer"]

_END: Final = "\r\n"
_TRUTH: Final = {True: "true", False: "false"}


def writer(write: Callable[[str], object]) -> Callable[[Sequence[str]], object]:
    """What writes a row by `write`, as one line that ends with a line feed.

    Up to Python 3.12 a cell is quoted for the breaks alone that end a line, so lines end with both
    until they are written: a reader takes either of them for an end.
    """

    class Line:
        def write(self, line: str) -> object:
            return write(f"{line.removesuffix(_END)}\n")

    return csv.writer(Line(), lineterminator=_END).writerow


def cell(value: Any, other: Callable[[Any], str] = str) -> str:  # Any: any value of a table
    """The text of a value: None is empty, times are RFC 3339 in UTC, `other` does the rest."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _TRUTH[value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return other(value)
