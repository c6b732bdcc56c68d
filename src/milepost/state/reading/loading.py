"""A job's state from the store: the newest checkpoint that verifies, and the log after it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter
from typing import Any, Final, Protocol

import msgspec

from milepost.clock import instant
from milepost.errors import (
    CommitAbsent,
    JobReplaced,
    LifecycleChanged,
    LogCorrupt,
    StateError,
    StoreUnreadable,
    TransitionRefused,
)
from milepost.items.inputs import Inputs, Run, Shelf
from milepost.job.fold import advance
from milepost.job.restoring import begin, restore
from milepost.job.state import CheckpointRef, JobState, changed
from milepost.job.upgrade import upgraded
from milepost.job.versions import Catalogue, absent
from milepost.log.codec import (
    Tally,
    chain_start,
    decode_body,
    decode_commit,
    decode_facts,
    decode_tally,
    digest_of,
)
from milepost.log.facts import CheckpointTaken, Commit, Fact, JobCreated, Migrated, check_job_id
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import (
    InputBlock,
    KeySegment,
    Row,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    StoredSpan,
)
from milepost.log.spans import decode_span
from milepost.metrics import Metrics
from milepost.state.reading.departures import absence
from milepost.stores.protocol import Reader, StateStore
from milepost.text.escapes import printable

__all__ = ["JobLog", "Loader", "Loading", "Reached", "span_state"]

_log: Final = logging.getLogger("milepost.recovery")


class Reached(Protocol):
    """What stands at a commit of a log: a state, or an outline."""

    @property
    def seq(self) -> int:
        """Which commit."""
        ...

    @property
    def digest(self) -> bytes:
        """Its digest."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """A job's state, and what had to be passed over to get at it: empty if nothing was."""

    state: JobState
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loader:
    """Reads jobs from one store: those of the lifecycles in the catalogue `tables`.

    What is in a log is read by the tables of the version that it was written under; what is given
    to others is as it stands under the current one of that lifecycle. Payloads pass through
    `payloads`.
    """

    store: StateStore
    tables: Catalogue
    metrics: Metrics = field(default_factory=Metrics)
    payloads: PayloadCodec | None = None

    def log(self, reader: Reader, job_id: str) -> JobLog:
        """The log of the job of that id, as `reader` sees it. Raises JobIdInvalid, JobAbsent."""
        entry = reader.job(check_job_id(job_id))
        if entry is None:
            raise absence(reader, job_id, self.store.url)
        return JobLog(self, reader, entry)

    def current(self, state: JobState) -> JobState:
        """A state of the log as it stands under the current version of its lifecycle.

        Raises LifecycleChanged.
        """
        lifecycle = self.tables.current_of(state.lifecycle.digest)
        return state if lifecycle is None else upgraded(state, lifecycle)

    def shelf(self, job: StoredJob) -> Shelf:
        """The stored items of the job, read when they are first asked for."""

        def block_at(place: int) -> InputBlock:
            with self.store.reading() as reader:
                for block in reader.inputs(job.number, place):
                    if block.first <= place < block.first + block.count:
                        return block
                    break
                raise JobLog(self, reader, job).missing(place)

        def segments(first: int, end: int) -> list[KeySegment]:
            with self.store.reading() as reader:
                return list(reader.key_segments(job.number, first, end))

        return Shelf(self.store.url, block_at, segments, self.payloads)

    def inputs(self, job: StoredJob, count: int) -> Inputs:
        """The first `count` of the job's items: those that it was created with."""
        return Inputs(self.shelf(job), count)


