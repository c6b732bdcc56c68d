"""Compaction: the small rows of a log merged into blocks, without a change to what it attests."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.log import blocks
from milepost.log.codec import chain_start, check_body
from milepost.log.rows import Block, Row, StoredJob
from milepost.state.reading.loading import JobLog, Loader
from milepost.text.wording import short_repr

__all__ = ["Compaction", "compact"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Compaction:
    """The commits of one job's log that were merged, or would be, if `dry_run`.

    `rows` of its `commits` commits became `blocks` blocks, and `bytes_before` bytes of their
    texts and digests became `bytes_after`.
    """

    job_id: str
    commits: int
    rows: int
    blocks: int
    bytes_before: int
    bytes_after: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows that go into one block, checked and loosened; `bytes` is their size as stored.

    `after` is where to look for the next run.
    """

    rows: list[Row]
    bytes: int
    after: int


def compact(loader: Loader, job: StoredJob, *, finished: bool, dry_run: bool) -> Compaction:
    """Merge what can be merged of the job's log; one short commit of the store a block.

    The newest row stays, so do rows that are large by themselves. Of a job that is not
    `finished`, rows that do not fill a block wait for more. Each row is checked against the chain
    first: raises LogCorrupt at one that does not verify, which stays as it is, as do those after
    it. Safe at any moment: for readers, for writers, after a crash, beside another compaction.
    """
    after = commits = rows = count = before = tight = 0
    while True:
        with loader.store.reading() as reader:
            tip = reader.tip(job.number)
            commits = tip.seq if tip else 0
            run = _next_run(JobLog(loader, reader, job), after, commits, finished=finished)
        if run is None:
            break
        after = run.after
        block = _worthwhile(run)
        if block is None or not (dry_run or _put(loader, job, block)):
            continue
        rows += len(run.rows)
        count += 1
        before += run.bytes
        tight += len(block.heads) + len(block.bodies)
    return Compaction(
        job_id=job.job_id,
        commits=commits,
        rows=rows,
        blocks=count,
        bytes_before=before,
        bytes_after=tight,
        dry_run=dry_run,
    )


def _worthwhile(run: _Run) -> Block | None:
    """The block of a run, unless it would be no smaller than what it stands for."""
    if len(run.rows) < 2:
        return None
    block = blocks.encode_block(run.rows)
    return block if len(block.heads) + len(block.bodies) < run.bytes else None


def _put(loader: Loader, job: StoredJob, block: Block) -> bool:
    with loader.store.writing(job.job_id) as writer:
        return writer.put_block(job.number, block)


def _next_run(log: JobLog, after: int, newest: int, *, finished: bool) -> _Run | None:
    """The next rows past `after` that may be merged; none at the end of the log."""
    for first, last in log.reader.blocks(log.number, after):
        if first > after + 1:
            return _collect(log, after, first - 1, whole=True)
        after = last
    if after + 1 >= newest:
        return None
    run = _collect(log, after, newest - 1, whole=finished)
    return run if run.after > after else None


def _collect(log: JobLog, after: int, upto: int, *, whole: bool) -> _Run:
    """Rows past `after` until a block is full, a row is large, or `upto` is reached.

    Unless `whole`, rows that reach `upto` without filling a block are left: the run is empty.
    """
    rows: list[Row] = []
    stored = loose = 0
    previous = _digest_at(log, after)
    for row in log.rows(after, upto, bodies=True):
        log.commit(row, previous)
        check_body(row, url=log.url, job_id=log.job_id)
        previous = row.digest
        loosened = _loosened(log, row)
        size = blocks.size_of(loosened)
        if size > blocks.LOOSE_BYTES:  # those before it are as many as they will ever be
            return _Run(rows, stored, row.seq)
        rows.append(loosened)
        stored += blocks.size_of(row)
        loose += size
        if len(rows) >= blocks.BLOCK_ROWS or loose >= blocks.BLOCK_BYTES:
            return _Run(rows, stored, row.seq)
    if not whole:
        return _Run([], 0, after)
    return _Run(rows, stored, upto)


def _loosened(log: JobLog, row: Row) -> Row:
    try:
        return blocks.loosened(row)
    except ValueError as error:
        raise log.corrupt(row.seq, str(error)) from error


def _digest_at(log: JobLog, seq: int) -> bytes:
    """The digest that the row after `seq` is chained to."""
    for row in log.rows(seq - 1, seq):
        return row.digest
    return chain_start(log.job_id)
