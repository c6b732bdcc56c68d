"""Where keys are: 64-bit hashes in sorted segments, and what two segments have in common.

A segment holds 10 bytes a key. A hash only says where to look; whoever finds one compares the key
itself, so that keys with one hash are told apart.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from pyroaring import BitMap

from milepost.log.codec import digest_of
from milepost.log.rows import KeySegment

__all__ = ["SEGMENT_KEYS", "KeyIndex", "Seen", "Segment", "hash_of", "segment_of"]

SEGMENT_KEYS: Final = 1 << 16
"""The most keys of one segment: an offset takes two bytes."""

_HASH_BYTES: Final = 8
_HALF: Final = 32


class Segment(NamedTuple):
    """The keys of the places from `first` on: ascending hashes, and the offset of each."""

    first: int
    hashes: array[int]
    offsets: array[int]

    @property
    def end(self) -> int:
        """The place after its last."""
        return self.first + len(self.hashes)

    def find(self, wanted: int) -> Iterator[int]:
        """The places whose keys have that hash, in order. O(log keys)."""
        at = bisect_left(self.hashes, wanted)
        while at < len(self.hashes) and self.hashes[at] == wanted:
            yield self.first + self.offsets[at]
            at += 1

    def alike(self) -> Iterator[int]:
        """The hashes that more than one of its keys have."""
        before = told = -1
        for found in self.hashes:
            if found == before and found != told:
                told = found
                yield found
            before = found

    def moved(self, first: int) -> Segment:
        """The same keys, of the places from `first` on."""
        return self._replace(first=first)

    def stored(self) -> KeySegment:
        """As it is stored."""
        hashes, offsets = _swapped(self.hashes).tobytes(), _swapped(self.offsets).tobytes()
        return KeySegment(
            first=self.first,
            count=len(self.hashes),
            hashes=hashes,
            offsets=offsets,
            digest=digest_of(hashes, offsets),
        )

    @staticmethod
    def restore(stored: KeySegment) -> Segment | None:
        """The stored segment; None if it is damaged."""
        if digest_of(stored.hashes, stored.offsets) != stored.digest:
            return None
        hashes, offsets = array("Q", stored.hashes), array("H", stored.offsets)
        if not len(hashes) == len(offsets) == stored.count:
            return None
        return Segment(stored.first, _swapped(hashes), _swapped(offsets))


def hash_of(key: str) -> int:
    """The hash of a key; also of a text that is none, with a lone surrogate in it."""
    encoded = key.encode(errors="surrogatepass")
    return int.from_bytes(blake2b(encoded, digest_size=_HASH_BYTES).digest(), "little")


def segment_of(first: int, keys: Iterable[str]) -> Segment:
    """The segment of up to SEGMENT_KEYS `keys`, whose places begin with `first`."""
    digests = b"".join([blake2b(key.encode(), digest_size=_HASH_BYTES).digest() for key in keys])
    return _sorted(first, _swapped(array("Q", digests)))


def _sorted(first: int, hashes: Sequence[int]) -> Segment:
    packed = sorted([each << 16 | offset for offset, each in enumerate(hashes)])
    return Segment(
        first,
        array("Q", [each >> 16 for each in packed]),
        array("H", [each & 0xFFFF for each in packed]),
    )


def _swapped(values: array[int]) -> array[int]:
    """Little-endian from this machine's order, or the other way round."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values


class KeyIndex:
    """Segments of one job's places, found by hash.

    Reading is safe in any thread; who adds sees to it that nobody else does.
    """

    def __init__(self) -> None:
        self._segments: tuple[Segment, ...] = ()

    def find(self, wanted: int) -> Iterator[int]:
        """The places whose keys have that hash. O(segments · log keys)."""
        for segment in self._segments:
            yield from segment.find(wanted)

    def gaps(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges of places from `first` to before `end` that no segment holds, in order."""
        for segment in self._segments:
            if segment.first >= end:
                break
            if segment.first > first:
                yield first, segment.first
            first = max(first, segment.end)
        if first < end:
            yield first, end

    def add(self, segment: Segment) -> None:
        """One more segment, of places that none holds.

        Small ones are joined with the one before, so that many additions of few items each leave
        few segments: O(log additions) of them, at O(log additions) moves a key.
        """
        segments = list(self._segments)
        at = bisect_left(segments, segment.first, key=lambda other: other.first)
        segments.insert(at, segment)
        while at:
            before, last = segments[at - 1 : at + 1]
            both = len(before.hashes) + len(last.hashes)
            if before.end != last.first or both > SEGMENT_KEYS:
                break
            if len(before.hashes) > 2 * len(last.hashes):
                break
            segments[at - 1 : at + 1] = [_joined(before, last)]
            at -= 1
        self._segments = tuple(segments)


def _joined(before: Segment, last: Segment) -> Segment:
    hashes = array("Q", bytes(_HASH_BYTES * (len(before.hashes) + len(last.hashes))))
    for segment in (before, last):
        for found, offset in zip(segment.hashes, segment.offsets, strict=True):
            hashes[segment.first - before.first + offset] = found
    return _sorted(before.first, hashes)


class Seen:
    """The keys of a list that is being read, segment by segment: finds those that may be twice.

    The upper halves of all hashes are one bitmap, so that a segment is compared with all before
    it by one intersection. Memory: 10 bytes a key, and the bitmap's 2 to 10.
    """

    def __init__(self) -> None:
        self.index = KeyIndex()
        self._halves = BitMap()

    def add(self, segment: Segment) -> list[list[int]]:
        """Take a segment in. Returns the groups of places with one hash that it adds a place to.

        Places ascend in each group, and the groups by the place of the first that may be twice.
        """
        alike = set(segment.alike())
        halves = BitMap([each >> _HALF for each in segment.hashes])
        for half in halves & self._halves:
            at = bisect_left(segment.hashes, half << _HALF)
            while at < len(segment.hashes) and segment.hashes[at] >> _HALF == half:
                alike.add(segment.hashes[at])
                at += 1
        self._halves |= halves
        self.index.add(segment)
        groups = [sorted(self.index.find(each)) for each in alike]
        return sorted(
            (group for group in groups if len(group) > 1),
            key=lambda group: max(group[1], segment.first),
        )
