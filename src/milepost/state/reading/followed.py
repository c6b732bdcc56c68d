"""The commits that hold given events, with who is in an executor's hands followed in between.

What lies between two of them is in the index: who was begun there and who ended, and for each item
which of the two came last. So no row of it is read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from milepost.items.ledger import bitmap
from milepost.log.rows import StoredJob
from milepost.log.spans import Column, Span
from milepost.state.reading.hands import Hands
from milepost.state.reading.meaning import Meaning, ends_by
from milepost.state.reading.spanned import (
    SPARSE,
    Stands,
    Told,
    Wanted,
    check_end,
    lineage,
    rows_of,
    seqs_in,
    stretches,
)
from milepost.stores.protocol import Rows

__all__ = ["followed"]


def followed(
    rows: Rows,
    job: StoredJob,
    state: Stands,
    url: str,
    spans: tuple[Span, ...],
    wanted: Wanted,
    meaning: Meaning,
    hands: Hands,
) -> Iterator[Told]:
    """The rows that `state` stands on and that hold what is `wanted`, and some others, checked.

    Before a row is given, `hands` has taken in what is before it; that of its own is for the caller
    to take in. Events by which all hands are empty are to be among those that are wanted. Cost:
    what no span covers is read, and of the spans the rows that are given. Raises LogCorrupt.
    """
    version = ""
    for part in stretches(lineage(state), spans):
        last, digest = (part.last, part.chain) if isinstance(part, Span) else (part[1], b"")
        between = None
        if isinstance(part, Span):
            between = _between(part, seqs_in(part, wanted), meaning)
        if isinstance(part, Span) and between is not None:
            for seq, begun, ended in between:
                hands.skip(bitmap(begun), bitmap(ended))
                if seq:
                    by = part.version_at(seq)
                    yield from rows_of(rows, job, seq, seq, by, url, bodies=False)
            version = part.versions[-1][1]
        else:
            first = part.first if isinstance(part, Span) else part[0]
            for told in rows_of(rows, job, first, last, version, url, bodies=False):
                digest, version = told.row.digest, told.version
                yield told
        check_end(state, job, last, digest, url)


def _between(
    span: Span, seqs: list[int], meaning: Meaning
) -> list[tuple[int, list[int], list[int]]] | None:
    """For each of `seqs`, and at the end for 0: who was begun and who ended since the one before.

    None where the index does not tell it: where items are of several machines, versions change,
    or an item was begun and ended in one commit.
    """
    if len(seqs) > SPARSE or len(span.versions) > 1 or not meaning.is_single:
        return None
    roles = meaning.of_all_items(span.version_at(span.first))[0]
    begins = [column for event, column in span.columns.items() if event == roles.begin]
    ends = [
        column
        for event, column in span.columns.items()
        if event != roles.begin and ends_by(roles, event)
    ]
    begun, ended = _last_by(begins, seqs), _last_by(ends, seqs)
    found: list[tuple[int, list[int], list[int]]] = []
    for place, seq in enumerate([*seqs, 0]):
        starts, stops = begun[place], ended[place]
        if any(stops.get(ordinal) == at for ordinal, at in starts.items()):
            return None
        held = [ordinal for ordinal, at in starts.items() if at > stops.get(ordinal, 0)]
        found.append((seq, held, [o for o, at in stops.items() if at > starts.get(o, 0)]))
    return found


def _last_by(columns: list[Column], seqs: list[int]) -> list[dict[int, int]]:
    """By the next of `seqs`, in which commit before it each item took one of these events last."""
    found: list[dict[int, int]] = [{} for _ in range(len(seqs) + 1)]
    apart = frozenset(seqs)
    for column in columns:
        for ordinal, seq in column.entries():
            if seq not in apart:  # its row is read
                latest = found[bisect_left(seqs, seq)]
                if latest.get(ordinal, 0) < seq:
                    latest[ordinal] = seq
    return found
