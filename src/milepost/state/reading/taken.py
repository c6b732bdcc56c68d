"""How often a job took each transition of its own machine, told by its events alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from milepost.log.facts import Fact, JobCreated, JobFired, Migrated, Rewound
from milepost.log.rows import Row
from milepost.log.spans import Span
from milepost.state.reading.history import history
from milepost.state.reading.loading import JobLog
from milepost.state.reading.meaning import version_after

__all__ = ["taken"]


class _Fired(NamedTuple):
    """A commit in which the job took events: the phase before it, and who wrote it."""

    before: str
    row: Row
    facts: tuple[Fact, ...]
    version: str


def taken(log: JobLog, upto: int, spans: Sequence[Span]) -> dict[str, int]:
    """How often each transition was taken up to commit `upto`, by machine and id.

    What a rewind undid counts too: it happened. Where the tables of a version are not at hand, its
    transitions are not known and left out. Cost: the heads that no span covers, and two rows for
    each commit of those with an event of the job. Where phases and event are those of several
    transitions, the log is folded from the nearest state that is stored. Raises LogCorrupt.
    """
    found: Counter[str] = Counter()
    for fired in _fired(log, upto, [span for span in spans if span.last <= upto]):
        found.update(_transitions(log, fired))
    return dict(found)


def _fired(log: JobLog, upto: int, spans: Sequence[Span]) -> Iterator[_Fired]:
    """The commits in which the job took events, in order."""
    last, version = 0, ""
    for span in spans:
        for seq in sorted({seq for seq, _ in span.jobs}):
            yield from _fired_in(log, seq, seq, span.version_at(seq))
        last, version = span.last, span.versions[-1][1]
    yield from _fired_in(log, last + 1, upto, version)


def _fired_in(log: JobLog, first: int, last: int, version: str) -> Iterator[_Fired]:
    before = ""
    for row in log.rows(max(first - 2, 0), last):
        phase = log.tally(row).phase
        if row.seq >= first:
            facts = log.facts(row)
            version = version_after(facts, version)
            if any(isinstance(fact, JobFired) for fact in facts):
                yield _Fired(before, row, facts, version)
        before = phase


def _transitions(log: JobLog, fired: _Fired) -> Iterator[str]:
    """The transitions of the job's machine that it took in one commit, by machine and id."""
    events = [fact.event for fact in fired.facts if isinstance(fact, JobFired)]
    leaps = any(isinstance(fact, JobCreated | Migrated | Rewound) for fact in fired.facts)
    lifecycle = log.loader.tables.get(fired.version)
    if lifecycle is None:
        return
    machine = lifecycle.machines[lifecycle.root]
    if len(events) == 1 and not leaps:
        target = log.tally(fired.row).phase
        rows = machine.of_pair(fired.before, events[0])
        ids = [row.id for row in rows if row.target == target]
        if len(ids) == 1:  # the log is legal, so that is the one
            yield f"{machine.name}:{ids[0]}"
            return
    for event in history(log, fired.row.seq - 1, fired.row.seq):
        for name, count in event.transitions.items():
            if name.startswith(f"{machine.name}:"):
                yield from [name] * count
