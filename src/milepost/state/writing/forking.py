"""Forks: a new job that goes on from a past moment of another.

A fork is a log of its own: the source's rows up to the moment, every fact, result, time and fence
of them, chained anew from the fork's own id, and one fact more that says where they are from. So
nothing of it hangs on the source, which may be deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

import msgspec

from milepost.items.inputs import Run
from milepost.log.codec import chain_start, decode_snapshot, encode_row, encode_snapshot, rechained
from milepost.log.facts import (
    Draft,
    Fact,
    Forked,
    ItemsAdded,
    JobCreated,
    MembersAdded,
    Migrated,
    Rewound,
)
from milepost.log.rows import StoredLease
from milepost.state.reading.loading import JobLog
from milepost.state.writing.new_jobs import check_absent
from milepost.stores.protocol import Writer

__all__ = ["fork"]


def fork(
    source: JobLog,
    writer: Writer,
    seq: int,
    job_id: str,
    *,
    reason: str,
    now_us: int,
) -> None:
    """Write a new job `job_id` that stands as `source` stood at `seq`, held by nobody.

    `writer` is the reader of `source`.

    Raises CommitAbsent, JobExists, JobMoved, LogCorrupt; bodies and items are copied as they are
    stored, so that damage in them is damage in the copy. Cost: O(bytes of the log up to `seq` and
    of the items), under the write lock; memory: one row.
    """
    check_absent(source.loader, writer, job_id)
    state = source.logged_at(seq)
    job = writer.add_job(job_id, max(now_us, state.updated_at_us), state.lifecycle.digest)
    went_back_to = {to_seq for _, to_seq in state.rewinds}
    digests: dict[int, bytes] = {}
    there, here = chain_start(source.job_id), chain_start(job_id)
    copied = 0
    for row in source.rows(0, seq, bodies=True):
        facts = source.commit(row, there).facts
        for first, count in _places(facts):
            end = first + count
            if end > copied:
                _copy_items(writer, source.number, job.number, max(first, copied), end)
                copied = end
        digests[row.seq - 1] = here
        copy = rechained(row, previous=here, facts=_renamed(facts, job_id, digests))
        writer.add_row(job.number, copy)
        there, here = row.digest, copy.digest
        if row.seq - 1 not in went_back_to:
            del digests[row.seq - 1]
    forked = Forked(
        from_job=source.job_id, from_seq=seq, from_digest=state.digest.hex(), reason=reason
    )
    row = encode_row(
        here,
        seq=seq + 1,
        fence=state.fence,
        at_us=job.created_at_us,
        drafts=[Draft(fact=forked)],
        tally=state.tally,
        count=0,
    )
    writer.add_row(job.number, row)
    if state.fence:  # the fence that the log tells of, held by nobody
        writer.put_lease(job.number, StoredLease(state.owner or "", state.fence, 0, 0))


def _places(facts: Sequence[Fact]) -> Iterator[Run]:
    """Where the items are that a commit brings, for the first time or back after a rewind.

    Places are given out in growing order, and to items that come back their own again.
    """
    for fact in facts:
        if isinstance(fact, JobCreated):
            yield 0, 0 if any(isinstance(f, MembersAdded) for f in facts) else fact.item_count
        elif isinstance(fact, ItemsAdded | MembersAdded):
            yield from fact.runs


def _copy_items(writer: Writer, source: int, job: int, first: int, end: int) -> None:
    """The items at those places, and where their keys are, at the same places of another job."""
    there = takewhile(lambda block: block.first < end, writer.inputs(source, first))
    blocks = (block for block in there if block.first >= first)
    writer.add_inputs(job, blocks, writer.key_segments(source, first, end))


def _renamed(
    facts: tuple[Fact, ...], job_id: str, digests: Mapping[int, bytes]
) -> list[Fact] | None:
    """`facts` with the snapshots in them given to the fork; None if there are none."""
    if not any(isinstance(fact, Rewound | Migrated) for fact in facts):
        return None
    return [_of_fork(f, job_id, digests) if isinstance(f, Rewound | Migrated) else f for f in facts]


def _of_fork(
    fact: Rewound | Migrated, job_id: str, digests: Mapping[int, bytes]
) -> Rewound | Migrated:
    snapshot = decode_snapshot(fact.snapshot)
    snapshot = msgspec.structs.replace(snapshot, job_id=job_id, digest=digests[snapshot.seq])
    return msgspec.structs.replace(fact, snapshot=encode_snapshot(snapshot))
