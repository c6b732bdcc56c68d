"""Spanning: the index of a log is taken on, span by span, as the log grows or where it lacks.

A span is made from rows that never change, outside the write lock; one short commit puts it there.
The state after a span goes with it, so that a moment in the middle of a long log is near one. Of
these states at most STATES are kept, evenly along the log: their distance doubles as it does.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from milepost.errors import LifecycleChanged, ValueInvalid
from milepost.log.codec import chain_start, digest_of
from milepost.log.rows import StoredJob, StoredSpan
from milepost.log.spans import SPAN, Span, decode_span, encode_span
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.spanned import rows_of, spans_of
from milepost.stores.protocol import Reader, Writer

__all__ = ["ALL", "STATES", "extend", "mend", "superfluous"]

STATES: Final = 256
"""How many states are kept along a log, at most, beside that of its newest span."""

ALL: Final = 1 << 40
"""For `extend`: every span that there is."""


def extend(loader: Loader, job_id: str, *, most: int, known: tuple[int, int] = (SPAN, 0)) -> int:
    """Add up to `most` spans to the index of the job's log; the last commit that it has then.

    Only whole spans are: what is newer is read row by row. `known` is how long the log was and what
    the index had, by somebody who has looked: nothing is done where no span is due by that. Safe
    at any moment, beside others that do the same. Raises JobAbsent, and LogCorrupt where a row does
    not verify. Cost: three look-ups where there is nothing to add; for each span its rows, and the
    log since the state before it.
    """
    seq, end = known
    if seq - end < SPAN:
        return end
    for _ in range(most):
        with loader.store.reading() as reader:
            log = loader.log(reader, job_id)
            newest, end = reader.newest(log.number), reader.spans_end(log.number)
            if newest is None or newest[0] - end < SPAN:
                return end
            made = _next_span(log, end)
        if made is None or not _put(loader, log.entry, made):
            return end
        end = made.last
    return end


def mend(loader: Loader, job: StoredJob) -> None:
    """Take away the spans of the job that cannot be believed: `extend` makes them anew.

    Cost: the whole index is read.
    """
    with loader.store.reading() as reader:
        end = reader.spans_end(job.number)
        spans = spans_of(reader, job)
    upto = spans[-1].last if spans else 0
    if upto < end:
        with loader.store.writing(job.job_id) as writer:
            writer.drop_spans(job.number, upto)


def superfluous(ends: list[int], newest: int) -> list[int]:
    """The ends of those spans with a state whose state may go in a log of `newest` commits.

    The first one in each stretch of the log stays. Stretches are of a power of two of spans, so
    that what stays once they double is among what had stayed.
    """
    stretch = SPAN
    while newest // stretch > STATES:
        stretch *= 2
    seen: set[int] = set()
    going: list[int] = []
    for end in sorted(ends):
        if end // stretch in seen:
            going.append(end)
        seen.add(end // stretch)
    return going


def _next_span(log: JobLog, end: int) -> StoredSpan | None:
    """The span after the one that ends at `end`, with the state after it, if one is to be kept."""
    before = _last_span(log.reader, log.number, end)
    digest, version = chain_start(log.job_id), ""
    if end:
        if before is None:
            return None
        digest, version = before.chain, before.versions[-1][1]
    told = rows_of(log.reader, log.entry, end + 1, end + SPAN, version, log.url, bodies=False)
    span = encode_span(digest, version, ((one.row, one.facts, one.version) for one in told))
    if span is None:
        return None
    ends = [*log.reader.state_ends(log.number), span.last]
    if span.last in superfluous(ends, span.last):
        return span
    try:
        snapshot = log.logged_at(span.last).snapshot()
    except (LifecycleChanged, ValueInvalid):  # no tables at hand, or more than a checkpoint holds
        return span
    return structs.replace(span, state_digest=digest_of(snapshot), state=snapshot)


def _last_span(reader: Reader, job: int, end: int) -> Span | None:
    for stored in reader.spans(job, end - 1):
        try:
            return decode_span(stored)
        except ValueError:
            return None  # it is not to be built on: `mend` takes it away
    return None


def _put(loader: Loader, job: StoredJob, span: StoredSpan) -> bool:
    """Put it into the index, unless the log or the index are not what they were."""
    chain = decode_span(span).chain
    with loader.store.writing(job.job_id) as writer:
        found = writer.job(job.job_id)
        rows = writer.rows(job.number, span.last - 1, span.last)
        if found is None or found.number != job.number or all(r.digest != chain for r in rows):
            return False
        if writer.spans_end(job.number) != span.first - 1:
            return False
        writer.put_span(job.number, span)
        _thin(writer, job.number, span.last)
    return True


def _thin(writer: Writer, job: int, newest: int) -> None:
    for end in superfluous(writer.state_ends(job), newest):
        writer.drop_state(job, end)
