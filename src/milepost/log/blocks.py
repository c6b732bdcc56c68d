"""Rows of a log stored together: their columns one after the other, compressed as one.

Heads are apart from bodies, so that a resume decodes no result. What a digest attests is not
touched: digests are of uncompressed bytes, and every row keeps its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from milepost.log.compression import decompress, zstd
from milepost.log.rows import Block, Row
from milepost.worker.values import UNDECODABLE

__all__ = [
    "BLOCK_BYTES",
    "BLOCK_ROWS",
    "LOOSE_BYTES",
    "decode_bodies",
    "decode_heads",
    "encode_block",
    "loosened",
    "size_of",
]

BLOCK_ROWS: Final = 1024
"""How many rows a block may have."""

BLOCK_BYTES: Final = 256 * 1024
"""From how many uncompressed bytes on a block takes no more rows."""

LOOSE_BYTES: Final = 64 * 1024
"""A row with more uncompressed bytes stays on its own: it is compressed well as it is."""

_LEVEL: Final = 12
_LIMIT_BYTES: Final = 64 * 1024 * 1024


class _Heads(msgspec.Struct, frozen=True, array_like=True):
    """The columns of a block's rows but for their bodies; times are steps from row to row."""

    fences: list[int]
    steps_us: list[int]
    counts: list[int]
    formats: list[int]
    codecs: list[str]
    heads: list[bytes]
    afters: list[bytes]
    body_digests: list[bytes]
    digests: list[bytes]


_encoder: Final = msgspec.msgpack.Encoder()
_heads_decoder: Final = msgspec.msgpack.Decoder(_Heads)
_bodies_decoder: Final = msgspec.msgpack.Decoder(list[bytes])


def loosened(row: Row) -> Row:
    """The row with its head and body as they were before each was compressed by itself.

    Bytes whose codec is not ours stay as they are, and a body that was left out stays so. Raises
    ValueError where they are damaged.
    """
    head_letter, body_letter = row.codec[:1], row.codec[1:]
    head, body = row.head, row.body
    if head_letter == "z":
        head_letter, head = "j", decompress(head, _LIMIT_BYTES)
    if body_letter == "z" and body:
        body_letter, body = "j", decompress(body, _LIMIT_BYTES)
    return msgspec.structs.replace(row, codec=head_letter + body_letter, head=head, body=body)


def size_of(row: Row) -> int:
    """How many bytes the row's texts and digests have, as it is."""
    return sum(map(len, (row.head, row.after, row.body, row.body_digest, row.digest)))


def encode_block(rows: Sequence[Row]) -> Block:
    """The block of `rows`, which follow one another by seq and have their bodies."""
    before = [0, *(row.at_us for row in rows)]
    columns = _Heads(
        fences=[row.fence for row in rows],
        steps_us=[row.at_us - at for row, at in zip(rows, before, strict=False)],
        counts=[row.count for row in rows],
        formats=[row.format for row in rows],
        codecs=[row.codec for row in rows],
        heads=[row.head for row in rows],
        afters=[row.after for row in rows],
        body_digests=[row.body_digest for row in rows],
        digests=[row.digest for row in rows],
    )
    return Block(
        first=rows[0].seq,
        last=rows[-1].seq,
        digest=rows[-1].digest,
        heads=zstd.compress(_encoder.encode(columns), _LEVEL),
        bodies=zstd.compress(_encoder.encode([row.body for row in rows]), _LEVEL),
    )


def decode_heads(heads: bytes, first: int, last: int) -> list[Row]:
    """The rows `first` to `last` of a block, their bodies left out. Raises ValueError if damaged.

    Only what makes them rows is checked; whether they are the right ones, their digests say.
    """
    try:
        columns = _heads_decoder.decode(decompress(heads, _LIMIT_BYTES))
    except UNDECODABLE as error:
        raise ValueError(f"does not decode: {error}") from error
    rows: list[Row] = []
    at_us = 0
    parts = zip(
        columns.fences,
        columns.steps_us,
        columns.counts,
        columns.formats,
        columns.codecs,
        columns.heads,
        columns.afters,
        columns.body_digests,
        columns.digests,
        strict=True,
    )
    for seq, (fence, step_us, count, version, codec, head, after, body_digest, digest) in enumerate(
        parts, first
    ):
        at_us += step_us
        row = Row(seq, fence, at_us, count, version, codec, head, after, b"", body_digest, digest)
        rows.append(row)
    if len(rows) != last - first + 1:
        raise ValueError(f"has {len(rows)} rows and not {last - first + 1}")
    return rows


def decode_bodies(bodies: bytes, rows: Sequence[Row]) -> list[Row]:
    """The rows of a block with their bodies. Raises ValueError if damaged."""
    try:
        decoded = _bodies_decoder.decode(decompress(bodies, _LIMIT_BYTES))
    except UNDECODABLE as error:
        raise ValueError(f"does not decode: {error}") from error
    if len(decoded) != len(rows):
        raise ValueError(f"has the bodies of {len(decoded)} rows and not of {len(rows)}")
    return [
        msgspec.structs.replace(row, body=body) for row, body in zip(rows, decoded, strict=True)
    ]
