"""What a store must offer (the StateStore protocol), and how one is opened by its URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from milepost.errors import StoreError
from milepost.rows import (
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    Tip,
)
from milepost.stores.memory import MemoryStore
from milepost.stores.sqlite import Durability, SqliteStore

__all__ = ["Durability", "Reader", "StateStore", "Writer", "open_store"]


class Reader(Protocol):
    """Queries of one moment."""

    def job(self, job_id: str) -> StoredJob | None:
        """The job of that id, or None."""
        ...

    def job_ids(self, prefix: str) -> list[str]:
        """The ids that begin with `prefix`, in order."""
        ...

    def tips(self) -> Iterator[Tip]:
        """Every job with its newest row, body left out, in order of creation."""
        ...

    def tip(self, job: int) -> Row | None:
        """The newest row of the job's log, body left out; None if it has none."""
        ...

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """The rows with `after < seq <= upto`, in order; their bodies only if asked for."""
        ...

    def inputs(self, job: int, place: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `place` on, in order."""
        ...

    def key_segments(self, job: int, first: int, end: int) -> Iterator[KeySegment]:
        """What is known of where keys are: segments with `first <= segment.first < end`, in order.

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

    def lease(self, job: int) -> StoredLease | None:
        """The job's newest lease, expired or not; None if it never had one."""
        ...


class Writer(Reader, Protocol):
    """Queries and changes that take place together or not at all, one writer at a time."""

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> StoredJob:
        """A new entry; the caller has seen that there is none of that id.

        `number` is one that was reserved, under which inputs are staged already.
        """
        ...

    def reserve(self) -> int:
        """A number that no job has, and no staged inputs. Staging some in this commit keeps it."""
        ...

    def add_inputs(self, job: int, block: InputBlock) -> None:
        """One block of a job's items; its places are free."""
        ...

    def add_key_segment(self, job: int, segment: KeySegment) -> None:
        """Where the keys of some of the job's places are."""
        ...

    def stage(self, staged: Staged) -> None:
        """Say that no commit speaks of these places yet; what was said of the first is replaced."""
        ...

    def unstage(self, token: str) -> int:
        """A commit speaks of what the writer `token` had staged. Returns of how many places."""
        ...

    def sweep(self, staged: Staged, blocks: int) -> bool:
        """Take up to `blocks` of the staged blocks away, the last first.

        True if none is left: then nothing says any more that they were staged.
        """
        ...

    def add_row(self, job: int, row: Row) -> None:
        """The next row of the job's log. A store refuses one that leaves a gap (INV-GAPLESS)."""
        ...

    def put_checkpoint(self, job: int, checkpoint: StoredCheckpoint) -> None:
        """A checkpoint; one at the same seq is replaced."""
        ...

    def put_lease(self, job: int, lease: StoredLease) -> None:
        """The job's lease; the one before it is replaced."""
        ...


class StateStore(Protocol):
    """A place where state is kept. Safe for any number of threads.

    What `writing` yields holds the store's one write lock until the block ends; then everything
    in it is durable (INV-ACK), or, after an exception, nothing of it took place. What `reading`
    yields never waits for a writer (INV-READ).
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

    def writing(self) -> AbstractContextManager[Writer]:
        """One commit. Raises StoreLocked, StoreReadOnly, CommitUnknown."""
        ...

    def check(self) -> list[str]:
        """What is wrong with the medium itself; nothing if it is sound."""
        ...

    def close(self) -> None:
        """Give everything back; closing twice is fine."""
        ...


def open_store(
    url: str | Path,
    *,
    create: bool = True,
    read_only: bool = False,
    durability: Durability = "full",
    busy_timeout_s: float = 30.0,
) -> StateStore:
    """The store at `url`: a path, `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory:`.

    Raises StoreAbsent, StoreForeign, StoreNewer, StoreUnreadable or StoreLocked.
    """
    text = str(url)
    if text in ("memory:", "memory://"):
        return MemoryStore()
    return SqliteStore(
        _path(text),
        create=create,
        read_only=read_only,
        durability=durability,
        busy_timeout_s=busy_timeout_s,
    )


def _path(text: str) -> Path:
    if "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme != "sqlite" or parts.netloc or parts.query or len(parts.path) < 2:
        raise StoreError(
            url=text,
            problem="is no URL of a store: use a path, sqlite:///jobs.db, sqlite:////var/jobs.db"
            " or memory:",
        )
    return Path(unquote(parts.path[1:]))
