"""Where a job has gone that was moved to another store, as the tombstone tells that it left."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from milepost.clock import instant
from milepost.errors import JobAbsent, JobMoved
from milepost.log.rows import Tombstone
from milepost.stores.protocol import Reader

__all__ = ["Departure", "absence", "departure_of"]

_TOLD: Final = re.compile(
    r"moved to (.+), as job (\d+) there, whole to commit (\d+) \(([0-9a-f]+)\)", re.DOTALL
)
"""A reason that a deletion never has: those begin with how the job ended, and a colon."""


class Departure(NamedTuple):
    """To which store a job has gone, its number there, and the newest commit that it had."""

    url: str
    number: int
    seq: int
    digest: bytes

    def reason(self) -> str:
        """It as the reason of the tombstone."""
        to = f"moved to {self.url}, as job {self.number} there"
        return f"{to}, whole to commit {self.seq} ({self.digest.hex()})"


def departure_of(tombstone: Tombstone | None) -> Departure | None:
    """Where the job has gone; None where it was deleted, or is not known to be gone."""
    told = None if tombstone is None else _TOLD.fullmatch(tombstone.reason)
    if told is None:
        return None
    return Departure(told[1], int(told[2]), int(told[3]), bytes.fromhex(told[4]))


def absence(reader: Reader, job_id: str, url: str) -> JobAbsent:
    """The error for a job that the store at `url` has no entry of: deleted, moved, or never there.

    One look-up.
    """
    tombstone = reader.tombstone(job_id)
    deleted_at = instant(tombstone.deleted_at_us) if tombstone else None
    departure = departure_of(tombstone)
    if departure is not None:
        return JobMoved(job_id=job_id, url=url, deleted_at=deleted_at, moved_to=departure.url)
    return JobAbsent(job_id=job_id, url=url, deleted_at=deleted_at)
