"""What a history is made of: appends and reads, each with when it was asked and answered."""

from __future__ import annotations

from typing import Final, NamedTuple

from milepost.testing.watching import Transaction
from milepost.text.wording import short_repr

__all__ = ["ACKNOWLEDGED", "UNDONE", "UNKNOWN", "Append", "Entry", "Read", "entries_of"]

ACKNOWLEDGED: Final = "acknowledged"
UNDONE: Final = "undone"
UNKNOWN: Final = "unknown"


@short_repr
class Entry(NamedTuple):
    """One commit of a log: of the job numbered so, its seq, digest in hexadecimal, fence, points.

    What it is `about` are the kinds of its facts, as `milepost.testing.watching.point_of` has them.
    """

    job: int
    seq: int
    digest: str
    fence: int
    about: tuple[str, ...]

    def __str__(self) -> str:
        return f"commit {self.seq} ({', '.join(self.about)}) of job number {self.job}"


@short_repr
class Append(NamedTuple):
    """A request of an actor to append, when it was made, and what was answered.

    Times are in nanoseconds of the machine's monotonic clock. `outcome` is `acknowledged`, `undone`
    or `unknown`, which it is too where no answer came, and `answered_ns` is None then.
    """

    actor: str
    asked_ns: int
    answered_ns: int | None
    outcome: str
    entries: tuple[Entry, ...]


@short_repr
class Read(NamedTuple):
    """A look of an actor at the end of a log: seq of the newest commit, digest in hexadecimal."""

    actor: str
    asked_ns: int
    answered_ns: int
    job: int
    seq: int
    digest: str


def entries_of(made: Transaction) -> tuple[Entry, ...]:
    """The commits that are in what was asked of a store."""
    return tuple(
        Entry(job, row.seq, row.digest.hex(), row.fence, about)
        for (job, row), about in zip(made.rows, made.about, strict=True)
    )
