"""Rows that the contracts of a store write: small, and of a known number of bytes."""

from __future__ import annotations

from typing import Any

from milepost.log.rows import (
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredCheckpoint,
    StoredJob,
    StoredKeep,
    StoredLease,
)
from milepost.stores.protocol import StateStore, Writer

__all__ = ["aside", "filled", "held", "row"]


def row(seq: int, fence: int = 0, body: bytes = b"") -> Row:
    """The row of a log at `seq`, whose digest is that number as a byte."""
    return Row(
        seq=seq,
        fence=fence,
        at_us=seq,
        count=1,
        format=1,
        codec="jj",
        head=b"[]",
        after=b"[]",
        body=body,
        body_digest=b"",
        digest=bytes([seq]),
    )


def filled(store: StateStore, job_id: str, rows: int = 3) -> StoredJob:
    """A job with rows of ten bytes in each of its tables."""
    with store.writing() as writer:
        job = writer.add_job(job_id, 1, "digest")
        for seq in range(1, rows + 1):
            writer.add_row(
                job.number, Row(seq, 0, seq, 1, 1, "jj", b"h" * 4, b"a", b"b" * 5, b"", b"d")
            )
            writer.put_checkpoint(
                job.number, StoredCheckpoint(seq, 1, f"r{seq}", b"c", b"d", b"s" * 10)
            )
        block = InputBlock(0, 1, "jj", b"k" * 5, b"v" * 5, b"d")
        writer.add_inputs(job.number, [block], [KeySegment(0, 1, b"h" * 8, b"o" * 2, b"d")])
        writer.stage(Staged(job.number, 1, 1, job_id, 1))
        writer.put_lease(job.number, StoredLease("me", 1, 9))
        writer.put_keep(job.number, StoredKeep(7, "why", 3))
    return job


def aside(writer: Writer, number: int, source: str, first: int = 0, upto: int | None = None) -> int:
    """How many rows of the table `source` of a job it has set aside, as damaged."""
    return writer.set_aside(
        number, source, job_id="one", reason="damaged", at_us=2, first=first, upto=upto
    )


def held(store: StateStore, job_id: str) -> dict[str, Any]:
    """All that a store has of a job, by what it is; empty if there is no such job."""
    with store.reading() as reader:
        job = reader.job(job_id)
        if job is None:
            return {}
        number = job.number
        return {
            "entry": job,
            "rows": list(reader.rows(number, bodies=True)),
            "newest": reader.newest(number),
            "checkpoints": list(reader.checkpoints(number)),
            "inputs": list(reader.inputs(number)),
            "keys": list(reader.key_segments(number, 0, 1_000)),
            "staged": [staged for staged in reader.staged() if staged.number == number],
            "lease": reader.lease(number),
            "keep": reader.keep(number),
            "sizes": reader.sizes(number),
        }
