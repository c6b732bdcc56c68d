"""The index of a log held against the log: what it says wrongly, and states that are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from milepost.errors import StateError, StoreUnreadable
from milepost.job.state import JobState
from milepost.log.codec import chain_start
from milepost.log.spans import decode_span, encode_span, says_the_same
from milepost.state.reading.loading import JobLog, span_state
from milepost.state.reading.spanned import rows_of
from milepost.stores.unreadable import is_of_content

__all__ = ["index_faults", "is_state_of"]


def index_faults(log: JobLog, upto: int) -> Iterator[tuple[int, str]]:
    """The last commit of the first span that does not say what the log says, and in which way.

    None where the log verifies up to `upto` alone, and spans go beyond that. Cost: the heads are
    read once, up to the end of the index.
    """
    last = upto
    with suppress(StoreUnreadable):  # where the note is lost, that is told already
        last = (log.reader.newest(log.number) or (upto, b""))[0]
    before, version, due = chain_start(log.job_id), "", 1
    for stored in log.reader.spans(log.number):
        if upto < stored.last <= last:
            return  # of what is lost there
        try:
            span = decode_span(stored)
            if (span.first, span.before) != (due, before):
                raise ValueError("it does not follow the one before")
            told = rows_of(
                log.reader, log.entry, span.first, span.last, version, log.url, bodies=False
            )
            made = encode_span(before, version, ((one.row, one.facts, one.version) for one in told))
            if made is None or not says_the_same(span, decode_span(made)):
                raise ValueError("it does not say what the log says")
        except (ValueError, StateError) as error:
            if isinstance(error, StateError) and not is_of_content(error):
                raise
            yield stored.last, f"the index of commits up to {stored.last}: {error}"
            return  # what follows stands on it
        before, version, due = span.chain, span.versions[-1][1], span.last + 1


def is_state_of(log: JobLog, state: JobState) -> bool:
    """True if the state that is kept along the log for the commit of `state` is that state."""
    for span in log.reader.states(log.number, state.seq):
        if span.last == state.seq:
            try:
                return log.verified(span_state(span)) == state
            except StateError as error:
                if not is_of_content(error):
                    raise
                return False
        break
    return True