class JobLog(msgspec.Struct, frozen=True):
    """The log of one job as one reader sees it: whatever is asked is of the reader's moment.

    `entry` is the job's, by whose number its rows are found.
    """

    loader: Loader
    reader: Reader
    entry: StoredJob

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return self.entry.job_id

    @property
    def number(self) -> int:
        """The store's number for the job."""
        return self.entry.number

    @property
    def url(self) -> str:
        """Where the store is, for messages."""
        return self.loader.store.url

    @property
    def payloads(self) -> PayloadCodec | None:
        """The codec that payloads pass through."""
        return self.loader.payloads

    def rows(
        self, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """The rows with `after < seq <= upto`, in order; their bodies only if asked for."""
        return self.reader.rows(self.entry.number, after, upto, bodies=bodies)

    def check_same(self, number: int, what: str) -> None:
        """Raise JobReplaced unless `what`, which is of the job `number`, is of this very job."""
        if self.number != number:
            raise JobReplaced(job_id=self.job_id, url=self.url, what=what)

    def load(self, known: JobState | None = None) -> Loading:
        """The state at the tip of the log.

        `known` is a state of the same log that was loaded before; one of a deleted job of the
        same id is left aside. Costs one query where it is the newest, else one for the rows since
        then; without it, the newest checkpoint and the rows since that one. Raises LogCorrupt,
        also where the log ends before the commit that was noted as its newest, StoreUnreadable,
        StoreNewer, LifecycleChanged.
        """
        if known is not None and known.number != self.entry.number:
            known = None
        newest = self.reader.newest(self.entry.number)
        if known is not None and newest == (known.seq, known.digest):
            return Loading(state=self.loader.current(known))
        if known is not None and newest is not None and known.seq < newest[0]:
            with suppress(LogCorrupt):  # the log was repaired since; if not, it is said below
                return self._load(known)
        return self._load(None)

    def _load(self, known: JobState | None) -> Loading:
        fallbacks: list[str] = []
        state = (known.as_logged or known) if known else None
        began_s = self.loader.metrics.began() if state is None else None
        if state is None:
            state = self._newest_checkpoint(fallbacks)
        if state is None:
            state = self.origin()
        newest: Row | None = None
        for row, after in self.replay(state):
            newest, state = row, after
        if newest is not None and self.tally(newest) != state.tally:
            raise self.corrupt(newest.seq, "it states another tally than the fold gives")
        self.check_end(state)
        self.loader.metrics.folded(began_s, len(fallbacks))
        return Loading(state=self.loader.current(state), fallbacks=tuple(fallbacks))

    def logged_at(self, seq: int, known: JobState | None = None) -> JobState:
        """The state after commit `seq`, by the version that it was written under.

        `known` is a state of this log as it was written, of `seq` or before, to go on from unless a
        later one is stored. Raises CommitAbsent, and LifecycleChanged where the tables of that
        version are not at hand.
        """
        start = self.origin()
        if start.seq > seq > 0:  # the tables of what was before are not at hand
            made = start.created
            raise absent(self.job_id, made.lifecycle, made.version, made.digest, self.loader.tables)
        if known is not None and known.seq > start.seq:
            start = known
        for kept in self._states_upto(seq):
            if kept.seq <= start.seq:
                break
            try:
                start = self.verified(kept)
            except StateError:
                continue  # an older one, or the log, gives the same state
            break
        state = start
        for _, after in self.replay(start, upto=seq):
            state = after
        if state.seq != seq or seq < 1:
            newest = self.reader.newest(self.number)
            last = newest[0] if newest else 0
            if 0 < seq <= last:
                raise self.cut_short(state.seq, newest)
            raise CommitAbsent(job_id=self.job_id, wanted=seq, last=last)
        return state

    def _states_upto(self, seq: int) -> Iterator[StoredCheckpoint]:
        """Checkpoints and the states along the log, of `seq` or before, newest first."""
        checkpoints = (one for one in self.reader.checkpoints(self.number) if one.seq <= seq)
        along = (span_state(span) for span in self.reader.states(self.number, seq))
        return merge(checkpoints, along, key=attrgetter("seq"), reverse=True)

    def state_at(self, seq: int) -> JobState:
        """The state after commit `seq` as it stands under this version. Raises CommitAbsent."""
        return self.loader.current(self.logged_at(seq))

    def check_end(self, state: Reached, upto: int | None = None) -> None:
        """Raise LogCorrupt unless `state` is that of the newest commit, or of commit `upto`.

        A page that lost its last rows looks like a log that ends there.
        """
        newest = self.reader.newest(self.entry.number)
        if newest is not None and upto is not None and upto < newest[0]:
            newest = (max(upto, state.seq), state.digest)
        if (state.seq, state.digest) != newest:
            raise self.cut_short(state.seq, newest)

    def lease(self, fence: int) -> StoredLease | None:
        """The newest lease of a job whose log is at `fence`; None if it never had one.

        Raises StoreUnreadable where it is not the one that the log tells of.
        """
        stored = self.reader.lease(self.number)
        if (stored.fence if stored else 0) == fence:
            return stored
        found = (
            f"fence {stored.fence} and not {fence}" if stored else f"none, and not fence {fence}"
        )
        problem = f"the lease of job {self.job_id} is of {found}, by its log"
        raise StoreUnreadable(url=self.url, problem=problem)

    def replay(self, state: JobState, upto: int | None = None) -> Iterator[tuple[Row, JobState]]:
        """Each row after `state`, checked against the chain, with the state after it."""
        for row in self.rows(state.seq, upto):
            commit = self.commit(row, state.digest)
            try:
                state = advance(state, commit)
            except (TransitionRefused, ValueError, KeyError) as error:  # INV-LEGAL
                raise self.corrupt(row.seq, f"it is not legal: {error}") from error
            yield row, state

    def origin(self) -> JobState:
        """The state before the first commit that the tables at hand can read.

        That is the first of all, or the one that took the job to a version that is at hand. Costs
        one row, or the heads up to there. Raises LifecycleChanged where there is no such commit.
        """
        previous = chain_start(self.job_id)
        unread: LifecycleChanged | None = None
        for row in self.rows():
            commit = self.commit(row, previous)
            first = commit.facts[0] if commit.facts else None
            try:
                if isinstance(first, JobCreated):
                    inputs = self.inputs(first.item_count)
                    state = begin(self.job_id, first, self.loader.tables, inputs)
                    return changed(state, digest=previous, number=self.number)
                if isinstance(first, Migrated):
                    noted = first.lifecycle, first.version
                    state = restore(first.snapshot, self.loader.tables, self.inputs(0), noted)
                    return changed(state, number=self.number)
            except LifecycleChanged as error:
                unread = error
            if row.seq == 1 and not isinstance(first, JobCreated):
                raise self.corrupt(1, "it does not say what the job is")
            previous = row.digest
        raise unread or self.corrupt(1, "it is missing")

    def commit(self, row: Row, previous: bytes) -> Commit:
        """The commit of `row`. Raises LogCorrupt, StoreNewer."""
        return decode_commit(
            row, previous=previous, url=self.loader.store.url, job_id=self.entry.job_id
        )

    def facts(self, row: Row) -> tuple[Fact, ...]:
        """The facts of a row whose place in the chain was checked before."""
        return decode_facts(row, url=self.loader.store.url, job_id=self.entry.job_id)

    def bodies(self, row: Row) -> list[Any]:
        """The payloads of a row that was read whole, one a fact. Raises CodecAbsent, LogCorrupt."""
        return decode_body(row, url=self.url, job_id=self.job_id, payloads=self.payloads)

    def verified(self, checkpoint: StoredCheckpoint) -> JobState:
        """The state of a checkpoint whose bytes and place in the chain are what they must be."""
        name = f"the checkpoint at seq {checkpoint.seq} of job {self.job_id}"
        if digest_of(checkpoint.snapshot) != checkpoint.digest:
            raise StoreUnreadable(url=self.url, problem=f"{name} does not match its digest")
        rows = list(self.rows(checkpoint.seq - 1, checkpoint.seq))
        if not rows or rows[0].digest != checkpoint.chain:
            raise StoreUnreadable(url=self.url, problem=f"{name} is not of this log")
        try:
            state = restore(checkpoint.snapshot, self.loader.tables, self.inputs(0))
        except LifecycleChanged:
            raise
        except (StateError, ValueError) as error:
            raise StoreUnreadable(url=self.url, problem=f"{name}: {error}") from error
        if (state.id, state.seq, state.digest) != (
            self.job_id,
            checkpoint.seq,
            checkpoint.chain,
        ):
            raise StoreUnreadable(url=self.url, problem=f"{name} is of another commit")
        return changed(state, number=self.number)

    def listed(self, stored: StoredCheckpoint) -> CheckpointRef:
        """The checkpoint as the commit after it tells of it. Two heads.

        Raises StoreUnreadable where it tells of no such one, LogCorrupt.
        """
        for row in self.rows(stored.seq, stored.seq + 1):
            for fact in self.commit(row, stored.chain).facts:
                if (
                    isinstance(fact, CheckpointTaken)
                    and (fact.seq, fact.digest) == (stored.seq, stored.digest.hex())
                    and (fact.reason, row.at_us) == (stored.reason, stored.at_us)
                ):
                    return CheckpointRef(
                        seq=fact.seq,
                        reason=fact.reason,
                        checksum=fact.digest,
                        taken_at=instant(row.at_us),
                    )
        name = f"the checkpoint at seq {stored.seq} of job {self.job_id}"
        raise StoreUnreadable(url=self.url, problem=f"{name} is not one that the log tells of")

    def tally(self, row: Row) -> Tally:
        """Where the job stood after `row`, by the row's own word."""
        return decode_tally(row, url=self.loader.store.url, job_id=self.entry.job_id)

    def corrupt(self, seq: int, problem: str) -> LogCorrupt:
        """The error for a commit that does not verify."""
        return LogCorrupt(url=self.url, job_id=self.job_id, seq=seq, problem=problem)

    def cut_short(self, last: int, newest: tuple[int, bytes] | None) -> LogCorrupt:
        """The error for a log that ends at `last`, and not at the newest commit that was noted."""
        noted = newest[0] if newest else 0
        if noted == last:
            return self.corrupt(last, "another commit of that seq was noted as the newest")
        problem = f"the log ends at {last} and commit {noted} was noted as the newest"
        return self.corrupt(last + 1, problem)

    def inputs(self, count: int) -> Inputs:
        """The first `count` of the job's items: those that it was created with."""
        return self.loader.inputs(self.entry, count)

    def blocks(self, runs: Iterable[Run]) -> Iterator[InputBlock]:
        """The blocks at the places of `runs`, in order. Raises StoreUnreadable where one lacks."""
        for first, count in runs:
            place, end = first, first + count
            for block in self.reader.inputs(self.number, first):
                if place == end or block.first != place or place + block.count > end:
                    break
                yield block
                place += block.count
            if place < end:
                raise self.missing(place)

    def missing(self, place: int) -> StateError:
        """Why there is no item: the job may have been deleted, and another have its id."""
        found = self.reader.job(self.job_id)
        tombstone = self.reader.tombstone(self.job_id)
        if found is not None and found.number != self.number:
            what = "what was read"
            return JobReplaced(job_id=self.job_id, url=self.url, what=what)
        if found is None and tombstone is not None:
            return absence(self.reader, self.job_id, self.url)
        problem = f"the item at place {place} of job {self.job_id} is missing"
        return StoreUnreadable(url=self.url, problem=problem)

    def _newest_checkpoint(self, fallbacks: list[str]) -> JobState | None:
        for checkpoint in self.reader.checkpoints(self.number):
            try:
                return self.verified(checkpoint)
            except LifecycleChanged:
                return None  # the log tells whether it was taken to a version at hand
            except StoreUnreadable as error:
                fallbacks.append(f"{error.problem}; an older one, or the log, was used")
                _log.warning("job %s: %s", self.job_id, printable(fallbacks[-1]))
        return None


def span_state(span: StoredSpan) -> StoredCheckpoint:
    """The state after a span as a checkpoint, which no commit tells of: it says itself what of."""
    try:
        chain = decode_span(span).chain
    except ValueError:
        chain = b""  # so it is of no log
    return StoredCheckpoint(span.last, 0, "", chain, span.state_digest, span.state)
