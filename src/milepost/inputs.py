"""The items of a job as they were given: their keys, values, blocks and fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Any, Final

import msgspec
from pyroaring import BitMap

from milepost.codec import (
    DIGEST_BYTES,
    content_key,
    digest_of,
    encode_value,
    pack,
    unpack,
)
from milepost.errors import ItemKeyDuplicate, StoreUnreadable, ValueInvalid
from milepost.rows import InputBlock

__all__ = [
    "BLOCK_ITEMS",
    "Inputs",
    "Item",
    "KeySet",
    "Listing",
    "block_of",
    "blocks_of",
    "fingerprint_of",
    "read_entries",
]

BLOCK_ITEMS: Final = 1024
"""How many items are kept together."""

_KEY_CHARS: Final = 512
_json: Final = msgspec.json.Encoder()


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An item with a key of the user's own: `key` is 1 to 512 characters, `value` any JSON."""

    key: str
    value: Any = None  # Any: JSON


def fingerprint_of(blocks: Iterable[InputBlock], url: str) -> tuple[int, str]:
    """Count and fingerprint of stored blocks, as the listing that made them gave them.

    Raises StoreUnreadable where a block is damaged.
    """
    identity = blake2b(digest_size=DIGEST_BYTES)
    count = 0
    for block in blocks:
        _verify(block, url)
        keys = read_keys(block, url)
        values = _read(block, url, block.codec[1], block.values, list[msgspec.Raw])
        for key, value in zip(keys, values, strict=True):
            _identify(identity, key, bytes(value))
        count += block.count
    return count, identity.hexdigest()


def _identify(identity: blake2b, key: str, encoded: bytes) -> None:
    identity.update(_json.encode(key) + b":" + encoded + b"\n")


def read_keys(block: InputBlock, url: str) -> list[str]:
    """The keys of a block, in order. Raises StoreUnreadable where they are damaged."""
    return _read(block, url, block.codec[0], block.keys, list[str])


def read_values(block: InputBlock, url: str) -> list[Any]:  # Any: JSON
    """The values of a block, in order. Raises StoreUnreadable where they are damaged."""
    return _read(block, url, block.codec[1], block.values, list[Any])


def read_entries(block: InputBlock, url: str) -> Iterator[tuple[str, bytes]]:
    """Keys and encoded values of a block. Raises StoreUnreadable where they are damaged."""
    values = _read(block, url, block.codec[1], block.values, list[msgspec.Raw])
    for key, value in zip(read_keys(block, url), values, strict=True):
        yield key, bytes(value)


def _verify(block: InputBlock, url: str) -> None:
    """Raise StoreUnreadable unless keys and values are those that were stored."""
    try:
        keys = unpack(block.codec[0], block.keys)
        values = unpack(block.codec[1], block.values)
    except ValueError as error:
        raise _damaged(block, url, str(error)) from error
    if digest_of(keys, values) != block.digest:
        raise _damaged(block, url, "do not match their digest")


def _read(
    block: InputBlock, url: str, letter: str, stored: bytes, kind: type[list[Any]]
) -> list[Any]:
    try:
        decoded: list[Any] = msgspec.json.decode(unpack(letter, stored), type=kind)
        if len(decoded) != block.count:
            raise ValueError(f"are {len(decoded)} and not {block.count}")
    except (ValueError, msgspec.MsgspecError) as error:
        raise _damaged(block, url, str(error)) from error
    return decoded


def _damaged(block: InputBlock, url: str, problem: str) -> StoreUnreadable:
    last = block.first + block.count - 1
    return StoreUnreadable(url=url, problem=f"the items {block.first} to {last} {problem}")


