"""How facts become bytes and come back: strict JSON, bounded compression, the digest chain.

A row has a head (the facts), a body (the values that the fold never reads) and the tally after
it. Digests are of the uncompressed bytes, so that a row may be stored more tightly later without
changing what the chain attests. Source of the chaining: Haber and Stornetta, 1991.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from milepost.errors import CodecAbsent, LogCorrupt, StoreNewer, StoreUnreadable, ValueInvalid
from milepost.integers import BEYOND
from milepost.log.compression import decompress, zstd
from milepost.log.facts import FORMAT, Commit, Draft, Fact, Snapshot, format_of
from milepost.log.payloads import PayloadCodec, coded, parted
from milepost.log.rows import Row
from milepost.text.wording import short_repr, shown
from milepost.worker.values import UNDECODABLE, encode_value

__all__ = [
    "DIGEST_BYTES",
    "MAX_BLOCK_BYTES",
    "Tally",
    "as_json",
    "chain_start",
    "check_body",
    "content_key",
    "decode_body",
    "decode_commit",
    "decode_facts",
    "decode_snapshot",
    "decode_tally",
    "digest_of",
    "encode_row",
    "encode_snapshot",
    "encode_variables",
    "pack",
    "rechained",
    "undo_codec",
    "unpack",
    "value_digest",
]

DIGEST_BYTES: Final = 16
MAX_BLOCK_BYTES: Final = 64 * 1024 * 1024
"""The most that one head, body, snapshot or block of inputs may hold, uncompressed."""

_COMPRESS_FROM_BYTES: Final = 512  # smaller ones stay JSON that a person can read
_LEVEL: Final = 3
_FAST_FROM_BYTES: Final = 512 * 1024  # what large results hold compresses by little more, slowly
_FAST_LEVEL: Final = 1
_LAST_US: Final = 253_402_300_799_999_999  # the end of the year 9999: calendars go no further
_FRAME: Final = struct.Struct(">QQQQQQQ")

_json_encoder: Final = msgspec.json.Encoder()
_canonical_encoder: Final = msgspec.json.Encoder(order="deterministic")
_json_decoder: Final = msgspec.json.Decoder()
_facts_decoder: Final = msgspec.json.Decoder(tuple[Fact, ...])
_snapshot_encoder: Final = msgspec.msgpack.Encoder()
_snapshot_decoder: Final = msgspec.msgpack.Decoder(Snapshot)

# One for all threads: a frame is one call, and a call locks it. Making one costs 10 µs.
_compressor: Final = zstd.ZstdCompressor(_LEVEL)
_fast_compressor: Final = zstd.ZstdCompressor(_FAST_LEVEL)


@short_repr
class Tally(msgspec.Struct, frozen=True, array_like=True):
    """Where the job stood after a row: its phase, and its items by state in definition order."""

    phase: str
    items: tuple[int, ...]


_tally_decoder: Final = msgspec.json.Decoder(Tally)


def digest_of(*parts: bytes, key: bytes = b"") -> bytes:
    """The digest of `parts`, one after the other, keyed with `key`."""
    state = blake2b(digest_size=DIGEST_BYTES, key=key)
    for part in parts:
        state.update(part)
    return state.digest()


def chain_start(job_id: str) -> bytes:
    """The start of the chain of a job's log, which its first digest is chained to."""
    return digest_of(b"milepost log\0", job_id.encode())


def as_json(value: object, kind: str) -> object:
    """The stored form of the `value` of a payload's field of type `kind`: of bytes, base 64."""
    return b64encode(value).decode() if kind == "bytes" and isinstance(value, bytes) else value


def encode_variables(variables: Mapping[str, object]) -> bytes:
    """A job's variables as JSON. Raises ValueInvalid as `encode_value` does.

    And for an integer beyond 64 bits: variables are in every checkpoint.
    """
    encoded = encode_value(dict(variables), "variables")
    try:
        _snapshot_encoder.encode(_json_decoder.decode(encoded))
    except OverflowError as error:
        problem = f"holds an integer {BEYOND}: use text"
        raise ValueInvalid(what="variables", path="$", problem=problem) from error
    return encoded


