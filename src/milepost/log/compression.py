"""Compression by the standard library's zstd, and decompression that knows when to stop."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["decompress", "zstd"]


def decompress(stored: bytes, limit_bytes: int) -> bytes:
    """The bytes before compression. Raises ValueError if damaged, or larger than `limit_bytes`."""
    decompressor = zstd.ZstdDecompressor()
    try:
        raw = decompressor.decompress(stored, max_length=limit_bytes + 1)
    except zstd.ZstdError as error:
        raise ValueError(f"does not decompress: {error}") from error
    if len(raw) > limit_bytes:
        raise ValueError(f"decompresses to more than {limit_bytes:,} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise ValueError("is cut short or followed by other bytes")
    return raw
