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

__all__ = ["FUNCTION", "LEASE_COLUMNS", "LEASE_FUNCTION", "enable", "lease_seal", "seal"]

FUNCTION: Final = "milepost_seal"
"""The name of `seal` in SQL, for the step that seals what was there before."""

LEASE_FUNCTION: Final = "milepost_lease_seal"
"""The name of `lease_seal` in SQL."""

LEASE_COLUMNS: Final = (
    "job, owner, fence, expires_at_us, ttl_us, renewed_us, timeline, pid_scope, pid, pid_started"
)
"""The arguments of `lease_seal`, in order."""

_LEASE: Final = 4  # columns that the first formats had
_BYTES: Final = 16


def seal(*columns: object) -> bytes:
    """The digest of a row's columns, in order: integers, texts, bytes or NULL."""
    return blake2b(ascii(columns).encode("ascii"), digest_size=_BYTES).digest()


def lease_seal(*columns: object) -> bytes:
    """The seal of a lease, whose columns are LEASE_COLUMNS.

    One that says nothing in those that came later is sealed as it was before there were any.
    """
    later = columns[_LEASE:]
    return seal(*columns[:_LEASE]) if later == (None,) * len(later) else seal(*columns)


def enable(connection: apsw.Connection) -> None:
    """Let SQL on this connection call `seal`."""
    connection.create_scalar_function(FUNCTION, seal, deterministic=True)
    connection.create_scalar_function(LEASE_FUNCTION, lease_seal, deterministic=True)