def value_digest(encoded: bytes, key: bytes = b"") -> str:
    """The digest of an encoded value, in hexadecimal: the same for values equal as JSON."""
    return digest_of(_canonical_encoder.encode(_json_decoder.decode(encoded)), key=key).hex()


def content_key(encoded: bytes, key: bytes = b"") -> str:
    """The key of an item that has none of its own: the digest of its value."""
    return value_digest(encoded, key)


def pack(raw: bytes, what: str) -> tuple[str, bytes]:
    """The codec letter and the stored form of `raw`. Raises ValueInvalid beyond the limit."""
    if len(raw) < _COMPRESS_FROM_BYTES:
        return "j", raw
    if len(raw) > MAX_BLOCK_BYTES:
        raise ValueInvalid(
            what=what,
            path="$",
            problem=f"takes {len(raw):,} bytes and at most {MAX_BLOCK_BYTES:,} are stored at once:"
            " record less at once, or store a reference",
        )
    compressor = _compressor if len(raw) < _FAST_FROM_BYTES else _fast_compressor
    return "z", compressor.compress(raw, compressor.FLUSH_FRAME)


def unpack(letter: str, stored: bytes) -> bytes:
    """The bytes that `pack` got. Raises ValueError if they are damaged or larger than the limit."""
    if letter == "j":
        return stored
    if letter != "z":
        raise ValueError(f"unknown codec {letter!r}")
    return decompress(stored, MAX_BLOCK_BYTES)


def undo_codec(
    letter: str, stored: bytes, payloads: PayloadCodec | None, url: str
) -> tuple[str, bytes]:
    """Letter and bytes as they were packed. Raises CodecAbsent, and ValueError if damaged."""
    own, name = parted(letter)
    if not name:
        return own, stored
    if payloads is None or payloads.name != name:
        given = f"the codec {payloads.name}" if payloads is not None else "none"
        raise CodecAbsent(
            url=url,
            codec=name,
            problem=f"payloads were encoded by the codec {name} and {given} was given:"
            " open the store with payload_codec=…",
        )
    try:
        decoded = payloads.decode(stored)
        if type(decoded) is not bytes:
            raise TypeError(f"it gave {shown(decoded)}, which is no bytes")
    except Exception as error:
        raise ValueError(
            f"the codec {name} cannot decode it, or has another key: {error}"
        ) from error
    return own, decoded


def _chained(
    previous: bytes, numbers: tuple[int, ...], head: bytes, after: bytes, body_digest: bytes
) -> bytes:
    frame = _FRAME.pack(*numbers, len(head), len(after))
    chained = b"".join((previous, frame, head, after, body_digest))
    return blake2b(chained, digest_size=DIGEST_BYTES).digest()


