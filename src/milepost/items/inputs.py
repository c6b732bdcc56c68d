"""The items of a job by ordinal and by key, read from the store when they are first needed."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from fnmatch import translate
from itertools import islice
from typing import Any, Final, TypeAlias

from pyroaring import BitMap

from milepost.items.blocks import BLOCK_ITEMS, Entry, Item, entries_in, read_keys, read_values
from milepost.items.key_index import SEGMENT_KEYS, KeyIndex, Segment, hash_of, segment_of
from milepost.items.ledger import bitmap
from milepost.log.payloads import PayloadCodec, parted
from milepost.log.rows import InputBlock, KeySegment
from milepost.machine import MilepostError
from milepost.text.wording import items_counted, one_line, shown

__all__ = ["Inputs", "Item", "KeySet", "Run", "Shelf", "Spans"]

_BLOCKS_HELD: Final = 128

Run: TypeAlias = tuple[int, int]
"""A first place, and how many follow each other from there."""

Spans: TypeAlias = tuple[tuple[int, int], ...]
"""Ordinals and places: from each ordinal on, items are at that place and those after it."""


class Shelf:
    """The stored items of one job, by place. Thread-safe.

    `block_at` gives the block that holds a place, `segments` what is known of where the keys of
    the places from one to before another are; values have passed through `payloads`. What a
    commit has spoken of does not change any more, so what was read stays good. Memory: the keys
    of the last 128 blocks read, the values of one, and 10 bytes for each key once one was looked
    for.
    """

    def __init__(
        self,
        url: str,
        block_at: Callable[[int], InputBlock],
        segments: Callable[[int, int], list[KeySegment]],
        payloads: PayloadCodec | None = None,
    ) -> None:
        self._url = url
        self._payloads = payloads
        self._block_at = block_at
        self._segments = segments
        self._index = KeyIndex()
        self._indexing = threading.Lock()
        self._firsts: tuple[int, ...] = ()  # of the blocks of keys that are held, in order
        self._keys: dict[int, list[str]] = {}
        self._newest: tuple[int, list[str]] = (0, [])
        self._values: tuple[int, list[Any]] = (0, [])

    def key(self, place: int) -> str:
        """The key of the item there. Fast near the place that was asked for before."""
        first, keys = self._newest
        if not 0 <= place - first < len(keys):
            first, keys = self._newest = self._keys_at(place)
        return keys[place - first]

    def value(self, place: int) -> Any:  # Any: JSON
        """The value of the item there. Raises CodecAbsent. Fast for places in ascending order."""
        first, values = self._values
        if not 0 <= place - first < len(values):
            first, values = self._values = self._values_at(place)
        return values[place - first]

    def pairs(self, places: Iterable[int]) -> Iterator[tuple[str, Any]]:  # Any: JSON
        """Key and value of the item at each place, as `key` and `value` give them.

        Cost: neither is called for an item in the blocks of the one before.
        """
        of_keys, keys = self._newest
        of_values, values = self._values
        for place in places:
            if not 0 <= place - of_keys < len(keys):
                of_keys, keys = self._newest = self._keys_at(place)
            if not 0 <= place - of_values < len(values):
                of_values, values = self._values = self._values_at(place)
            yield keys[place - of_keys], values[place - of_values]

    def block(self, place: int) -> InputBlock:
        """The block that holds the place, read anew."""
        return self._block_at(place)

    def keys(self, block: InputBlock, part: str = "") -> list[str]:
        """The keys of a block, not kept; none where none can have `part` in it.

        Raises StoreUnreadable.
        """
        return read_keys(block, self._url, part)

    def entries(self, block: InputBlock) -> Iterator[Entry]:
        """The entries of a block, not kept. Raises StoreUnreadable, CodecAbsent."""
        return entries_in(block, self._url, self._payloads)

    def places(self, key: str, runs: Iterable[Run]) -> Iterator[int]:
        """The places where the item of that key may be; among them, of those in `runs`, all.

        The first call for a run reads what is known of where its keys are; where that is missing
        or damaged, it reads the keys.
        """
        for first, count in runs:
            if next(self._index.gaps(first, first + count), None):
                self._read_index(first, first + count)
        return self._index.find(hash_of(key))

    def _read(self, block: InputBlock) -> list[Any]:
        return read_values(block, self._url, self._payloads)

    def _values_at(self, place: int) -> tuple[int, list[Any]]:
        block = self._block_at(place)
        return block.first, self._read(block)

    def _keys_at(self, place: int) -> tuple[int, list[str]]:
        at = bisect_right(self._firsts, place) - 1
        if at >= 0:
            first = self._firsts[at]
            held = self._keys.get(first, [])
            if place - first < len(held):
                return first, held
        block = self._block_at(place)
        keys = read_keys(block, self._url)
        with self._indexing:
            held_now = dict(self._keys)
            while len(held_now) >= _BLOCKS_HELD:
                del held_now[next(iter(held_now))]
            self._keys = {**held_now, block.first: keys}
            self._firsts = tuple(sorted(self._keys))
        return block.first, keys

    def _read_index(self, first: int, end: int) -> None:
        with self._indexing:
            for gap, upto in list(self._index.gaps(first, end)):
                for stored in self._segments(gap, upto):
                    segment = Segment.restore(stored)
                    if segment is not None and stored.first + stored.count <= upto:
                        self._index.add(segment)
            for gap, upto in list(self._index.gaps(first, end)):
                for segment in self._made(gap, upto):
                    self._index.add(segment)

    def _made(self, first: int, end: int) -> Iterator[Segment]:
        """Segments from the keys themselves, which are not kept."""
        keys: list[str] = []
        place = first
        while place < end:
            block = self._block_at(place)
            found = read_keys(block, self._url)[place - block.first : end - block.first]
            place += len(found)
            keys += found
            if place == end or len(keys) + BLOCK_ITEMS > SEGMENT_KEYS:
                yield segment_of(place - len(keys), keys)
                keys = []


class Inputs:
    """The items of one state of a job. Nothing in it changes: another state has its own.

    `count` is how many there are, `spans` where they are on the `shelf`, which all states share.
    """

    def __init__(self, shelf: Shelf, count: int, spans: Spans = ((0, 0),)) -> None:
        self.count = count
        self.spans = spans
        self._shelf = shelf
        self._codec: str | None = None

    def __repr__(self) -> str:
        return f"<Inputs of {items_counted(self.count)}>"

    @property
    def codec(self) -> str:
        """The name of the payload codec that values passed through, "" if none; looked up once.

        It is that of the last item: once some are encoded, none are added in the clear.
        """
        if self._codec is None:
            block = self._shelf.block(self.place(self.count - 1)) if self.count else None
            self._codec = parted(block.codec[1:])[1] if block else ""
        return self._codec

    def key(self, ordinal: int) -> str:
        """The key of the item. Raises KeyError if there is no such ordinal."""
        return self._shelf.key(self.place(ordinal))

    def value(self, ordinal: int) -> Any:  # Any: JSON
        """The value of the item. Raises KeyError, CodecAbsent. Fast for ascending ordinals."""
        return self._shelf.value(self.place(ordinal))

    def pairs(self, ordinals: Iterable[int]) -> Iterator[tuple[str, Any]]:  # Any: JSON
        """Key and value of each of the items, as `key` and `value` give them."""
        return self._shelf.pairs(map(self.place, ordinals))

    def ordinal(self, key: str) -> int:
        """The ordinal of the item with that key. Raises KeyError.

        The first call reads where keys are, 10 bytes for each item; each call, the block of keys
        that the item is in, unless it is held.
        """
        for place in self._shelf.places(key, self.runs()):
            ordinal = self._at(place)
            if ordinal is not None and self._shelf.key(place) == key:
                return ordinal
        raise KeyError(key)

    def entries(self) -> Iterator[Entry]:
        """Key and encoded value of each item, in order; one block is held at a time.

        Raises StoreUnreadable, CodecAbsent.
        """
        for first, count in self.runs():
            place, end = first, first + count
            while place < end:
                block = self._shelf.block(place)
                yield from islice(
                    self._shelf.entries(block), place - block.first, end - block.first
                )
                place = block.first + block.count

    def blocks_of_keys(self, wanted: BitMap, *, part: str = "") -> Iterator[tuple[int, list[str]]]:
        """First ordinal and keys of each block that holds one of `wanted`, in order, not kept.

        Blocks of which no key can have `part` in it are left out.
        """
        ordinal = wanted.min() if wanted else self.count
        while ordinal < self.count:
            block = self._shelf.block(self.place(ordinal))
            first = ordinal - (self.place(ordinal) - block.first)
            if keys := self._shelf.keys(block, part):
                yield first, keys[: self.count - first]
            ordinal = next(wanted.iter_equal_or_larger(first + block.count), self.count)

    def fitting(self, wanted: BitMap, glob: str) -> BitMap:
        """Those of `wanted` whose key fits the glob: `*`, `?` and `[a-z]`, as `fnmatch` has them.

        Cost: each block that holds one of `wanted` is read, and decoded if it may hold such a key.
        """
        fits = re.compile(translate(glob)).match
        found = bitmap()
        for first, keys in self.blocks_of_keys(wanted, part=_plain_part(glob)):
            found.update(first + at for at, key in enumerate(keys) if fits(key))
        return found & wanted

    def in_common(self, other: Inputs) -> int:
        """How many items, from the first on, are those of another state of the same job."""
        common = 0
        for (place, count), (its_place, its_count) in zip(self.runs(), other.runs(), strict=False):
            if place != its_place:
                break
            common += min(count, its_count)
            if count != its_count:
                break
        return common

    def place(self, ordinal: int) -> int:
        """Where the item stands among all that were ever stored for the job. Raises KeyError."""
        if not 0 <= ordinal < self.count:
            raise KeyError(ordinal)
        if len(self.spans) == 1:
            return ordinal
        first, place = self.spans[bisect_right(self.spans, ordinal, key=lambda span: span[0]) - 1]
        return place + ordinal - first

    def runs(self, first: int = 0) -> list[Run]:
        """The places of the items from ordinal `first` on, in their order."""
        ends = [start for start, _ in self.spans[1:]] + [self.count]
        return [
            (place + max(first - start, 0), end - max(first, start))
            for (start, place), end in zip(self.spans, ends, strict=True)
            if end > max(first, start)
        ]

    def seen_as(self, count: int, spans: Spans) -> Inputs:
        """The items of another state of the same job."""
        return Inputs(self._shelf, count, spans)

    def grown(self, runs: Iterable[Run]) -> Inputs:
        """With the items at the places of `runs` as those that follow the last."""
        count, spans = self.count, self.spans
        for place, more in runs:
            start, at = spans[-1]
            if place - at != count - start:
                spans = (*spans, (count, place))
            count += more
        return Inputs(self._shelf, count, spans)

    def _at(self, place: int) -> int | None:
        """The ordinal of the item that stands there, None if it is none of this state's."""
        ends = [start for start, _ in self.spans[1:]] + [self.count]
        for (start, at), end in zip(self.spans, ends, strict=True):
            if 0 <= place - at < end - start:
                return start + place - at
        return None


def _plain_part(glob: str) -> str:
    """The longest text that every key has in it which fits the glob."""
    return max(re.split(r"[*?]|\[.*", glob, maxsplit=0, flags=re.DOTALL), key=len)


class KeySet(AbstractSet[str]):
    """A read-only set of item keys that holds ordinals and looks keys up as they are asked for.

    Its length costs nothing; iteration is in the order of the items.
    """

    def __init__(self, ordinals: BitMap, inputs: Inputs) -> None:
        self.ordinals = ordinals
        self._inputs = inputs

    def __len__(self) -> int:
        return len(self.ordinals)

    def __iter__(self) -> Iterator[str]:
        return (self._inputs.key(ordinal) for ordinal in self.ordinals)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        try:
            return self._inputs.ordinal(key) in self.ordinals
        except KeyError:
            return False

    def __repr__(self) -> str:
        try:
            few = [shown(key) for _, key in zip(range(3), self, strict=False)]
        except MilepostError:  # the store that has them is closed, or damaged
            few = []
        more = "…" if len(self) > len(few) else ""
        return one_line(f"<{len(self)} keys: {', '.join([*few, *more])}>")

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> frozenset[str]:  # type: ignore[override]  # set algebra gives plain sets
        return frozenset(it)
