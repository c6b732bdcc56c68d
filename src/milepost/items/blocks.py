"""Items as they are given, and the blocks in which they are stored: keys, values, fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from milepost.errors import StoreUnreadable, ValueInvalid
from milepost.log.codec import (
    DIGEST_BYTES,
    content_key,
    digest_of,
    pack,
    undo_codec,
    unpack,
)
from milepost.log.payloads import PayloadCodec, coded, digest_key, parted
from milepost.log.rows import InputBlock
from milepost.text.wording import shown
from milepost.worker.items import Item
from milepost.worker.values import UNDECODABLE, encode_value

__all__ = [
    "BLOCK_BYTES",
    "BLOCK_ITEMS",
    "Entry",
    "Filled",
    "Fingerprinted",
    "Item",
    "Listing",
    "block_of",
    "check_blocks",
    "entries_in",
    "entries_of",
    "fingerprint_of",
    "grown_fingerprint",
    "read_keys",
    "read_values",
]

BLOCK_ITEMS: Final = 1024
"""The most items that are kept together; fewer where they are large, or where a list ends."""

BLOCK_BYTES: Final = 4 * 1024 * 1024
"""Of values, uncompressed: where a block ends early."""

_KEY_CHARS: Final = 512
_json: Final = msgspec.json.Encoder()

Entry: TypeAlias = tuple[str, bytes]
"""A key, checked, and the value as JSON."""


class Filled(NamedTuple):
    """A block, `first` counted from the beginning of its list, and its keys once more."""

    block: InputBlock
    keys: list[str]


class Listing:
    """Reads a list of items once, giving blocks; `count` and `fingerprint` are of what was read.

    Values pass through `payloads`. Memory: one block. `skip` says which keys are left out, or
    raises; it gets the key and the position in the list.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        skip: Callable[[str, int], bool] | None = None,
        payloads: PayloadCodec | None = None,
    ) -> None:
        self._entries = entries
        self._skip = skip
        self._payloads = payloads
        self._identity = _identity(payloads)
        self.count = 0

    @property
    def fingerprint(self) -> str:
        """The digest of keys and values in order, in hexadecimal."""
        return self._identity.hexdigest()

    def blocks(self) -> Iterator[Filled]:
        """The blocks, in order. Raises what `entries` and `skip` raise."""
        keys: list[str] = []
        values: list[bytes] = []
        size_bytes = 0
        for position, (key, encoded) in enumerate(self._entries):
            if self._skip is not None and self._skip(key, position):
                continue
            keys.append(key)
            values.append(encoded)
            size_bytes += len(encoded)
            if len(keys) == BLOCK_ITEMS or size_bytes >= BLOCK_BYTES:
                yield self._filled(keys, values)
                keys, values, size_bytes = [], [], 0
        if keys:
            yield self._filled(keys, values)

    def _filled(self, keys: list[str], values: list[bytes]) -> Filled:
        self._identity.update(_identified(keys, values))
        block = block_of(self.count, keys, values, self._payloads)
        self.count += len(keys)
        return Filled(block, keys)


class Fingerprinted:
    """Passes entries on; `count` and `fingerprint` are of those that it passed on, as one list."""

    def __init__(self, entries: Iterable[Entry], payloads: PayloadCodec | None = None) -> None:
        self._entries = entries
        self._identity = _identity(payloads)
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for key, encoded in self._entries:
            self._identity.update(_identified([key], [encoded]))
            self.count += 1
            yield key, encoded

    @property
    def fingerprint(self) -> str:
        """As of a Listing."""
        return self._identity.hexdigest()


