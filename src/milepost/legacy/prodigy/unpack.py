"""Bytes as they lie on disk to JSON: the compression told by content, its result bounded.

The old tool chose the decoder by its own configuration and named files by it; so a name may lie:
rotated event files end in `.gz` and are plain text. Written are gzip, Zstandard without the
content size in the frame, plain JSON, and LZ4: one raw block behind its uncompressed size in
four bytes, little-endian, which has no magic number.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

import msgspec

from milepost.legacy.prodigy.report import Code
from milepost.text.keys import key_twice

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Encoding", "NotReadError", "decode", "expand", "sniff"]

_T = TypeVar("_T")
_PIECE_BYTES = 1024 * 1024


class Encoding(StrEnum):
    """How the bytes of a file are packed."""

    PLAIN = "plain"
    GZIP = "gzip"
    ZSTD = "zstd"
    LZ4 = "lz4"


class NotReadError(Exception):
    """Bytes that cannot be read, with the code to report it by."""

    def __init__(self, code: Code, problem: str) -> None:
        self.code = code
        self.problem = problem
        super().__init__(code, problem)


def sniff(head: bytes) -> tuple[Encoding, ...]:
    """What bytes that begin with `head` may be, the likelier first; four bytes are enough.

    An LZ4 block begins with a size, which may happen to look like anything else.
    """
    if head.startswith(b"\x1f\x8b"):
        return Encoding.GZIP, Encoding.LZ4
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return (Encoding.ZSTD,)  # as a size it would be 4 GB
    if head.lstrip()[:1] in {b"{", b"["} and b"\0" not in head[:4]:
        return Encoding.PLAIN, Encoding.LZ4
    return Encoding.LZ4, Encoding.PLAIN


def decode(raw: bytes, max_bytes: int, kind: type[_T]) -> tuple[Encoding, _T]:
    """The encoding of `raw` and the JSON in it as `kind`. Raises NotReadError.

    What does not turn out to be JSON in the likeliest encoding is tried in the next. JSON in which
    an object has a key twice is of no shape. `max_bytes` bounds the JSON text. Memory: the text
    twice, and the values.
    """
    problems: list[NotReadError] = []
    for encoding in sniff(raw[:4]):
        try:
            text = b"".join(expand([raw], encoding, max_bytes))
            return encoding, _read(text, kind)
        except NotReadError as error:
            problems.append(error)
        except msgspec.ValidationError as error:
            problems.append(NotReadError(Code.SHAPE_INVALID, str(error)))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            problems.append(NotReadError(Code.BYTES_DAMAGED, f"is not JSON: {error}"))
    likeliest = problems[0]
    telling = (p for p in problems if p.code in {Code.SHAPE_INVALID, Code.PACKAGE_MISSING})
    raise next(telling, likeliest)


def _read(text: bytes, kind: type[_T]) -> _T:
    found = msgspec.json.decode(text, type=kind)
    if (twice := key_twice(text.decode())) is not None:
        problem = f"has an object with the key {twice[:40]!r} twice"
        raise NotReadError(Code.SHAPE_INVALID, problem)
    return found


def expand(pieces: Iterable[bytes], encoding: Encoding, max_bytes: int) -> Iterator[bytes]:
    """The uncompressed bytes of `pieces`, in pieces, never more than `max_bytes` in all.

    Raises NotReadError: at once where there are more, and at the end where the bytes are cut
    short, so that what came before the cut has been given.
    """
    match encoding:
        case Encoding.PLAIN:
            expanded = iter(pieces)
        case Encoding.GZIP:
            expanded = _gunzip(pieces)
        case Encoding.ZSTD:
            expanded = _unzstd(pieces)
        case Encoding.LZ4:
            expanded = _unlz4(b"".join(pieces), max_bytes)
    total = 0
    for piece in expanded:
        total += len(piece)
        if total > max_bytes:
            problem = f"holds more than {max_bytes:,} bytes uncompressed: raise Limits.max_bytes"
            raise NotReadError(Code.FILE_TOO_LARGE, problem)
        yield piece


def _gunzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The members of a gzip file; each one's CRC-32 is checked by zlib. Zeros may follow."""
    member: zlib._Decompress | None = None
    try:
        for given in pieces:
            piece = given
            while piece:
                if member is None:
                    piece = piece.lstrip(b"\0")
                    member = zlib.decompressobj(wbits=31) if piece else None
                    continue
                yield member.decompress(piece, _PIECE_BYTES)
                piece = member.unconsumed_tail
                if member.eof:
                    piece, member = member.unused_data, None
    except zlib.error as error:
        raise NotReadError(Code.BYTES_DAMAGED, f"is not whole gzip: {error}") from error
    if member is not None:
        raise NotReadError(Code.BYTES_DAMAGED, "is gzip that is cut short")


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The frames of a Zstandard file, whether or not they say how much they hold."""
    frame: zstd.ZstdDecompressor | None = None
    try:
        for given in pieces:
            piece = given
            while piece or (frame is not None and not frame.needs_input):
                if frame is None:
                    frame = zstd.ZstdDecompressor()
                yield frame.decompress(piece, max_length=_PIECE_BYTES)
                piece = b""
                if frame.eof:
                    piece, frame = frame.unused_data, None
    except zstd.ZstdError as error:
        raise NotReadError(Code.BYTES_DAMAGED, f"is not whole Zstandard: {error}") from error
    if frame is not None:
        raise NotReadError(Code.BYTES_DAMAGED, "is Zstandard that is cut short")


def _unlz4(raw: bytes, max_bytes: int) -> Iterator[bytes]:
    """The one block of an LZ4 file, of exactly the size that is written in front of it."""
    size = int.from_bytes(raw[:4], "little")
    if len(raw) < 5:
        raise NotReadError(Code.BYTES_DAMAGED, f"is {len(raw)} bytes of no known format")
    if size > max_bytes or size > 255 * len(raw):  # no block packs tighter than 255 to 1
        problem = f"is of no known format (as LZ4 it would hold {size:,} bytes)"
        raise NotReadError(Code.BYTES_DAMAGED, problem)
    try:
        from lz4 import block  # noqa: PLC0415  # an optional extra, needed only here
    except ImportError as error:
        problem = "seems to be LZ4: pip install 'milepost[legacy]' to read it"
        raise NotReadError(Code.PACKAGE_MISSING, problem) from error
    try:
        yield block.decompress(raw)
    except (block.LZ4BlockError, ValueError) as error:
        problem = f"is of no known format, nor whole LZ4: {error}"
        raise NotReadError(Code.BYTES_DAMAGED, problem) from error
