"""Inputs compared: whether the items that a caller has are those that a job has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec

from milepost.items.blocks import (
    BLOCK_BYTES,
    BLOCK_ITEMS,
    Entry,
    Fingerprinted,
    Item,
    block_of,
    entries_in,
)
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.log.codec import value_digest
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import InputBlock
from milepost.text.escapes import printable
from milepost.text.wording import short_repr

__all__ = ["InputComparison", "SomeKeys", "Verdict", "compare"]

Verdict: TypeAlias = Literal["same", "grew", "shrank", "changed"]

_NAMED: Final = 100
_DIGEST_BYTES: Final = 8


@short_repr
@dataclass(frozen=True, slots=True, repr=False)
class SomeKeys:
    """How many items there are of a kind, and the keys of the first hundred of them."""

    count: int
    first: tuple[str, ...]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InputComparison:
    """The items that were given, compared with the `stored_count` items of a job.

    The verdict is `same` (keys and values are), `grew` (there are more, and all that was there is
    there unchanged), `shrank` (some are missing, and that is all), or `changed`. An item is known
    by its key, so the order decides nothing: `reordered` tells which come after one that they came
    before when the job was created. `fingerprint` is that of the items given, as one list, in their
    order. `new_items` are those that the job does not have, which would take the ordinals from
    `new_from` on.
    """

    job_id: str
    verdict: Verdict
    stored_count: int
    given_count: int
    fingerprint: str
    added: SomeKeys
    removed: SomeKeys
    changed: SomeKeys
    reordered: SomeKeys
    new_blocks: tuple[InputBlock, ...]

    @property
    def new_from(self) -> int:
        """The ordinal that the first of the new items would take."""
        return self.stored_count

    def new_items(self) -> Iterator[Item]:
        """The items that were given and that the job does not have, in the order given.

        They are kept compressed; one block is unpacked at a time, at each call anew.
        """
        for block in self.new_blocks:
            for key, encoded in entries_in(block, "the items given"):
                yield Item(key=key, value=msgspec.json.decode(encoded))

    def __str__(self) -> str:
        """The verdict in words, with the first few keys of each kind."""
        kinds = ("added", "removed", "changed", "reordered")
        told = [_words(kind, getattr(self, kind)) for kind in kinds if getattr(self, kind).count]
        if not told:
            return "the input is the same"
        if self.verdict == "same":
            return printable(f"the input is the same in another order: {', '.join(told)}")
        return printable(f"the input {self.verdict}: {', '.join(told)}")


def compare(
    state: JobState,
    entries: Iterable[Entry],
    payloads: PayloadCodec | None = None,
) -> InputComparison:
    """How `entries`, which are read once, differ from those of the job.

    Two values are the same if they are equal as JSON; the order of an object's members is of no
    account, and neither is that of the items. A key that comes again with the same value is the
    item once more, and with another value a change of it. Streamed: as long as keys come in the
    order in which the job has them, a block of stored items is all that is held. From the first
    that does not, the job's keys are, and eight bytes an item; of new items, their compressed
    blocks. Raises ValueInvalid, StoreUnreadable, CodecAbsent.
    """
    listing = Fingerprinted(entries, payloads)
    comparing = _Comparing(state)
    given = iter(listing)
    odd = comparing.in_order(given)
    if odd is not None:
        comparing.by_key(odd, given)
    return comparing.verdict(listing)


class _Kind:
    """Counts the items of one kind, and keeps the keys of the first."""

    def __init__(self) -> None:
        self.count = 0
        self.keys: list[str] = []

    def add(self, key: str) -> None:
        self.count += 1
        if len(self.keys) < _NAMED:
            self.keys.append(key)

    def some(self) -> SomeKeys:
        return SomeKeys(self.count, tuple(self.keys))


class _Comparing:
    """One comparison under way: what was found of each kind so far."""

    def __init__(self, state: JobState) -> None:
        self._state = state
        self._added, self._removed, self._changed, self._reordered = (_Kind() for _ in range(4))
        self._blocks: list[InputBlock] = []
        self._new: list[Entry] = []
        self._new_bytes = 0
        self._agreed = 0  # so many from the beginning have the same keys

    def in_order(self, given: Iterator[Entry]) -> Entry | None:
        """Compare as long as the keys agree; the first given entry whose key does not, if any."""
        stored = self._state.inputs.entries()
        for ordinal, (key, encoded) in enumerate(stored):
            entry = next(given, None)
            if entry is None:
                self._removed.add(key)
                for missing, _ in stored:
                    self._removed.add(missing)
                return None
            if entry[0] != key and entry[0] != self._with_collection(ordinal, key):
                return entry
            self._agreed += 1
            if entry[1] != encoded and value_digest(entry[1]) != value_digest(encoded):
                self._changed.add(key)
        return next(given, None)

    def by_key(self, odd: Entry, given: Iterator[Entry]) -> None:
        """Compare the rest, `odd` first, by looking each key up."""
        ordered = self._state.created.item_count  # those that were added had no place in the list
        ordinals: dict[str, int] = {}
        digests = bytearray()
        for ordinal, (key, encoded) in enumerate(self._state.inputs.entries()):
            ordinals[key] = ordinal
            digests += _digest(encoded)
        seen = bitmap(range(self._agreed))
        newest = min(self._agreed, ordered) - 1
        entry: Entry | None = odd
        while entry is not None:
            key, encoded = entry
            entry = next(given, None)
            found = ordinals.get(key)
            if found is None:
                found = self._without_collection(ordinals, key)
            if found is None:
                self._add(key, encoded)
                continue
            at = found * _DIGEST_BYTES
            if digests[at : at + _DIGEST_BYTES] != _digest(encoded):
                self._changed.add(key)
            if found in seen:  # a second time
                continue
            seen.add(found)
            if found < newest:
                self._reordered.add(key)
            if found < ordered:
                newest = max(newest, found)
        if len(seen) < self._state.items.count:
            for key, ordinal in ordinals.items():
                if ordinal not in seen:
                    self._removed.add(key)

    def verdict(self, listing: Fingerprinted) -> InputComparison:
        """The comparison, once all items were read."""
        self._pack()
        verdict: Verdict = "same"
        if self._changed.count:
            verdict = "changed"
        elif self._added.count:
            verdict = "changed" if self._removed.count else "grew"
        elif self._removed.count:
            verdict = "shrank"
        return InputComparison(
            job_id=self._state.id,
            verdict=verdict,
            stored_count=self._state.items.count,
            given_count=listing.count,
            fingerprint=listing.fingerprint,
            added=self._added.some(),
            removed=self._removed.some(),
            changed=self._changed.some(),
            reordered=self._reordered.some(),
            new_blocks=tuple(self._blocks),
        )

    def _with_collection(self, ordinal: int, key: str) -> str:
        """The key as it is given now, if the item came while there was one collection."""
        several = len(self._state.ledgers) > 1
        return f"{self._state.collection_of(ordinal)}/{key}" if several else key

    def _without_collection(self, ordinals: dict[str, int], given: str) -> int | None:
        """The ordinal of an item that came while its collection was the only one, if it did."""
        if len(self._state.ledgers) == 1:
            return None
        collection, _, key = given.partition("/")
        found = ordinals.get(key)
        if found is None or found not in self._state.ledgers[collection].universe:
            return None
        return found

    def _add(self, key: str, encoded: bytes) -> None:
        self._added.add(key)
        self._new.append((key, encoded))
        self._new_bytes += len(encoded)
        if len(self._new) == BLOCK_ITEMS or self._new_bytes >= BLOCK_BYTES:
            self._pack()

    def _pack(self) -> None:
        if self._new:
            first = self._state.items.count + self._added.count - len(self._new)
            keys, values = [key for key, _ in self._new], [encoded for _, encoded in self._new]
            self._blocks.append(block_of(first, keys, values))
            self._new, self._new_bytes = [], 0


def _digest(encoded: bytes) -> bytes:
    return bytes.fromhex(value_digest(encoded))[:_DIGEST_BYTES]


def _words(kind: str, some: SomeKeys) -> str:
    few = ", ".join(repr(key) for key in some.first[:3])
    return f"{some.count:,} {kind} ({few}{', …' if some.count > 3 else ''})"