class Listing:
    """Reads a list of items once, giving blocks; after it, `count` and `fingerprint` are known.

    A mapping gives keys and values. Of other iterables, an Item has its own key, a text of up to
    512 characters is its own key, and any other value is known by the digest of its content, so
    that a key never depends on a position. Memory: the keys.
    """

    def __init__(
        self,
        items: Iterable[object] | Mapping[str, object],
        check: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._items = items
        self._check = check
        self._identity = blake2b(digest_size=DIGEST_BYTES)
        self.count = 0

    @property
    def fingerprint(self) -> str:
        """The digest of keys and values in order, in hexadecimal; of what was read so far."""
        return self._identity.hexdigest()

    def blocks(self) -> Iterator[InputBlock]:
        """The blocks, in order. Raises ValueInvalid and ItemKeyDuplicate where an item is wrong."""
        seen: dict[str, int] = {}
        keys: list[str] = []
        values: list[msgspec.Raw] = []
        for key, encoded in self._entries():
            if self._check is not None:
                self._check(key, encoded)
            first = seen.setdefault(key, self.count)
            if first != self.count:
                raise ItemKeyDuplicate(key=key, first=first, second=self.count)
            _identify(self._identity, key, encoded)
            keys.append(key)
            values.append(msgspec.Raw(encoded))
            self.count += 1
            if len(keys) == BLOCK_ITEMS:
                yield block_of(self.count - len(keys), keys, values)
                keys, values = [], []
        if keys:
            yield block_of(self.count - len(keys), keys, values)

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Key and encoded value of each item, streamed; a key that comes twice is given twice."""
        for key, encoded in self._entries():
            _identify(self._identity, key, encoded)
            self.count += 1
            yield key, encoded

    def _entries(self) -> Iterator[tuple[str, bytes]]:
        if isinstance(self._items, Mapping):
            for key, value in self._items.items():
                what = f"item {key!r}"
                yield _checked_key(key, what), encode_value(value, what)
            return
        for position, item in enumerate(self._items):
            what = f"item {position}"
            if isinstance(item, Item):
                yield _checked_key(item.key, what), encode_value(item.value, what)
                continue
            encoded = encode_value(item, what)
            if isinstance(item, str) and 0 < len(item) <= _KEY_CHARS:
                yield _checked_key(item, what), encoded
            else:
                yield content_key(encoded), encoded


def blocks_of(
    items: Iterable[object] | Mapping[str, object],
    check: Callable[[str, bytes], None] | None = None,
) -> tuple[list[InputBlock], Listing]:
    """All blocks of `items` at once, with the listing that knows their count and fingerprint.

    `check` is told of each item's key and value as JSON, and may raise.
    """
    listing = Listing(items, check)
    return list(listing.blocks()), listing


def _checked_key(key: object, what: str) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= _KEY_CHARS or "\0" in key:
        problem = f"is {key!r}: keys are text of 1 to {_KEY_CHARS} characters"
        raise ValueInvalid(what=what, path="the key", problem=problem)
    encode_value(key, f"the key of {what}")
    return key


def block_of(first: int, keys: list[str], values: list[msgspec.Raw]) -> InputBlock:
    """The block of items from `first` on. Raises ValueInvalid where they are too large for one."""
    raw_keys, raw_values = _json.encode(keys), _json.encode(values)
    what = f"the items {first} to {first + len(keys) - 1}"
    key_codec, stored_keys = pack(raw_keys, what)
    value_codec, stored_values = pack(raw_values, what)
    return InputBlock(
        first=first,
        count=len(keys),
        codec=key_codec + value_codec,
        keys=stored_keys,
        values=stored_values,
        digest=digest_of(raw_keys, raw_values),
    )


class Inputs:
    """The items of one job by ordinal and by key, read from the store when they are first needed.

    `block_at` gives the block that holds an ordinal. Blocks do not change once a job exists, so
    what was read stays good; the last block of values read is kept. Thread-safe: two threads may
    read the same block, and get the same.
    """

    def __init__(self, url: str, count: int, block_at: Callable[[int], InputBlock]) -> None:
        self.count = count
        self._url = url
        self._block_at = block_at
        self._keys: dict[int, list[str]] = {}
        self._ordinals: dict[str, int] | None = None
        self._values: tuple[int, list[Any]] = (-1, [])

    def key(self, ordinal: int) -> str:
        """The key of the item. Raises KeyError if there is no such ordinal."""
        if not 0 <= ordinal < self.count:
            raise KeyError(ordinal)
        number, offset = divmod(ordinal, BLOCK_ITEMS)
        keys = self._keys.get(number)
        if keys is None:
            keys = self._keys[number] = read_keys(self._block_at(ordinal), self._url)
        return keys[offset]

    def ordinal(self, key: str) -> int:
        """The ordinal of the item with that key. Raises KeyError. The first call reads all keys."""
        if self._ordinals is None:
            self._ordinals = {self.key(ordinal): ordinal for ordinal in range(self.count)}
        return self._ordinals[key]

    def blocks_of_keys(self, wanted: BitMap) -> Iterator[tuple[int, list[str]]]:
        """First ordinal and keys of each block that holds one of `wanted`, in order, not kept."""
        ordinal = wanted.min() if wanted else self.count
        while ordinal < self.count:
            block = self._block_at(ordinal)
            yield block.first, read_keys(block, self._url)
            later = wanted.iter_equal_or_larger(block.first + block.count)
            ordinal = next(later, self.count)

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Key and encoded value of each item, in order; one block is held at a time."""
        ordinal = 0
        while ordinal < self.count:
            block = self._block_at(ordinal)
            yield from read_entries(block, self._url)
            ordinal = block.first + block.count

    def value(self, ordinal: int) -> Any:  # Any: JSON
        """The value of the item. Raises KeyError. Fast for ordinals in ascending order."""
        if not 0 <= ordinal < self.count:
            raise KeyError(ordinal)
        number, offset = divmod(ordinal, BLOCK_ITEMS)
        held, values = self._values
        if held != number:
            values = read_values(self._block_at(ordinal), self._url)
            self._values = (number, values)
        return values[offset]


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
        few = ", ".join(repr(key) for _, key in zip(range(3), self, strict=False))
        return f"<{len(self)} keys: {few}{', …' if len(self) > 3 else ''}>"

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> frozenset[str]:  # type: ignore[override]  # set algebra gives plain sets
        return frozenset(it)