def encode_row(
    previous: bytes,
    *,
    seq: int,
    fence: int,
    at_us: int,
    drafts: Sequence[Draft],
    tally: Tally,
    count: int,
    payloads: PayloadCodec | None = None,
    check: Callable[[int], None] | None = None,
    check_above_bytes: int = 0,
) -> Row:
    """The row that stores `drafts` behind the row whose digest is `previous`.

    The body passes through `payloads`; its digest is then of what came out, so that nothing in
    the row tells what went in. `check` is told how many bytes head and body take together as
    JSON, where they are more than `check_above_bytes`, and may raise. Raises ValueInvalid where
    head or body would be larger than the limit, where a fact does not decode to itself, or the
    codec cannot encode the body.
    """
    if type(at_us) is not int or not 0 <= at_us <= _LAST_US:
        problem = f"is {shown(at_us)}: the clock gives microseconds since 1970, an integer"
        raise ValueInvalid(what="the time of one commit", path="$", problem=problem)
    facts: list[Fact] = []
    bodies: list[object] = []
    told = False
    for draft in drafts:
        facts.append(draft.fact)
        bodies.append(draft.body)
        told = told or draft.body is not None
    head = _checked_head(facts)
    version = format_of(facts)
    body = _json_encoder.encode(bodies) if told else b""
    if check is not None and len(head) + len(body) > check_above_bytes:
        check(len(head) + len(body))
    after = _json_encoder.encode(tally)
    head_codec, stored_head = pack(head, "the facts of one commit")
    body_codec, stored_body = pack(body, "the payloads of one commit")
    if payloads is not None and body:
        try:
            body_codec, stored_body = coded(payloads, body_codec, stored_body)
        except ValueError as error:
            problem = f"cannot be encoded by the codec {payloads.name}: {error}"
            raise ValueInvalid(
                what="the payloads of one commit", path="$", problem=problem
            ) from error
        body = stored_body
    body_digest = blake2b(body, digest_size=DIGEST_BYTES).digest() if body else b""
    return Row(
        seq=seq,
        fence=fence,
        at_us=at_us,
        count=count,
        format=version,
        codec=head_codec + body_codec,
        head=stored_head,
        after=after,
        body=stored_body,
        body_digest=body_digest,
        digest=_chained(previous, (seq, fence, at_us, count, version), head, after, body_digest),
    )


def _checked_head(facts: list[Fact]) -> bytes:
    """`facts` as JSON that every reader takes for just these. Raises ValueInvalid otherwise.

    What one of them would not come back as (a text where a number belongs, say) would keep all
    that follows it in the log from being read, so it is found before it is written.
    """
    problem = "do not decode to what they were"
    try:
        head = _json_encoder.encode(facts)
        if list(_facts_decoder.decode(head)) == facts:
            return head
    except Exception as error:  # noqa: BLE001 whatever a value of a wrong type raises
        problem = f"cannot be read back: {error}"
    kinds = ", ".join(dict.fromkeys(type(fact).__name__ for fact in facts))
    raise ValueInvalid(what=f"the facts of one commit ({kinds})", path="$", problem=problem)


def rechained(row: Row, *, previous: bytes, facts: Sequence[Fact] | None = None) -> Row:
    """`row` behind another digest: its numbers, tally and body as they are, its head too.

    Other `facts` than the row's own may take the place of its head. The body is not looked at:
    if it does not match the digest that the row has of it, it still does not.
    """
    codec, stored, version = row.codec, row.head, row.format
    head = unpack(codec[:1], stored)
    if facts is not None:
        head = _checked_head(list(facts))
        letter, stored = pack(head, "the facts of one commit")
        codec, version = letter + codec[1:], format_of(facts)
    numbers = (row.seq, row.fence, row.at_us, row.count, version)
    digest = _chained(previous, numbers, head, row.after, row.body_digest)
    return msgspec.structs.replace(row, format=version, codec=codec, head=stored, digest=digest)


def decode_commit(row: Row, *, previous: bytes, url: str, job_id: str) -> Commit:
    """The commit of `row`, checked against the digest before it; its body is not looked at.

    Raises LogCorrupt, and StoreNewer where a newer version wrote the row.
    """
    if row.format > FORMAT:
        raise StoreNewer(
            url=url,
            problem=f"job {job_id}, commit {row.seq} is of format {row.format} and this version"
            f" reads up to {FORMAT}: install a newer milepost",
        )
    try:
        head = unpack(row.codec[:1], row.head)
        numbers = (row.seq, row.fence, row.at_us, row.count, row.format)
        expected = _chained(previous, numbers, head, row.after, row.body_digest)
        if expected != row.digest:
            raise ValueError("its digest does not follow from it and the commit before")
        facts = _facts_decoder.decode(head)
    except (*UNDECODABLE, struct.error) as error:
        raise LogCorrupt(url=url, job_id=job_id, seq=row.seq, problem=str(error)) from error
    return Commit(seq=row.seq, fence=row.fence, at_us=row.at_us, facts=facts, digest=row.digest)


