"""The error of what was promised and is not so: what is wrong, what it takes, and where to look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

__all__ = ["NotAsPromised"]

_SHOWN: Final = 20
"""Lines of one kind in a message."""


_ALL_IS_THERE: Final = (
    "nothing of what was done by then is lost: the end of the process at that moment is enough"
)


class NotAsPromised(AssertionError):
    """Something that is left is not as it was promised, or not sound.

    `complaint` says what is wrong, `missing` what the disk had not of what was done, as little as
    that takes, `kept` what it had of the rest that was not durable. `promised` says what was
    promised last, and when, and which files with something `missing` were not synced by then. Where
    nothing is missing, the end of the process alone is enough, and no sync would help. `files` is a
    folder with what is left, as it was before a judge opened it. `again` is the case for
    `Power(again=...)`.
    """

    def __init__(
        self,
        what: str,
        *,
        complaint: str,
        missing: Sequence[str] = (),
        kept: Sequence[str] = (),
        promised: Sequence[str] = (),
        files: Path | None = None,
        again: str = "",
        how: str = "",
    ) -> None:
        self.complaint = complaint
        self.missing = tuple(missing)
        self.kept = tuple(kept)
        self.promised = tuple(promised)
        self.files = files
        self.again = again
        lines = [what, *_indented(complaint.splitlines())]
        if missing:
            lines.append(how)
            lines += _indented(_some(self.missing))
            lines += _indented(_some(self.kept))
        elif files is not None:
            lines.append(_ALL_IS_THERE)
        lines += _some(self.promised)
        if files is not None:
            lines.append(f"what is left: {_from_here(files)}")
        if again:
            lines.append(f"this case alone: MILEPOST_POWER={again}")
        super().__init__("\n".join(lines))


def _from_here(files: Path) -> Path:
    """The path as one would write it here."""
    return files.relative_to(Path.cwd()) if files.is_relative_to(Path.cwd()) else files


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
