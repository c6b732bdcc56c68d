"""A log that was made elsewhere becomes a job: every fact of it is applied, and all of it verified.

Knows nothing of the tool that the log tells of. The job begins with the facts that say what it is
and where it is from, and ends with a checkpoint; all of it is one transaction.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

import msgspec

from milepost.errors import (
    ContextInvalid,
    ImportConflict,
    ImportFailed,
    JobIdInvalid,
    TransitionRefused,
    ValueInvalid,
)
from milepost.items.blocks import read_keys
from milepost.items.inputs import Inputs, Shelf
from milepost.items.key_index import segment_of
from milepost.job.invariants import check_new, decided
from milepost.job.restoring import begin
from milepost.job.state import JobState, changed
from milepost.job.versions import Catalogue
from milepost.log.codec import chain_start, digest_of, encode_row
from milepost.log.drafts import CommitDraft, LogDraft
from milepost.log.facts import CheckpointTaken, Draft, Imported, check_job_id, event_count
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import Row, StoredCheckpoint, StoredJob
from milepost.state.reading.departures import departure_of
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.verification import verify_job
from milepost.state.writing.describing import describe
from milepost.stores.protocol import Reader, Writer

__all__ = ["REASON", "fold_of", "place", "provenance", "store"]

REASON: Final = "imported"
"""The reason of the checkpoint that an import takes."""


def fold_of(draft: LogDraft, tables: Catalogue, payloads: PayloadCodec | None = None) -> JobState:
    """The state that the log leads to; nothing is stored.

    Raises ImportFailed where a fact is not legal under this version of the lifecycle, or does not
    fit into a commit.
    """
    return _replay(draft, tables, payloads, lambda row: None)  # noqa: ARG005 nothing is kept


def store(loader: Loader, writer: Writer, draft: LogDraft) -> JobState:
    """Write the log as a new job, with a checkpoint at its end; the id is known to be free.

    Gives the state that the checkpoint is of.
    What was written is read back and verified from its first commit before the transaction ends.
    Raises as `fold_of`. Cost: O(log), under the write lock.
    """
    job = writer.add_job(draft.job_id, draft.created_at_us, draft.created.digest)
    describe(writer, loader.tables.get(draft.created.digest))
    for block in draft.blocks:
        segment = segment_of(block.first, read_keys(block, loader.store.url))
        writer.add_inputs(job.number, [block], [segment.stored()])
    state = _replay(
        draft, loader.tables, loader.payloads, lambda row: writer.add_row(job.number, row)
    )
    _put_aside(writer, job, state, draft.updated_at_us)
    found = verify_job(JobLog(loader, writer, job))
    if not found.sound:
        problems = "; ".join(problem.message for problem in found.problems)
        raise ImportFailed(job_id=draft.job_id, problem=f"it does not verify: {problems}")
    return changed(state, number=job.number)


def provenance(log: JobLog) -> Imported | None:
    """The origin of a job by its log; None if it was not imported. One row."""
    for row in log.rows(0, 1):
        for fact in log.facts(row):
            if isinstance(fact, Imported):
                return fact
    return None


def place(loader: Loader, reader: Reader, draft: LogDraft) -> str | None:
    """The id under which this very job was imported before; None if it was not.

    That may be its old one, from before another job was found to share it. Raises ImportConflict
    where its id is another job's or has gone to another store, and where what was imported is not
    what the old files say now.
    """
    wanted = draft.imported
    url = loader.store.url
    for job_id in dict.fromkeys((draft.job_id, wanted.old_id)):
        try:
            job = reader.job(check_job_id(job_id))
        except JobIdInvalid:
            continue  # so nothing here is called that
        if job is None:
            continue
        there = provenance(JobLog(loader, reader, job))
        known = there and (there.tool, there.repo, there.old_id)
        if there is not None and known == (wanted.tool, wanted.repo, wanted.old_id):
            if there.fingerprint != wanted.fingerprint:
                raise ImportConflict(
                    job_id=job_id,
                    url=url,
                    problem="was imported before, and its old files have changed since: it was"
                    " left as it is; import what they say now into another store",
                )
            return job_id
        if job_id == draft.job_id:
            problem = "is another job: it was left as it is; import the old one into another store"
            raise ImportConflict(job_id=job_id, url=url, problem=problem)
    departure = departure_of(reader.tombstone(draft.job_id))
    if departure is not None:
        problem = f"was moved to {departure.url}: go on there, or import into another store"
        raise ImportConflict(job_id=draft.job_id, url=url, problem=problem)
    return None


def _put_aside(writer: Writer, job: StoredJob, state: JobState, at_us: int) -> None:
    """Write a checkpoint of `state` and the commit that tells of it."""
    snapshot = state.snapshot()
    digest = digest_of(snapshot)
    writer.put_checkpoint(
        job.number,
        StoredCheckpoint(
            seq=state.seq,
            at_us=at_us,
            reason=REASON,
            chain=state.digest,
            digest=digest,
            snapshot=snapshot,
        ),
    )
    fact = CheckpointTaken(seq=state.seq, digest=digest.hex(), reason=REASON)
    row, _ = _row(state, CommitDraft(at_us, [Draft(fact=fact)]), None)
    writer.add_row(job.number, row)


def _replay(
    draft: LogDraft,
    tables: Catalogue,
    payloads: PayloadCodec | None,
    keep: Callable[[Row], None],
) -> JobState:
    """The state that the log leads to, each row given to `keep` (INV-LEGAL)."""
    report = [msgspec.to_builtins(line) for line in draft.report]
    opening = [Draft(fact=draft.created), Draft(fact=draft.imported, body=report)]
    firsts = [block.first for block in draft.blocks]
    shelf = Shelf(
        "",
        lambda at: draft.blocks[bisect_right(firsts, at) - 1],
        lambda _first, _end: [],
        payloads,
    )
    inputs = Inputs(shelf, draft.created.item_count)
    seq = 0
    try:
        state = begin(draft.job_id, draft.created, tables, inputs)
        state = changed(state, digest=chain_start(draft.job_id), created_at_us=draft.created_at_us)
        for commit in (CommitDraft(draft.created_at_us, opening), *draft.commits):
            seq += 1
            row, state = _row(state, commit, payloads)
            if seq == 1:
                check_new(state)
            keep(row)
    except (ContextInvalid, TransitionRefused, ValueInvalid, KeyError, ValueError) as error:
        problem = f"its commit {seq} cannot be made under this lifecycle: {error}"
        raise ImportFailed(job_id=draft.job_id, problem=problem) from error
    return state


def _row(
    before: JobState, commit: CommitDraft, payloads: PayloadCodec | None
) -> tuple[Row, JobState]:
    if commit.at_us < before.updated_at_us:
        raise ValueError(f"its time is before that of commit {before.seq}")
    after = changed(before, seq=before.seq + 1, updated_at_us=commit.at_us)
    for draft in commit.drafts:
        after = decided(after, draft.fact)
    row = encode_row(
        before.digest,
        seq=after.seq,
        fence=after.fence,
        at_us=commit.at_us,
        drafts=commit.drafts,
        tally=after.tally,
        count=event_count(commit.drafts),
        payloads=payloads,
    )
    return row, changed(after, digest=row.digest)
