"""All that a reader of a store says, and a commit that changes all of it."""

from __future__ import annotations

from typing import Any

from milepost.log.rows import (
    InputBlock,
    KeySegment,
    Staged,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    StoredLifecycle,
    StoredSpan,
)
from milepost.stores.protocol import Reader, StateStore, Writer
from milepost.testing.contracts.stores.rows import aside, filled, row

__all__ = ["change_all", "prepared", "said", "said_of"]


def said_of(reader: Reader, number: int) -> dict[str, Any]:
    """What it says of the job of that number, by the method that says it."""
    return {
        "rows": list(reader.rows(number, bodies=True)),
        "newest": reader.newest(number),
        "tip": reader.tip(number),
        "inputs": list(reader.inputs(number)),
        "key_segments": list(reader.key_segments(number, 0, 1_000)),
        "next_place": reader.next_place(number),
        "checkpoints": list(reader.checkpoints(number)),
        "checkpoint_sizes": reader.checkpoint_sizes(number),
        "spans": list(reader.spans(number)),
        "spans_end": reader.spans_end(number),
        "state_ends": reader.state_ends(number),
        "states": list(reader.states(number, 1_000)),
        "lease": reader.lease(number),
        "keep": reader.keep(number),
        "sizes": reader.sizes(number),
    }


def said(reader: Reader, number: int) -> dict[str, Any]:
    """What it says of the job of that number and of the store, by the method that says it."""
    having = {what: reader.having(what) for what in ("keep", "held", "checkpoint")}
    return {
        **said_of(reader, number),
        "job": [reader.job(job_id) for job_id in _IDS],
        "has_job": [reader.has_job(job_id) for job_id in _IDS],
        "job_ids": reader.job_ids(""),
        "count_jobs": reader.count_jobs(),
        "tips": list(reader.tips()),
        "leased": list(reader.leased()),
        "entries": reader.entries(),
        "staged": reader.staged(),
        "quarantine": list(reader.quarantine()),
        "last_quarantined": reader.last_quarantined(),
        "sizes_of": reader.sizes_of(1, 1_000),
        **{f"having {what}": numbers for what, numbers in having.items()},
        "lifecycle": [reader.lifecycle(digest) for digest in ("old", "new")],
        "lifecycles": reader.lifecycles(),
        "tombstone": [reader.tombstone(job_id) for job_id in _IDS],
        "tombstones_left": reader.tombstones_left(),
    }


_IDS = ("one", "two", "three", "gone")


def prepared(store: StateStore) -> StoredJob:
    """The job "one" with something of everything, another beside it, and one that was deleted."""
    two = filled(store, "two")
    gone = filled(store, "gone")
    job = filled(store, "one")
    with store.writing() as writer:
        for number in (job.number, two.number):
            for last in (1, 2):
                writer.put_span(number, StoredSpan(last, last, b"d", b"index", b"s", b"state"))
        writer.put_lifecycle(StoredLifecycle("old", "orders", 1, b"{}"))
        writer.bury(gone, 5, "old")
        aside(writer, two.number, "checkpoints", first=1, upto=1)
    return job


def change_all(writer: Writer, job: StoredJob) -> None:
    """Make each part of `said` another: of the job that `prepared` gave, and beside it."""
    number = job.number
    two = writer.job("two")
    assert two is not None
    writer.unstage("one")
    writer.add_rows(number, [row(4), row(5)])
    writer.put_checkpoint(number, StoredCheckpoint(5, 1, "new", b"c", b"d", b"snapshot"))
    writer.remove_checkpoint(number, 1)
    writer.drop_state(number, 1)
    writer.put_span(number, StoredSpan(3, 5, b"d", b"new", b"s", b"state"))
    writer.put_lease(number, StoredLease("you", 2, 99).given_back())
    writer.put_keep(number, None)
    writer.add_inputs(number, [InputBlock(1, 9, "jj", b"k", b"v", b"d")], [])
    writer.add_inputs(number, [], [KeySegment(1, 9, b"h" * 72, b"o" * 18, b"d")])
    writer.put_lifecycle(StoredLifecycle("new", "orders", 2, b"{}"))
    aside(writer, number, "checkpoints", first=2, upto=2)
    for seq in (2, 3):
        writer.remove_checkpoint(two.number, seq)
    writer.bury(two, 6, "old")
    three = writer.add_job("three", 7, "digest").number
    for new in (three, writer.add_job("four", 7, "digest").number):
        writer.add_row(new, row(1))
    writer.stage(Staged(three, 0, 1, "three", 7))
