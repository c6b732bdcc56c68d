"""The SQLite store's queries: every statement on its rows is here, but those on blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import apsw

from milepost.errors import StoreError
from milepost.rows import (
    Block,
    InputBlock,
    Row,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    Tip,
)
from milepost.stores.sqlite_blocks import BlockReader
from milepost.stores.sqlite_schema import LAST as _LAST
from milepost.stores.sqlite_schema import SHIFT as _SHIFT

__all__ = ["SqliteReader", "SqliteWriter"]

_INSERT_COMMIT: Final = (
    "INSERT INTO commits (id, fence, at_us, count, format, codec, head, after, body, body_digest,"
    " digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_HEAD: Final = f"id & {_LAST}, fence, at_us, count, format, codec, head, after"


class SqliteReader:
    """Queries within one transaction; every answer is of the same moment."""

    def __init__(self, connection: apsw.Connection, url: str) -> None:
        self._execute = connection.execute
        self._connection = connection
        self._url = url
        self._block_reader: BlockReader | None = None

    def job(self, job_id: str) -> StoredJob | None:
        """The job of that id. One index look-up."""
        for row in self._execute(
            "SELECT number, job_id, created_at_us, lifecycle FROM jobs WHERE job_id = ?", (job_id,)
        ):
            return StoredJob(*row)
        return None

    def job_ids(self, prefix: str) -> list[str]:
        """The ids that begin with `prefix`, in order."""
        rows = self._execute(
            "SELECT job_id FROM jobs WHERE substr(job_id, 1, ?) = ? ORDER BY job_id",
            (len(prefix), prefix),
        )
        return [job_id for (job_id,) in rows]

    def tips(self) -> Iterator[Tip]:
        """Every job with its newest row, bodies left out, in order of creation."""
        rows = self._execute(
            f"SELECT number, job_id, created_at_us, lifecycle, {_HEAD}, x'', body_digest, digest"
            " FROM jobs JOIN commits ON id = (SELECT max(id) FROM commits"
            f" WHERE id BETWEEN number << {_SHIFT} AND (number << {_SHIFT}) + {_LAST})"
            " ORDER BY number"
        )
        for row in rows:
            yield Tip(StoredJob(*row[:4]), Row(*row[4:]))

    def tip(self, job: int) -> Row | None:
        """The newest row of the job's log, its body left out. One B-tree descent."""
        for row in self._execute(
            f"SELECT {_HEAD}, x'', body_digest, digest FROM commits"
            " WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        ):
            return Row(*row)
        return None

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """The rows with `after < seq <= upto`, in order; their bodies only if asked for.

        Blocks are looked for where rows are missing from commits, and only there: the newest row
        of a job is never in a block.
        """
        body = "body" if bodies else "x''"
        last = _LAST if upto is None else upto
        wanted = after + 1
        for row in self._execute(
            f"SELECT {_HEAD}, {body}, body_digest, digest FROM commits"
            " WHERE id BETWEEN ? AND ? ORDER BY id",
            ((job << _SHIFT) + wanted, (job << _SHIFT) + last),
        ):
            if row[0] != wanted:
                yield from self._blocks().rows(job, wanted, row[0] - 1, bodies=bodies)
            yield Row(*row)
            wanted = row[0] + 1
        if upto is not None and wanted <= upto:
            yield from self._blocks().rows(job, wanted, upto, bodies=bodies)

    def blocks(self, job: int, after: int = 0) -> Iterator[tuple[int, int]]:
        """First and last seq of each block that has a row past `after`, in order."""
        return self._blocks().ranges(job, after)

    def inputs(self, job: int, ordinal: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `ordinal` on, in order."""
        base = job << _SHIFT
        for row in self._execute(
            f'SELECT id & {_LAST}, count, codec, keys, "values", digest FROM inputs'
            " WHERE id >= (SELECT max(id) FROM inputs WHERE id BETWEEN ? AND ?) AND id <= ?"
            " ORDER BY id",
            (base, base + ordinal, base + _LAST),
        ):
            yield InputBlock(*row)

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        """The job's checkpoints, newest first."""
        for row in self._execute(
            f"SELECT id & {_LAST}, at_us, reason, chain, digest, snapshot FROM checkpoints"
            " WHERE id BETWEEN ? AND ? ORDER BY id DESC",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        ):
            yield StoredCheckpoint(*row)

    def lease(self, job: int) -> StoredLease | None:
        """The job's newest lease, expired or not."""
        for row in self._execute(
            "SELECT owner, fence, expires_at_us FROM leases WHERE job = ?", (job,)
        ):
            return StoredLease(*row)
        return None

    def _blocks(self) -> BlockReader:
        """Made when it is first needed: most moments look into no block."""
        if self._block_reader is None:
            self._block_reader = BlockReader(self._connection, self._url)
        return self._block_reader


class SqliteWriter(SqliteReader):
    """Queries and changes within one transaction, which holds the store's write lock.

    `mark` is SQLite's data version, by which SQLite itself knows whether its page cache still
    holds: every commit changes it, whichever connection or process made it.
    """

    def __init__(self, connection: apsw.Connection, url: str) -> None:
        super().__init__(connection, url)
        self.mark: int = connection.data_version("main")

    def add_job(self, job_id: str, created_at_us: int, lifecycle: str) -> StoredJob:
        """A new entry; the caller has seen that there is none of that id."""
        for (number,) in self._execute(
            "INSERT INTO jobs (job_id, created_at_us, lifecycle) VALUES (?, ?, ?) RETURNING number",
            (job_id, created_at_us, lifecycle),
        ):
            return StoredJob(number, job_id, created_at_us, lifecycle)
        raise AssertionError("an INSERT … RETURNING gives its row")

    def set_lifecycle(self, job: int, lifecycle: str) -> None:
        """Note by which lifecycle the job runs from now on."""
        self._execute("UPDATE jobs SET lifecycle = ? WHERE number = ?", (lifecycle, job))

    def add_inputs(self, job: int, block: InputBlock) -> None:
        """One block of a new job's items."""
        self._execute(
            'INSERT INTO inputs (id, count, codec, keys, "values", digest)'
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (job << _SHIFT) + block.first,
                block.count,
                block.codec,
                block.keys,
                block.values,
                block.digest,
            ),
        )

    def add_row(self, job: int, row: Row) -> None:
        """The next row of the job's log."""
        self._execute(
            _INSERT_COMMIT,
            (
                (job << _SHIFT) + row.seq,
                row.fence,
                row.at_us,
                row.count,
                row.format,
                row.codec,
                row.head,
                row.after,
                row.body,
                row.body_digest,
                row.digest,
            ),
        )

    def put_block(self, job: int, block: Block) -> bool:
        """Put a block in the place of its rows; False if they are no longer there as they were."""
        first, last = (job << _SHIFT) + block.first, (job << _SHIFT) + block.last
        for found in self._execute(
            "SELECT count(*), (SELECT digest FROM commits WHERE id = ?),"
            " EXISTS (SELECT 1 FROM commits WHERE id = ?)"
            " FROM commits WHERE id BETWEEN ? AND ?",
            (last, last + 1, first, last),
        ):
            if found[:2] != (last - first + 1, block.digest):
                return False
            if not found[2]:  # what is appended next must find the row before it
                problem = "INV-GAPLESS: the newest row of a log is never put into a block"
                raise StoreError(url=self._url, problem=problem)
        self._execute("DELETE FROM commits WHERE id BETWEEN ? AND ?", (first, last))
        self._execute(
            "INSERT INTO blocks (id, last, heads, bodies) VALUES (?, ?, ?, ?)",
            (first, block.last, block.heads, block.bodies),
        )
        return True

    def put_checkpoint(self, job: int, checkpoint: StoredCheckpoint) -> None:
        """A checkpoint; one at the same seq is replaced."""
        self._execute(
            "INSERT OR REPLACE INTO checkpoints (id, at_us, reason, chain, digest, snapshot)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (job << _SHIFT) + checkpoint.seq,
                checkpoint.at_us,
                checkpoint.reason,
                checkpoint.chain,
                checkpoint.digest,
                checkpoint.snapshot,
            ),
        )

    def put_lease(self, job: int, lease: StoredLease) -> None:
        """The job's lease; the one before it is replaced."""
        self._execute(
            "INSERT OR REPLACE INTO leases (job, owner, fence, expires_at_us) VALUES (?, ?, ?, ?)",
            (job, lease.owner, lease.fence, lease.expires_at_us),
        )
