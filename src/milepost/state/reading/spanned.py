"""A log by its spans: those that are of this very log, and the commits that hold given events.

A span is a cache of the log, so it is believed only where its digest holds, it follows the span
before it, and the newest of them ends with the digest of the row that the log has there: that
digest is of all rows before it too. What no span covers is read row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, Protocol, TypeAlias

from pyroaring import BitMap

from milepost.errors import LogCorrupt
from milepost.log.codec import chain_start, decode_commit
from milepost.log.facts import Fact, ItemsFired, JobFired
from milepost.log.rows import Row, StoredJob
from milepost.log.spans import SPAN, Span, decode_span
from milepost.state.reading.loading import Reached
from milepost.state.reading.meaning import version_after
from milepost.stores.protocol import Rows

__all__ = [
    "SPARSE",
    "Events",
    "Stands",
    "Told",
    "Wanted",
    "check_end",
    "lineage",
    "picked",
    "rows_of",
    "seqs_in",
    "spans_of",
    "stretches",
    "walk",
]

SPARSE: Final = SPAN // 8
"""Up to so many commits of a span are read one by one; of more, the whole span is read."""

_FEW: Final = 1_024
"""Up to so many items are looked up in an index one by one."""


class Stands(Reached, Protocol):
    """What stands on the commits of a log, without those that rewinds have undone."""

    @property
    def rewinds(self) -> tuple[tuple[int, int], ...]:
        """At which commit, back to which."""
        ...


class Told(NamedTuple):
    """A row of the log with its facts, which the version of that digest wrote."""

    row: Row
    facts: tuple[Fact, ...]
    version: str


class Events(NamedTuple):
    """The names of events of items and of events of the job."""

    items: frozenset[str] = frozenset()
    job: frozenset[str] = frozenset()

    def are_in(self, facts: Iterable[Fact]) -> bool:
        """True if any of the facts is one of these events."""
        for fact in facts:
            if isinstance(fact, ItemsFired):
                if fact.event in self.items:
                    return True
            elif isinstance(fact, JobFired) and fact.event in self.job:
                return True
        return False


Wanted: TypeAlias = Callable[[str], Events]
"""The events that are asked for, by the digest of the version that wrote them."""


def spans_of(rows: Rows, job: StoredJob, known: tuple[Span, ...] = ()) -> tuple[Span, ...]:
    """The spans of the job's log that can be believed, from its first commit on, without a gap.

    `known` are those of before: if they still are of this log, only what came since is read.
    """
    if known and not _stands(rows, job, known[-1]):
        known = ()
    found = list(known)
    for stored in rows.spans(job.number, found[-1].last if found else 0):
        before = found[-1].chain if found else chain_start(job.job_id)
        try:
            span = decode_span(stored)
        except ValueError:
            break  # the rows tell what it would
        if (span.first, span.before) != (found[-1].last + 1 if found else 1, before):
            break
        found.append(span)
    while len(found) > len(known) and not _stands(rows, job, found[-1]):
        found.pop()
    return tuple(found)


def _stands(rows: Rows, job: StoredJob, span: Span) -> bool:
    return any(row.digest == span.chain for row in rows.rows(job.number, span.last - 1, span.last))


def lineage(state: Stands) -> list[tuple[int, int]]:
    """The ranges of commits that the state stands on, oldest first: what no rewind has undone."""
    ranges: list[tuple[int, int]] = []
    last = state.seq
    for at, to in reversed(state.rewinds):
        if at <= last:
            ranges.append((at, last))
            last = to
    ranges.append((1, last))
    return ranges[::-1]


def stretches(
    ranges: Iterable[tuple[int, int]], spans: Iterable[Span]
) -> Iterator[Span | tuple[int, int]]:
    """The commits of `ranges`, in order: the spans that are wholly in one, and what is between."""
    every = tuple(spans)
    for first, last in ranges:
        due = first
        for span in every:
            if span.first < first or span.last > last:
                continue
            if span.first > due:
                yield due, span.first - 1
            yield span
            due = span.last + 1
        if due <= last:
            yield due, last


def rows_of(
    rows: Rows, job: StoredJob, first: int, last: int, version: str, url: str, *, bodies: bool
) -> Iterator[Told]:
    """The rows from `first` to `last`, checked against the chain; `version` wrote what is before.

    Raises LogCorrupt.
    """
    previous = chain_start(job.job_id)
    for before in rows.rows(job.number, first - 2, first - 1) if first > 1 else ():
        previous = before.digest
    for row in rows.rows(job.number, first - 1, last, bodies=bodies):
        commit = decode_commit(row, previous=previous, url=url, job_id=job.job_id)
        previous = row.digest
        version = version_after(commit.facts, version)
        yield Told(row, commit.facts, version)


def walk(
    rows: Rows,
    job: StoredJob,
    state: Stands,
    url: str,
    *,
    after: tuple[int, str] | None = None,
    bodies: bool = False,
) -> Iterator[Told]:
    """The rows that `state` stands on, with their facts, checked against the chain.

    With `after`, a seq and the version that wrote it, those after that, which has the same rewinds
    behind it.
    """
    ranges, version = lineage(state), ""
    if after is not None:
        seq, version = after
        ranges = [(seq + 1, state.seq)] if seq < state.seq else []
    for first, last in ranges:
        digest = b""
        for told in rows_of(rows, job, first, last, version, url, bodies=bodies):
            digest, version = told.row.digest, told.version
            yield told
        check_end(state, job, last, digest, url)


def picked(
    rows: Rows,
    job: StoredJob,
    state: Stands,
    url: str,
    spans: tuple[Span, ...],
    wanted: Wanted,
    members: BitMap | None = None,
) -> Iterator[Told]:
    """The rows that `state` stands on and that hold an event that is `wanted`, checked.

    With `members`, those are enough in which one of these items took one. Cost: what no span
    covers is read, and of the spans the rows that are given. Raises LogCorrupt.
    """
    version = ""
    for part in stretches(lineage(state), spans):
        if isinstance(part, Span):
            yield from _picked_in(rows, job, part, url, wanted, members)
            last, digest, version = part.last, part.chain, part.versions[-1][1]
        else:
            last, digest, events = part[1], b"", wanted(version) if version else Events()
            for told in rows_of(rows, job, *part, version, url, bodies=False):
                digest = told.row.digest
                if told.version != version:
                    version = told.version
                    events = wanted(version)
                if events.are_in(told.facts):
                    yield told
        check_end(state, job, last, digest, url)


def _picked_in(
    rows: Rows, job: StoredJob, span: Span, url: str, wanted: Wanted, members: BitMap | None
) -> Iterator[Told]:
    seqs = seqs_in(span, wanted, members)
    if len(seqs) > SPARSE:
        version = span.versions[0][1]
        for told in rows_of(rows, job, span.first, span.last, version, url, bodies=False):
            if wanted(told.version).are_in(told.facts):
                yield told
        return
    for seq in seqs:
        yield from rows_of(rows, job, seq, seq, span.version_at(seq), url, bodies=False)


def seqs_in(span: Span, wanted: Wanted, members: BitMap | None = None) -> list[int]:
    """The commits of a span that hold an event that is wanted, in order.

    Of events of items, where a few `members` are asked for, those alone that one of them took.
    """
    few = members if members is not None and len(members) <= _FEW else None
    seqs: set[int] = set()
    for version in {version for _, version in span.versions}:
        events = wanted(version)
        found = {seq for seq, event in span.jobs if event in events.job}
        for event in events.items & span.columns.keys():
            column = span.columns[event]
            if few is None:
                found |= column.seqs()
            else:
                found.update(seq for ordinal in few for seq in column.seqs_of(ordinal))
        seqs |= {seq for seq in found if span.version_at(seq) == version}
    return sorted(seqs)


def check_end(state: Stands, job: StoredJob, last: int, digest: bytes, url: str) -> None:
    """Raise LogCorrupt where the log, read up to `last`, has not led to `state` at its commit."""
    if last == state.seq and digest != state.digest:
        raise LogCorrupt(
            url=url,
            job_id=job.job_id,
            seq=last,
            problem="the log leads elsewhere than the state that was loaded",
        )
