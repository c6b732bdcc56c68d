"""Seals: digests over the columns that no log attests, so that a changed one is never believed.

A commit is attested by the chain. What is beside it is not: the entry of a job, the place and size
of its items, its lease, and which commit is its newest. Each such row has a seal, and the newest
commit of each log is noted in `tips`, so that a page that lost its last rows is told from a log
that ended there.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import apsw

__all__ = ["FUNCTION", "enable", "seal"]

FUNCTION: Final = "milepost_seal"
"""The name of `seal` in SQL, for the step that seals what was there before."""

_BYTES: Final = 16


def seal(*columns: object) -> bytes:
    """The digest of a row's columns, in order: integers, texts, bytes or NULL."""
    return blake2b(ascii(columns).encode("ascii"), digest_size=_BYTES).digest()


def enable(connection: apsw.Connection) -> None:
    """Let SQL on this connection call `seal`."""
    connection.create_scalar_function(FUNCTION, seal, deterministic=True)