def decode_facts(row: Row, *, url: str, job_id: str) -> tuple[Fact, ...]:
    """The facts of a row whose place in the chain was checked before. Raises LogCorrupt."""
    try:
        return _facts_decoder.decode(unpack(row.codec[:1], row.head))
    except UNDECODABLE as error:
        raise LogCorrupt(url=url, job_id=job_id, seq=row.seq, problem=str(error)) from error


def check_body(row: Row, *, url: str, job_id: str) -> None:
    """Raise LogCorrupt unless the body is the one that the row attests."""
    try:
        _attested(row)
    except ValueError as error:
        raise LogCorrupt(url=url, job_id=job_id, seq=row.seq, problem=str(error)) from error


def _attested(row: Row) -> bytes:
    """The body, uncompressed; as it is stored, if it passed through a codec.

    Raises ValueError where it is not the one that the row attests.
    """
    own, name = parted(row.codec[1:])
    body = row.body if name else unpack(own, row.body)
    if (digest_of(body) if body else b"") != row.body_digest:
        raise ValueError("its body does not match its digest")
    return body


def decode_body(
    row: Row,
    *,
    url: str,
    job_id: str,
    payloads: PayloadCodec | None = None,
    only: Collection[int] | None = None,
) -> list[Any]:
    """The bodies of the row's facts, None where a fact has none; an empty list if none has.

    With `only`, those of the facts at these positions: the others are left as None, undecoded.

    Raises LogCorrupt where the body is not the one that the row attests, and CodecAbsent where
    it passed through another codec than `payloads`.
    """
    if not row.body_digest:
        return []
    try:
        body = _attested(row)
        if "+" in row.codec:
            body = unpack(*undo_codec(row.codec[1:], body, payloads, url))
        if only is None:
            decoded: list[Any] = msgspec.json.decode(body, type=list[Any])
            return decoded
        every = msgspec.json.decode(body, type=list[msgspec.Raw])
        return [_json_decoder.decode(one) if at in only else None for at, one in enumerate(every)]
    except UNDECODABLE as error:
        raise LogCorrupt(url=url, job_id=job_id, seq=row.seq, problem=str(error)) from error


def decode_tally(row: Row, *, url: str, job_id: str) -> Tally:
    """Where the job stood after `row`. Raises LogCorrupt."""
    try:
        return _tally_decoder.decode(row.after)
    except UNDECODABLE as error:
        raise LogCorrupt(url=url, job_id=job_id, seq=row.seq, problem=str(error)) from error


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """`snapshot` as compressed bytes. Raises ValueInvalid beyond the limit, or if none holds it."""
    try:
        encoded = _snapshot_encoder.encode(snapshot)
        if _snapshot_decoder.decode(encoded) != snapshot:
            raise ValueError("it does not decode to what it was")
    except Exception as error:
        problem = f"cannot be read back: {error}"
        raise ValueInvalid(what="a checkpoint", path="$", problem=problem) from error
    letter, stored = pack(encoded, "a checkpoint")
    return letter.encode() + stored


def decode_snapshot(stored: bytes) -> Snapshot:
    """The snapshot that `encode_snapshot` got. Raises StoreUnreadable, StoreNewer, with no url."""
    try:
        snapshot = _snapshot_decoder.decode(unpack(stored[:1].decode("ascii"), stored[1:]))
    except UNDECODABLE as error:
        raise StoreUnreadable(url="", problem=f"the checkpoint {error}") from error
    if snapshot.format > FORMAT:
        raise StoreNewer(
            url="",
            problem=f"the checkpoint is of format {snapshot.format}: install a newer milepost",
        )
    return snapshot