def entries_of(
    items: Iterable[object] | Mapping[str, object], payloads: PayloadCodec | None = None
) -> Iterator[Entry]:
    """Keys and values of `items`, checked as they are read.

    A mapping gives keys and values. Of other iterables, an Item has its own key, a text of up to
    512 characters is its own key, and any other value is known by the digest of its content, so
    that a key never depends on a position; that digest is keyed as `payloads` has it. Raises
    ValueInvalid where one cannot be stored.
    """
    if isinstance(items, Mapping):
        for key, value in items.items():
            what = f"item {shown(key)}"
            yield _checked_key(key, what), encode_value(value, what)
        return
    secret = digest_key(payloads)
    for position, item in enumerate(items):
        what = f"item {position}"
        if isinstance(item, Item):
            yield _checked_key(item.key, what), encode_value(item.value, what)
            continue
        encoded = encode_value(item, what)
        if isinstance(item, str) and 0 < len(item) <= _KEY_CHARS:
            yield _shaped_key(item, what), encoded
        else:
            yield content_key(encoded, secret), encoded


def entries_in(
    block: InputBlock, url: str, payloads: PayloadCodec | None = None
) -> Iterator[Entry]:
    """The entries of a stored block. Raises StoreUnreadable where it is damaged, CodecAbsent."""
    values = _read(block, url, _values(block, url, payloads), list[msgspec.Raw])
    for key, value in zip(read_keys(block, url), values, strict=True):
        yield key, bytes(value)


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
    identity = _identity(payloads)
    count = 0
    for block in blocks:
        keys, values = zip(*entries_in(block, url, payloads), strict=True)
        identity.update(_identified(keys, values))
        count += block.count
    return count, identity.hexdigest()


def grown_fingerprint(before: str, added: str) -> str:
    """The fingerprint of a list that had the fingerprint `before`, once others were added."""
    return digest_of(bytes.fromhex(before), bytes.fromhex(added)).hex()


def read_keys(block: InputBlock, url: str, part: str = "") -> list[str]:
    """The keys of a block, in order; none where none of them can have `part` in it.

    Raises StoreUnreadable where they are damaged.
    """
    raw = _attested(block, url, 0)
    if part and not _may_have(raw, part):
        return []
    return _read(block, url, raw, list[str])


def _may_have(keys: bytes, part: str) -> bool:
    try:
        written = _json.encode(part)[1:-1]
    except UnicodeEncodeError:  # a lone surrogate, which no key has
        return False
    return written in keys  # each character is written in one way


def read_values(
    block: InputBlock, url: str, payloads: PayloadCodec | None = None
) -> list[Any]:  # Any: JSON
    """The values of a block, in order. Raises StoreUnreadable where damaged, CodecAbsent."""
    return _read(block, url, _values(block, url, payloads), list[Any])


def _identity(payloads: PayloadCodec | None) -> blake2b:
    """The bytes of a fingerprint, which stands where anybody can read it."""
    return blake2b(digest_size=DIGEST_BYTES, key=digest_key(payloads))


def _identified(keys: Iterable[str], values: Iterable[bytes]) -> bytes:
    encode = _json.encode
    return b"".join(
        [b"%b:%b\n" % (encode(key), value) for key, value in zip(keys, values, strict=True)]
    )


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
    except UNDECODABLE as error:
        raise _damaged(block, url, str(error)) from error
    return decoded


def _damaged(block: InputBlock, url: str, problem: str) -> StoreUnreadable:
    last = block.first + block.count - 1
    return StoreUnreadable(url=url, problem=f"the items {block.first} to {last} {problem}")


def _checked_key(key: object, what: str) -> str:
    shaped = _shaped_key(key, what)
    encode_value(shaped, f"the key of {what}")
    return shaped


def _shaped_key(key: object, what: str) -> str:
    plain = str.__str__(key) if isinstance(key, str) else ""
    if not 0 < len(plain) <= _KEY_CHARS or "\0" in plain:
        problem = f"is {shown(key)}: keys are text of 1 to {_KEY_CHARS} characters"
        raise ValueInvalid(what=what, path="the key", problem=problem)
    return plain


def block_of(
    first: int, keys: list[str], values: list[bytes], payloads: PayloadCodec | None = None
) -> InputBlock:
    """The block of items from `first` on. Raises ValueInvalid where they are too large for one."""
    raw_keys, raw_values = _json.encode(keys), b"[%b]" % b",".join(values)
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
