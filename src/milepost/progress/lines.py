"""A run as lines: the first at once, one for each new phase, others at growing intervals."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, TextIO

from milepost.progress.wording import line
from milepost.text.escapes import encodable, printable

if TYPE_CHECKING:
    from milepost.progress.figures import Figures

__all__ = ["LOGGER", "Lines", "is_terminal", "log_line", "write_line"]

LOGGER: Final = "milepost.progress"
"""The logger that lines go to where somebody listens to it."""

_FIRST_S: Final = 5.0
_LONGEST_S: Final = 600.0

_log: Final = logging.getLogger(LOGGER)


class Lines:
    """Writes a line by `write` 5 s after the first, then 10 s, 20 s, and so on up to 10 min."""

    every_s = 1.0

    def __init__(self, write: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self._write = write
        self._now = now
        self._phase = ""
        self._next_s = 0.0
        self._interval_s = _FIRST_S

    def show(self, figures: Figures) -> None:
        """A line, if it is time for one."""
        if figures.phase == self._phase and figures.elapsed_s < self._next_s:
            return
        if figures.phase == self._phase:
            self._interval_s = min(2 * self._interval_s, _LONGEST_S)
        self._phase = figures.phase
        self._next_s = figures.elapsed_s + self._interval_s
        self._write(line(figures, self._now()))

    def end(self, figures: Figures) -> None:
        """The last line: how it ended."""
        self._write(line(figures, self._now()))


def log_line(text: str) -> None:
    """The line as a record of the logger."""
    _log.info("%s", printable(text))


def write_line(text: str) -> None:
    """The line on stderr, for programs that set no log up; whoever closed it sees none."""
    stream: TextIO | None = sys.stderr
    if stream is not None and not getattr(stream, "closed", False):
        encoding = getattr(stream, "encoding", None) or "ascii"
        stream.write(f"{encodable(printable(text), encoding)}\n")
        if hasattr(stream, "flush"):
            stream.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """True if the stream is one; what stands in for `sys.stderr` may have nothing but `write`."""
    if stream is None or getattr(stream, "closed", False):
        return False
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False
