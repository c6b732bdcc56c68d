"""What a store must offer (the StateStore protocol), and how one is opened by its URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from milepost.errors import StoreError
from milepost.rows import (
    Block,
    InputBlock,
    Quarantined,
    Row,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    StoreFormat,
    Stray,
    Tip,
)
from milepost.stores.memory import MemoryStore
from milepost.stores.sqlite import Create, Durability, SqliteStore
from milepost.stores.sqlite_schema import LAST

__all__ = ["Create", "Durability", "Reader", "StateStore", "Writer", "open_store"]


_ALLOW_NETWORK: Final = "allow_network=1"


class Reader(Protocol):
    """Queries of one moment.

    What a store cannot vouch for it does not give out: it raises StoreUnreadable.
    """

    def job(self, job_id: str) -> StoredJob | None:
        """The job of that id, or None."""
        ...

    def job_ids(self, prefix: str) -> list[str]:
        """The ids that begin with `prefix`, in order."""
        ...

    def tips(self) -> Iterator[Tip]:
        """Every job with its newest row, body left out, in order of creation."""
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

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """The rows with `after < seq <= upto`, in order; their bodies only if asked for."""
        ...

    def blocks(self, job: int, after: int = 0) -> Iterator[tuple[int, int]]:
        """First and last seq of the rows that are stored as tightly as the store can.

        In order, of those with a row past `after`. `rows` gives them like all others.
        """
        ...

    def inputs(self, job: int, ordinal: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `ordinal` on, in order."""
        ...

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        """The job's checkpoints, newest first."""
        ...

    def lease(self, job: int) -> StoredLease | None:
        """The job's newest lease, expired or not; None if it never had one."""
        ...

    def strays(self) -> Iterator[Stray]:
        """Rows of jobs of which there is no entry."""
        ...

    def quarantine(self) -> Iterator[Quarantined]:
        """What repairs took out of its place, oldest first."""
        ...


class Writer(Reader, Protocol):
    """Queries and changes that take place together or not at all, one writer at a time."""

    @property
    def mark(self) -> int:
        """Names what the store holds: as this writer found it, and after its block, as it left it.

        Where a writer finds the mark that another left, nobody wrote in between: in no process.
        """
        ...

    def add_job(self, job_id: str, created_at_us: int, lifecycle: str) -> StoredJob:
        """A new entry; the caller has seen that there is none of that id."""
        ...

    def add_inputs(self, job: int, block: InputBlock) -> None:
        """One block of a new job's items."""
        ...

    def add_row(self, job: int, row: Row) -> None:
        """The next row of the job's log. A store refuses one that leaves a gap (INV-GAPLESS)."""
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

    def put_lease(self, job: int, lease: StoredLease) -> None:
        """The job's lease; the one before it is replaced."""
        ...

    def put_job(self, job: StoredJob) -> None:
        """The entry of that number as it should be. Only repairs and migrations change one."""
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
        upto: int = LAST,
    ) -> int:
        """Move rows of a job from the table `source` into the quarantine; how many there were.

        Those of the job numbered so whose seq or ordinal is from `first` to `upto`. Where that
        takes the end of a log, the row before it is the newest from then on.
        """
        ...

    def reseal(self, job: int) -> None:
        """Note the newest row that there is as the job's newest."""
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

    def format(self) -> StoreFormat:
        """The format that the store has, and the steps that an open for writing would take."""
        ...

    def back_up(self, copy: Path) -> int:
        """Write a copy of this moment to a new file, durable; its size in bytes.

        Nobody waits for it. Raises StoreError where there is something at `copy` already, or where
        there is nothing to copy.
        """
        ...

    def close(self) -> None:
        """Give everything back; closing twice is fine."""
        ...


def open_store(
    url: str | Path,
    *,
    create: Create = True,
    read_only: bool = False,
    durability: Durability = "full",
    busy_timeout_s: float = 30.0,
    allow_network: bool = False,
) -> StateStore:
    """The store at `url`: a path, `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory:`.

    `?allow_network=1` at the end of a URL is as `allow_network`. Raises StoreAbsent,
    StoreForeign, StoreNewer, StoreUnreadable, StoreUnsafe or StoreLocked.
    """
    text = str(url)
    if text in ("memory:", "memory://"):
        return MemoryStore()
    path, allowed = _place(text)
    return SqliteStore(
        path,
        allow_network=allow_network or allowed,
        create=create,
        read_only=read_only,
        durability=durability,
        busy_timeout_s=busy_timeout_s,
    )


def _place(text: str) -> tuple[Path, bool]:
    """The path that a URL names, and whether it may be on a network."""
    if "://" not in text:
        return Path(text), False
    parts = urlsplit(text)
    known = parts.query in ("", _ALLOW_NETWORK)
    if parts.scheme != "sqlite" or parts.netloc or not known or len(parts.path) < 2:
        raise StoreError(
            url=text,
            problem="is no URL of a store: use a path, sqlite:///jobs.db, sqlite:////var/jobs.db"
            " or memory:",
        )
    return Path(unquote(parts.path[1:])), parts.query == _ALLOW_NETWORK
