"""The protocol of a store: its reader, its writer and the store itself, each method described once.

It knows no implementation. One that has no docstring at a method does what is said here; where it
has one, that adds what is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from milepost.clock import SteadyClock
from milepost.errors import StoreError
from milepost.log.rows import (
    Block,
    Erased,
    InputBlock,
    KeySegment,
    Quarantined,
    Row,
    Staged,
    StoredCheckpoint,
    StoredCheckpointSize,
    StoredJob,
    StoredKeep,
    StoredLease,
    StoredLifecycle,
    StoredSizes,
    StoredSpan,
    StoreFormat,
    Stray,
    Tip,
    Tombstone,
    Vacuumed,
)
from milepost.stores.unreadable import OnError, refuse

__all__ = [
    "Create",
    "Durability",
    "Kind",
    "Moved",
    "Reader",
    "Rows",
    "StateStore",
    "Writer",
    "out_of_turn",
]

Create: TypeAlias = bool | Literal["folders"]
"""Whether to make a store that is not there; `folders`: with the folders that lead to it."""

Durability: TypeAlias = Literal["full", "process"]
"""What a commit that is acknowledged outlives: loss of power, or the death of the process."""

Kind: TypeAlias = Literal["keep", "held", "checkpoint"]
"""Rows beside a log that most jobs may lack; `held` are leases that were not given back."""


class Moved(Exception):
    """A log has moved on from where a writer relied on it to be. Nothing was written."""


class Rows(Protocol):
    """A reader of the rows of a log."""

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """The rows with `after < seq <= upto`, in order; their bodies only if asked for."""
        ...

    def spans(self, job: int, after: int = 0) -> Iterator[StoredSpan]:
        """The index of the log of the commits past `after`, in order, without states.

        Derived: what is missing here can be made from the log.
        """
        ...


class Reader(Rows, Protocol):
    """Queries of one moment.

    What a store cannot vouch for it does not give out: it raises StoreUnreadable.
    """

    def job(self, job_id: str) -> StoredJob | None:
        """The job of that id, or None."""
        ...

    def has_job(self, job_id: str) -> bool:
        """True if there is a job of that id, by the index alone: one look-up, however many jobs."""
        ...

    def job_ids(
        self, prefix: str, on_error: OnError = refuse, *, limit: int | None = None
    ) -> list[str]:
        """The ids that begin with `prefix`, in order, the first `limit` of them.

        `on_error` gets the unreadable entries among them.
        """
        ...

    def count_jobs(self, prefix: str = "") -> int:
        """How many jobs there are whose id begins with `prefix`; no entry is read."""
        ...

    def tips(
        self,
        on_error: OnError = refuse,
        *,
        prefix: str = "",
        newest_first: bool = False,
        wanted: Callable[[StoredJob], bool] | None = None,
    ) -> Iterator[Tip]:
        """The jobs whose id begins with `prefix`, each with its newest row, body left out.

        In order of creation, or the newest first; read as they are asked for. The newest row is
        read of those alone whose entry is `wanted`. `on_error` gets those whose entry or row is
        unreadable; they are left out.
        """
        ...

    def leased(self, on_error: OnError = refuse) -> Iterator[Tip]:
        """The jobs whose lease was not given back, expired or not, as `tips` gives them."""
        ...

    def entries(self) -> list[StoredJob]:
        """Every entry that can be had, whether it is vouched for or not: to look for damage."""
        ...

    def newest(self, job: int) -> tuple[int, bytes] | None:
        """Seq and digest of the job's newest commit, kept apart from it; None if it has none."""
        ...

    def tip(self, job: int) -> Row | None:
        """The newest row of the job's log, body left out; None if it has none."""
        ...

    def blocks(self, job: int, after: int = 0) -> Iterator[tuple[int, int]]:
        """First and last seq of the rows that are stored as tightly as the store can.

        In order, of those with a row past `after`. `rows` gives them like all others.
        """
        ...

    def inputs(self, job: int, place: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `place` on, in order."""
        ...

    def key_segments(self, job: int, first: int, end: int) -> Iterator[KeySegment]:
        """The segments of the index of keys with `first <= segment.first < end`, in order.

        Derived: what is missing here can be made from the blocks.
        """
        ...

    def next_place(self, job: int) -> int:
        """The first place behind all that is stored or staged for the job, or being swept."""
        ...

    def staged(self) -> list[Staged]:
        """The inputs that no commit speaks of yet, by number and place."""
        ...

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        """The job's checkpoints, newest first."""
        ...

    def spans_end(self, job: int) -> int:
        """The last commit that the index of the log knows; 0 if it knows none."""
        ...

    def state_ends(self, job: int) -> list[int]:
        """The ends of the spans that have a state, in order."""
        ...

    def states(self, job: int, upto: int) -> Iterator[StoredSpan]:
        """The spans that end at `upto` or before and have a state, newest first, with it."""
        ...

    def lease(self, job: int) -> StoredLease | None:
        """The job's newest lease, expired or not; None if it never had one."""
        ...

    def strays(self) -> Iterator[Stray]:
        """Rows of numbers that are no job's: those staged or being erased are not among them."""
        ...

    def quarantine(self, after: int = 0, upto: int | None = None) -> Iterator[Quarantined]:
        """The rows that repairs set aside, with `after < number <= upto`, oldest first."""
        ...

    def last_quarantined(self) -> int:
        """The number of what was set aside last, 0 if nothing was. They only ever rise."""
        ...

    def keep(self, job: int) -> StoredKeep | None:
        """How long this job is kept, where that was said of it; None if it goes by the policy."""
        ...

    def checkpoint_sizes(self, job: int) -> list[StoredCheckpointSize]:
        """The job's checkpoints without their snapshots, newest first."""
        ...

    def sizes(self, job: int) -> StoredSizes:
        """How much is stored of the job. At most one pass over its rows."""
        ...

    def sizes_of(self, first: int, last: int) -> dict[int, int]:
        """How many bytes are stored of each job numbered from `first` to `last`, all its rows."""
        ...

    def having(self, what: Kind) -> set[int]:
        """The numbers of the jobs that have such a row beside their log; no row is looked into."""
        ...

    def lifecycle(self, digest: str) -> StoredLifecycle | None:
        """The description of the version of that digest; None if there is none."""
        ...

    def lifecycles(self) -> list[StoredLifecycle]:
        """The descriptions of all versions that jobs have run by, by name and version."""
        ...

    def tombstone(self, job_id: str) -> Tombstone | None:
        """The newest job of that id that was deleted; None if none was, or that is forgotten."""
        ...

    def tombstones_left(self) -> list[Tombstone]:
        """The deleted jobs that have rows left, oldest first."""
        ...


class Writer(Reader, Protocol):
    """Queries and changes that take place together or not at all, one writer at a time."""

    @property
    def mark(self) -> int:
        """The name of the store's content: as this writer found it, and later, as it left it.

        Where a writer finds the mark that another left, nobody wrote in between: in no process.
        Of a writer beside which others may write it is always the same, and tells nothing.
        """
        ...

    def relies_on(self, job: int, seq: int, digest: bytes) -> None:
        """What is decided from here on is right only if the job's log ends so.

        A writer that has the store's write lock may know that it does. Raises Moved if it does not,
        here, at another use or when the block ends.
        """
        ...

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> StoredJob:
        """A new entry; the caller has seen that there is none of that id.

        `number` is one that was reserved, under which inputs are staged. Otherwise it is higher
        than that of every job there ever was, deleted ones among them.
        """
        ...

    def reserve(self) -> int:
        """A number that no job has or has had, and no staged inputs.

        Staging some in this commit keeps it.
        """
        ...

    def add_inputs(
        self, job: int, blocks: Iterable[InputBlock], segments: Iterable[KeySegment]
    ) -> None:
        """Blocks of a job's items, whose places are free, and where the keys of them are."""
        ...

    def stage(self, staged: Staged) -> None:
        """Say that no commit speaks of these places yet; what was said of the first is replaced."""
        ...

    def unstage(self, token: str) -> int:
        """End the staging of `token`: a commit has its places now. Returns how many there were."""
        ...

    def sweep(self, staged: Staged, blocks: int) -> bool:
        """Take up to `blocks` of the staged blocks away, the last first.

        True if none is left: then nothing says any more that they were staged.
        """
        ...

    def add_row(self, job: int, row: Row) -> None:
        """The next row of the job's log. A store refuses one that leaves a gap (INV-GAPLESS).

        A log may come in before its job has an entry, under a number that is staged.
        """
        ...

    def add_rows(self, job: int, rows: Sequence[Row]) -> None:
        """As `add_row` for each of them, in order; a store may do that in one act."""
        ...

    def put_block(self, job: int, block: Block) -> bool:
        """Store a block in the place of its rows.

        False, and nothing is changed, where they are no longer there as they were, and in a
        store that keeps all rows as they are. A store refuses the newest row (INV-GAPLESS).
        """
        ...

    def put_checkpoint(self, job: int, checkpoint: StoredCheckpoint) -> None:
        """A checkpoint; one at the same seq is replaced."""
        ...

    def put_span(self, job: int, span: StoredSpan) -> None:
        """A span of the index of a log; one that ends there is replaced."""
        ...

    def drop_state(self, job: int, last: int) -> None:
        """Take away the state of the span that ends at `last`, if it has one."""
        ...

    def drop_spans(self, job: int, after: int = 0) -> None:
        """Take away the spans that end past `after`."""
        ...

    def put_lease(self, job: int, lease: StoredLease) -> None:
        """The job's lease; the one before it is replaced."""
        ...

    def put_job(self, job: StoredJob) -> None:
        """The entry of that number as it should be. Only repairs and migrations change one."""
        ...

    def put_lifecycle(self, lifecycle: StoredLifecycle) -> None:
        """The description of a version; the one before it is replaced."""
        ...

    def drop_lifecycles(self) -> None:
        """Take away descriptions of lifecycles that are not vouched for: they are made anew."""
        ...

    def set_aside(
        self,
        number: int,
        source: str,
        *,
        job_id: str,
        reason: str,
        at_us: int,
        first: int = 0,
        upto: int | None = None,
    ) -> int:
        """Move rows of a job from the table `source` into the quarantine; how many there were.

        Those of the job numbered so whose seq or place is from `first` to `upto`, or to the end.
        Where that takes the end of a log, the row before it is the newest from then on, and what
        is derived from the rows goes with them.
        """
        ...

    def put_keep(self, job: int, keep: StoredKeep | None) -> None:
        """How long this job is kept; None is as long as others like it."""
        ...

    def remove_checkpoint(self, job: int, seq: int) -> None:
        """Take the checkpoint at `seq` away, if there is one."""
        ...

    def bury(self, job: StoredJob, deleted_at_us: int, reason: str) -> None:
        """Put a tombstone in the place of the job's entry: nobody finds its rows any more.

        Its lease and how long it was to be kept are gone too.
        """
        ...

    def erase(self, number: int, rows: int, size_bytes: int) -> Erased:
        """Take away up to `rows` rows of a buried job, or the first that make up `size_bytes`.

        Once nothing is left the tombstone says so. Doing it again is fine, and so is it for what
        came in under a number that no job has: its staging goes last. Raises ValueError for a job
        that has an entry.
        """
        ...

    def forget_tombstones(self, before_us: int, limit: int) -> int:
        """Drop up to `limit` tombstones from before, the newest never; how many were dropped.

        Those of which rows are left stay.
        """
        ...


class StateStore(Protocol):
    """A place where state is kept. Safe for any number of threads.

    What `writing` yields holds a write lock until the block ends; then everything in it is durable
    (INV-ACK), or, after an exception, nothing of it took place. What `reading` yields never waits
    for a writer (INV-READ).

    Whoever names jobs has the lock of these alone: each row that the block changes, and each that
    its decisions rest on, is of one of them, or of a new job of one of these ids. A store with one
    lock for all its jobs takes that. Whoever names none has all jobs to itself.
    """

    @property
    def url(self) -> str:
        """Where it is, for messages."""
        ...

    @property
    def read_only(self) -> bool:
        """True if `writing` is refused."""
        ...

    def reading(self) -> AbstractContextManager[Reader]:
        """Queries of one moment."""
        ...

    def writing(self, *jobs: str) -> AbstractContextManager[Writer]:
        """One commit, for jobs of these ids. Raises StoreLocked, StoreReadOnly, CommitUnknown."""
        ...

    def appending(self, *jobs: str) -> AbstractContextManager[Writer]:
        """As `writing`, for those who say of each log on what they rely, and then add to it.

        Where a store can do that in one act it takes no lock until something else is asked of the
        writer: its mark is always the same then. Raises Moved too.
        """
        ...

    @property
    def clock(self) -> SteadyClock | None:
        """The time that all who share the store go by; None if that of the machine is."""
        ...

    def check(self) -> list[str]:
        """The problems of the medium itself; none if it is sound."""
        ...

    def format(self) -> StoreFormat:
        """The format that the store has, and the steps that an open for writing would take."""
        ...

    def back_up(self, copy: Path) -> int:
        """Write a copy of this moment to a new file, durable; its size in bytes.

        Nobody waits for it. Raises StoreError where there is something at `copy` already, or where
        there is nothing to copy.
        """
        ...

    def vacuum(self) -> Vacuumed:
        """Give the space of what was deleted back to the disk. Raises StoreLocked, StoreReadOnly.

        Where the file has to be written anew, nobody else writes meanwhile and the disk needs
        room for it twice.
        """
        ...

    def close(self) -> None:
        """Give everything back; closing twice is fine."""
        ...


def out_of_turn(url: str, job: int, row: Row, last: Row | None) -> StoreError:
    """The error of `add_row` for a row that does not follow the `last` of its log."""
    end = f"commit {last.seq} under fence {last.fence}" if last else "an empty log"
    problem = (
        f"commit {row.seq} under fence {row.fence} does not follow {end}, of the job numbered"
        f" {job} (INV-GAPLESS, INV-FENCE): nothing was written; load the job again and decide anew"
    )
    return StoreError(url=url, problem=problem)
