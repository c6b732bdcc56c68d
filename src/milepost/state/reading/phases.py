"""Which commits took a job into another phase, looked for from the newest one back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from milepost.clock import instant
from milepost.log.spans import Span
from milepost.state.reading.loading import JobLog
from milepost.text.wording import short_repr

__all__ = ["PhaseEntered", "phase_entered", "phases_entered"]


@short_repr
class PhaseEntered(NamedTuple):
    """A job came into a `phase`, by commit `seq`, written at `at`."""

    phase: str
    seq: int
    at: datetime


def phase_entered(
    log: JobLog, upto: int, rewinds: Iterable[tuple[int, int]], spans: Sequence[Span]
) -> int:
    """The commit at which the job came into the phase that it is in at commit `upto`.

    1 where the log has no such commit. Cost: as `phases_entered`, which is asked for one.
    """
    found = next(phases_entered(log, upto, rewinds, spans), None)
    return 1 if found is None else found.seq


def phases_entered(
    log: JobLog, upto: int, rewinds: Iterable[tuple[int, int]], spans: Sequence[Span]
) -> Iterator[PhaseEntered]:
    """The commits up to `upto` at which the job came into another phase, the newest first.

    `rewinds` are those of the job, `spans` those of its log that can be believed. Only an event of
    the job, a rewind or a new version takes it into another phase, and the spans tell which commits
    hold these. Cost: the tallies that no span covers, and two rows for each of those commits.
    """
    covered = [span for span in spans if span.last <= upto]
    after = covered[-1].last if covered else 0
    yield from reversed(_entered(log, after + 1, upto))
    rewound = {at for at, _ in rewinds}
    for span in reversed(covered):
        seqs = {seq for seq, _ in (*span.jobs, *span.versions)}
        seqs |= {at for at in rewound if span.first <= at <= span.last}
        for seq in sorted(seqs, reverse=True):
            yield from _entered(log, seq, seq)


def _entered(log: JobLog, first: int, last: int) -> list[PhaseEntered]:
    """The commits from `first` to `last` after which the job is in another phase than before."""
    found: list[PhaseEntered] = []
    phase = ""
    for row in log.rows(max(first - 2, 0), last):
        tally = log.tally(row)
        if row.seq >= first and tally.phase != phase:
            found.append(PhaseEntered(tally.phase, row.seq, instant(row.at_us)))
        phase = tally.phase
    return found
