"""Large results beside the log: the worker writes one, and the log keeps where it is.

What stands in the log is a `Stored`: a URI, the digest and size of the bytes there, and the digest
of the value. It has a field of its own in the event of a result, so that no result of a function's
own is ever taken for one.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from milepost import arguments
from milepost.errors import CodecAbsent, StoredResultAbsent, StoredResultDamaged
from milepost.text.wording import short_repr
from milepost.worker.places import NAME, base_url, place_at
from milepost.worker.values import UNDECODABLE

__all__ = ["REFERENCE_BYTES", "Beside", "Keeping", "Stored", "as_stored", "fetched", "kept_bytes"]

REFERENCE_BYTES: Final = 320
"""About what the log keeps of a result that is beside it, as JSON."""

_LEAST_BYTES: Final = 1_024
_MOST_BYTES: Final = 1024 * 1024 * 1024
_DIGEST_BYTES: Final = 16
_canonical_encoder: Final = msgspec.json.Encoder(order="deterministic")


@short_repr
class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A result that is kept beside the log.

    `sha256` and `size_bytes` are of the bytes at `uri`. `digest` is of the value, as the log takes
    it where two results are compared; `codec` names the payload codec that the bytes came out of,
    "" for none.
    """

    uri: str
    sha256: str
    size_bytes: int = msgspec.field(name="size")
    digest: str
    codec: str = ""


@short_repr
@dataclass(frozen=True, slots=True, repr=False)
class Beside:
    """Where results go that are large: `url` is a folder, or `s3://bucket/prefix` and the like.

    A result whose JSON takes more than `above_bytes` is written there by the worker; the log keeps
    its URI. With the `durability` "full" it has reached the disk then; with "process" it survives
    the end of processes, and not a power cut, as with that durability of a store. Credentials come
    from the environment of whoever writes and reads; a URL that has any is refused.
    """

    url: str | os.PathLike[str]
    above_bytes: int = 262_144
    durability: Literal["full", "process"] = "full"

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", base_url(self.url))
        above_bytes = arguments.integer("above_bytes", self.above_bytes, _LEAST_BYTES, _MOST_BYTES)
        object.__setattr__(self, "above_bytes", above_bytes)
        arguments.choice("durability", self.durability, ("full", "process"))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keeping:
    """The folder for large results of one job, as its workers need it, and what these pass through.

    `codec` is the store's payload codec; it is sent to workers, and so are its keys.
    """

    folder: str
    above_bytes: int
    synced: bool = True
    codec: Any = field(default=None, repr=False)  # Any: a PayloadCodec, which worker/ knows not

    def keep(self, encoded: bytes) -> Stored:
        """Write a result, which is JSON; where it is. Raises OSError, ValueError.

        Written twice it is one object. Cost: one file, synced.
        """
        codec = self.codec
        data = encoded if codec is None else codec.encode(encoded)
        sha256 = hashlib.sha256(data).hexdigest()
        name = f"{sha256}.{'json' if codec is None else 'coded'}"
        place_at(self.folder).write(name, data, synced=self.synced)
        key = b"" if codec is None else codec.digest_key
        return Stored(
            uri=f"{self.folder}/{name}",
            sha256=sha256,
            size_bytes=len(data),
            digest=_digest(encoded, key),
            codec="" if codec is None else codec.name,
        )


def as_stored(given: object) -> Stored:
    """A reference as a log keeps it. Raises ValueError for what is none."""
    stored = msgspec.convert(given, Stored)
    folder, _, name = stored.uri.rpartition("/")
    if NAME.fullmatch(name) is None or not name.startswith(stored.sha256):
        raise ValueError("its URI does not end in its digest")
    if base_url(folder) != folder:
        raise ValueError("its URI is not in its plain form")
    return stored


def kept_bytes(stored: Stored, job_id: str, item: str) -> bytes:
    """The bytes of a result that is kept beside the log, checked against their digest and size.

    Raises StoredResultAbsent, StoredResultDamaged.
    """
    folder, _, name = stored.uri.rpartition("/")
    try:
        data = place_at(folder).read(name)
    except FileNotFoundError as error:
        raise StoredResultAbsent(
            job_id=job_id, item=item, uri=stored.uri, problem="there is nothing of that name"
        ) from error
    except OSError as error:
        raise StoredResultAbsent(
            job_id=job_id, item=item, uri=stored.uri, problem=f"it cannot be read: {error}"
        ) from error
    if len(data) != stored.size_bytes:
        problem = f"it has {len(data):,} bytes, and {stored.size_bytes:,} were written"
        raise StoredResultDamaged(job_id=job_id, item=item, uri=stored.uri, problem=problem)
    if hashlib.sha256(data).hexdigest() != stored.sha256:
        problem = "its bytes do not have the digest of those that were written"
        raise StoredResultDamaged(job_id=job_id, item=item, uri=stored.uri, problem=problem)
    return data


def fetched(stored: Stored, codec: Any, job_id: str, item: str) -> Any:  # Any: a codec, and JSON
    """The value of a result that is kept beside the log.

    Raises StoredResultAbsent, StoredResultDamaged, and CodecAbsent where the bytes came out of
    another payload codec than `codec`.
    """
    name = "" if codec is None else codec.name
    if stored.codec and stored.codec != name:
        raise CodecAbsent(
            url=stored.uri,
            codec=stored.codec,
            problem=f"the result of item {item!r} of job {job_id} was encoded by the codec"
            f" {stored.codec}: open the store with payload_codec=…",
        )
    data = kept_bytes(stored, job_id, item)
    try:
        if stored.codec and codec is not None:
            data = codec.decode(data)
        return msgspec.json.decode(data)
    except UNDECODABLE as error:
        problem = f"it cannot be decoded: {error}"
        raise StoredResultDamaged(
            job_id=job_id, item=item, uri=stored.uri, problem=problem
        ) from error


def _digest(encoded: bytes, key: bytes) -> str:
    """The digest of a value by which results are compared, as `log.codec.value_digest` has it."""
    canonical = encoded
    if b"{" in encoded:  # without an object there is no order to choose
        canonical = _canonical_encoder.encode(msgspec.json.decode(encoded))
    return hashlib.blake2b(canonical, digest_size=_DIGEST_BYTES, key=key).hexdigest()
