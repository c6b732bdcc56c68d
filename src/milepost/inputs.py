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
    undo_codec,
    unpack,
)
from milepost.errors import ItemKeyDuplicate, StoreUnreadable, ValueInvalid
from milepost.payloads import PayloadCodec, coded, digest_key, parted
from milepost.rows import InputBlock

__all__ = [
    "BLOCK_ITEMS",
    "Inputs",
    "Item",
    "KeySet",
    "Listing",
    "block_of",
    "blocks_of",
    "check_blocks",
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


def check_blocks(blocks: Iterable[InputBlock], url: str) -> int:
    """How many items stored blocks have. Raises StoreUnreadable where one is damaged."""
    count = 0
    for block in blocks:
        _attested(block, url, 1)
        count += len(read_keys(block, url))
    return count


def fingerprint_of(
    blocks: Iterable[InputBlock], url: str, payloads: PayloadCodec | None = None
) -> tuple[int, str]:
    """Count and fingerprint of stored blocks, as the listing that made them gave them.

    Raises StoreUnreadable where a block is damaged, CodecAbsent where its values need another
    codec.
    """
    identity = blake2b(digest_size=DIGEST_BYTES, key=digest_key(payloads))
    count = 0
    for block in blocks:
        keys = read_keys(block, url)
        values = _read(block, url, _values(block, url, payloads), list[msgspec.Raw])
        for key, value in zip(keys, values, strict=True):
            _identify(identity, key, bytes(value))
        count += block.count
    return count, identity.hexdigest()


def _identify(identity: blake2b, key: str, encoded: bytes) -> None:
    identity.update(_json.encode(key) + b":" + encoded + b"\n")


def read_keys(block: InputBlock, url: str) -> list[str]:
    """The keys of a block, in order. Raises StoreUnreadable where they are damaged."""
    raw = _attested(block, url, 0)
    return _read(block, url, raw, list[str])


def read_values(
    block: InputBlock, url: str, payloads: PayloadCodec | None = None
) -> list[Any]:  # Any: JSON
    """The values of a block, in order. Raises StoreUnreadable where damaged, CodecAbsent."""
    return _read(block, url, _values(block, url, payloads), list[Any])


def read_entries(
    block: InputBlock, url: str, payloads: PayloadCodec | None = None
) -> Iterator[tuple[str, bytes]]:
    """Keys and encoded values of a block. Raises StoreUnreadable where damaged, CodecAbsent."""
    values = _read(block, url, _values(block, url, payloads), list[msgspec.Raw])
    for key, value in zip(read_keys(block, url), values, strict=True):
        yield key, bytes(value)


def _values(block: InputBlock, url: str, payloads: PayloadCodec | None) -> bytes:
    """The values as they were before they were packed, once they are what was stored."""
    attested = _attested(block, url, 1)
    if not parted(block.codec[1:])[1]:
        return attested
    try:
        letter, packed = undo_codec(block.codec[1:], block.values, payloads, url)
        return unpack(letter, packed)
    except ValueError as error:
        raise _damaged(block, url, str(error)) from error


def _attested(block: InputBlock, url: str, which: int) -> bytes:
    """The keys (0) or the values (1) of a block, which must be those that were stored.

    A digest is of the keys and then one of the values. One alone, as older versions wrote it, is
    of both together, so that the one cannot be checked without the other.
    """
    try:
        raw = _as_attested(block, which)
        if len(block.digest) == 2 * DIGEST_BYTES:
            sound = digest_of(raw) == block.digest[which * DIGEST_BYTES :][:DIGEST_BYTES]
        else:
            both = (_as_attested(block, part) for part in (0, 1))
            sound = digest_of(*both) == block.digest
    except ValueError as error:
        raise _damaged(block, url, str(error)) from error
    if not sound:
        raise _damaged(block, url, "do not match their digest")
    return raw


def _as_attested(block: InputBlock, which: int) -> bytes:
    """The bytes that a digest is of: unpacked, but for values that a payload codec gave."""
    if which == 0:
        return unpack(block.codec[:1], block.keys)
    letter, name = parted(block.codec[1:])
    return block.values if name else unpack(letter, block.values)


def _read(block: InputBlock, url: str, raw: bytes, kind: type[list[Any]]) -> list[Any]:
    try:
        decoded: list[Any] = msgspec.json.decode(raw, type=kind)
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
    that a key never depends on a position. Values pass through `payloads`. Memory: the keys.
    """

    def __init__(
        self,
        items: Iterable[object] | Mapping[str, object],
        payloads: PayloadCodec | None = None,
    ) -> None:
        self._items = items
        self._payloads = payloads
        self._identity = blake2b(digest_size=DIGEST_BYTES, key=digest_key(payloads))
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
            first = seen.setdefault(key, self.count)
            if first != self.count:
                raise ItemKeyDuplicate(key=key, first=first, second=self.count)
            _identify(self._identity, key, encoded)
            keys.append(key)
            values.append(msgspec.Raw(encoded))
            self.count += 1
            if len(keys) == BLOCK_ITEMS:
                yield block_of(self.count - len(keys), keys, values, self._payloads)
                keys, values = [], []
        if keys:
            yield block_of(self.count - len(keys), keys, values, self._payloads)

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
                yield content_key(encoded, digest_key(self._payloads)), encoded


def blocks_of(
    items: Iterable[object] | Mapping[str, object], payloads: PayloadCodec | None = None
) -> tuple[list[InputBlock], Listing]:
    """All blocks of `items` at once, with the listing that knows their count and fingerprint."""
    listing = Listing(items, payloads)
    return list(listing.blocks()), listing


def _checked_key(key: object, what: str) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= _KEY_CHARS or "\0" in key:
        problem = f"is {key!r}: keys are text of 1 to {_KEY_CHARS} characters"
        raise ValueInvalid(what=what, path="the key", problem=problem)
    encode_value(key, f"the key of {what}")
    return key


def block_of(
    first: int,
    keys: list[str],
    values: list[msgspec.Raw],
    payloads: PayloadCodec | None = None,
) -> InputBlock:
    """The block of items from `first` on. Raises ValueInvalid where they are too large for one."""
    raw_keys, raw_values = _json.encode(keys), _json.encode(values)
    what = f"the items {first} to {first + len(keys) - 1}"
    key_codec, stored_keys = pack(raw_keys, what)
    value_codec, stored_values = pack(raw_values, what)
    if payloads is not None:
        try:
            value_codec, stored_values = coded(payloads, value_codec, stored_values)
        except ValueError as error:
            problem = f"cannot be encoded by the codec {payloads.name}: {error}"
            raise ValueInvalid(what=what, path="$", problem=problem) from error
        raw_values = stored_values  # attested in their stead: nothing tells what they were
    return InputBlock(
        first=first,
        count=len(keys),
        codec=key_codec + value_codec,
        keys=stored_keys,
        values=stored_values,
        digest=digest_of(raw_keys) + digest_of(raw_values),
    )


class Inputs:
    """The items of one job by ordinal and by key, read from the store when they are first needed.

    `block_at` gives the block that holds an ordinal. Blocks do not change once a job exists, so
    what was read stays good; the last block of values read is kept. Thread-safe: two threads may
    read the same block, and get the same.
    """

    def __init__(
        self,
        url: str,
        count: int,
        block_at: Callable[[int], InputBlock],
        payloads: PayloadCodec | None = None,
    ) -> None:
        self.count = count
        self._payloads = payloads
        self._url = url
        self._block_at = block_at
        self._keys: dict[int, list[str]] = {}
        self._ordinals: dict[str, int] | None = None
        self._codec: str | None = None
        self._values: tuple[int, list[Any]] = (-1, [])

    @property
    def codec(self) -> str:
        """The name of the payload codec that values passed through, "" if none; looked up once."""
        if self._codec is None:
            self._codec = parted(self._block_at(0).codec[1:])[1] if self.count else ""
        return self._codec

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
            yield from read_entries(block, self._url, self._payloads)
            ordinal = block.first + block.count

    def value(self, ordinal: int) -> Any:  # Any: JSON
        """The value of the item. Raises KeyError, CodecAbsent. Fast for ascending ordinals."""
        if not 0 <= ordinal < self.count:
            raise KeyError(ordinal)
        number, offset = divmod(ordinal, BLOCK_ITEMS)
        held, values = self._values
        if held != number:
            values = read_values(self._block_at(ordinal), self._url, self._payloads)
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
