"""Spans: the index of a stretch of a log, by which commits hold which events of which items.

It is made of the facts alone, without the tables of any lifecycle: what an event means is known to
whoever asks. So it holds under every version, and two stores that have the same log have the same.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from milepost.log.codec import digest_of, pack, unpack
from milepost.log.facts import Fact, ItemsFired, JobFired
from milepost.log.rows import Row, StoredSpan
from milepost.worker.values import UNDECODABLE

__all__ = ["ENTRIES", "SPAN", "Column", "Span", "decode_span", "encode_span", "says_the_same"]

SPAN: Final = 4_096
"""How many commits a span has, unless they are of very many items."""

ENTRIES: Final = 262_144
"""A span ends with the commit by which it names this many items."""

_FORMAT: Final = 1
_ORDINAL: Final = "I"  # 4 bytes
_OFFSET: Final = "H"  # 2 bytes: a span is no longer than that


class _Column(msgspec.Struct, frozen=True, array_like=True):
    """One event: the ordinals of items that took it, ascending, and in which commit each did."""

    event: str
    ordinals: bytes
    offsets: bytes


class _Index(msgspec.Struct, frozen=True, array_like=True):
    """A span as it is stored; offsets count from its first commit."""

    format: int
    first: int
    last: int
    before: bytes
    chain: bytes
    versions: list[tuple[int, str]]
    items: list[_Column]
    job: list[tuple[int, str]]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Index)


class Column:
    """The items that took one event within a span, ascending, and the seq of each commit.

    An item that took it several times is in it as often, in the order of the log. Decoded when it
    is first asked for, and kept.
    """

    __slots__ = ("_decoded", "_first", "_stored", "event")

    def __init__(self, first: int, stored: _Column) -> None:
        self.event = stored.event
        self._first = first
        self._stored = stored
        self._decoded: tuple[array[int], array[int]] | None = None

    def seqs_of(self, ordinal: int) -> list[int]:
        """The commits in which one item took the event, in order. O(log items)."""
        ordinals, offsets = self._arrays()
        begin = bisect_left(ordinals, ordinal)
        end = bisect_right(ordinals, ordinal, begin)
        return [self._first + offset for offset in offsets[begin:end]]

    def entries(self) -> Iterator[tuple[int, int]]:
        """Each ordinal with the seq of a commit in which it took the event."""
        first = self._first
        ordinals, offsets = self._arrays()
        return ((o, first + offset) for o, offset in zip(ordinals, offsets, strict=True))

    def decode(self) -> None:
        """Decode it now, so that no later question has to."""
        self._arrays()

    def seqs(self) -> set[int]:
        """The commits that hold the event."""
        return {self._first + offset for offset in set(self._arrays()[1])}

    @property
    def held_bytes(self) -> int:
        """How much memory it takes, as stored and as decoded."""
        stored = len(self._stored.ordinals) + len(self._stored.offsets)
        return stored + (0 if self._decoded is None else len(self._decoded[0]) * 6)

    def _arrays(self) -> tuple[array[int], array[int]]:
        if self._decoded is None:
            ordinals = _unpacked(_ORDINAL, self._stored.ordinals)
            self._decoded = ordinals, _unpacked(_OFFSET, self._stored.offsets)
        return self._decoded


class Span:
    """The commits `first` to `last` of one log: `before` and `chain` are digests around them.

    `versions` says from which commit on they were written by the version of which digest; the
    first of them wrote what is before, too.
    """

    __slots__ = ("before", "chain", "columns", "first", "jobs", "last", "versions")

    def __init__(self, index: _Index) -> None:
        self.first, self.last = index.first, index.last
        self.before, self.chain = index.before, index.chain
        self.versions = tuple(index.versions)
        self.columns = {one.event: Column(index.first, one) for one in index.items}
        self.jobs = tuple((index.first + offset, event) for offset, event in index.job)

    def version_at(self, seq: int) -> str:
        """The digest of the version that wrote the commit `seq`."""
        return self.versions[bisect_right(self.versions, seq, key=lambda one: one[0]) - 1][1]

    @property
    def held_bytes(self) -> int:
        """How much memory its columns take."""
        return sum(column.held_bytes for column in self.columns.values())


def encode_span(
    before: bytes, version: str, told: Iterable[tuple[Row, tuple[Fact, ...], str]]
) -> StoredSpan | None:
    """The span of the next rows, each with its facts and the version that wrote it; None for none.

    Ends after SPAN rows, or with the row by which it has ENTRIES. `before` is the digest of the row
    before, `version` wrote that.
    """
    items: dict[str, list[tuple[int, int]]] = defaultdict(list)
    job: list[tuple[int, str]] = []
    first, entries, row = 0, 0, None
    versions: list[tuple[int, str]] = []
    for count, (row, facts, by) in enumerate(told):
        if not count:
            first = row.seq
            versions = [(first, version or by)]
        if by != versions[-1][1]:
            versions.append((row.seq, by))
        for fact in facts:
            if isinstance(fact, ItemsFired):
                items[fact.event] += ((ordinal, count) for ordinal in fact.ordinals)
                entries += len(fact.ordinals)
            elif isinstance(fact, JobFired):
                job.append((count, fact.event))
        if count + 1 >= SPAN or entries >= ENTRIES:
            break
    if row is None:
        return None
    index = _encoder.encode(
        _Index(
            format=_FORMAT,
            first=first,
            last=row.seq,
            before=before,
            chain=row.digest,
            versions=versions,
            items=[_column(event, found) for event, found in sorted(items.items())],
            job=job,
        )
    )
    return StoredSpan(first=first, last=row.seq, digest=digest_of(index), index=index)


def decode_span(stored: StoredSpan) -> Span:
    """The span as it was stored. Raises ValueError where it is damaged, or of a later format."""
    if digest_of(stored.index) != stored.digest:
        raise ValueError("it does not match its digest")
    try:
        index = _decoder.decode(stored.index)
    except UNDECODABLE as error:
        raise ValueError(f"it cannot be read: {error}") from error
    if index.format != _FORMAT:
        raise ValueError(f"it is of format {index.format}")
    if (index.first, index.last) != (stored.first, stored.last):
        raise ValueError("it is of other commits")
    return Span(index)


def says_the_same(one: Span, other: Span) -> bool:
    """True if both tell the same of the same commits, however they are compressed."""
    return _content(one) == _content(other)


def _content(span: Span) -> tuple[object, ...]:
    columns = {event: list(column.entries()) for event, column in span.columns.items()}
    around = (span.first, span.last, span.before, span.chain)
    return (*around, span.versions, columns, span.jobs)


def _column(event: str, found: list[tuple[int, int]]) -> _Column:
    found.sort()
    ordinals = array(_ORDINAL, [ordinal for ordinal, _ in found])
    offsets = array(_OFFSET, [offset for _, offset in found])
    return _Column(event, _packed(ordinals), _packed(offsets))


def _packed(numbers: array[int]) -> bytes:
    """The numbers byte by byte: first all lowest bytes, so that what is alike stands together."""
    if sys.byteorder == "big":
        numbers.byteswap()
    raw = numbers.tobytes()
    letter, stored = pack(
        b"".join(raw[at :: numbers.itemsize] for at in range(numbers.itemsize)), ""
    )
    return letter.encode() + stored


def _unpacked(kind: str, stored: bytes) -> array[int]:
    numbers = array(kind)
    planes = unpack(stored[:1].decode("ascii"), stored[1:])
    raw, count = bytearray(len(planes)), len(planes) // numbers.itemsize
    for at in range(numbers.itemsize):
        raw[at :: numbers.itemsize] = planes[at * count : (at + 1) * count]
    numbers.frombytes(raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
