"""The SQLite store's queries: every statement on its rows is here, and no other module's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import apsw

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

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute = connection.execute

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
        """The rows with `after < seq <= upto`, in order; their bodies only if asked for."""
        body = "body" if bodies else "x''"
        last = _LAST if upto is None else upto
        for row in self._execute(
            f"SELECT {_HEAD}, {body}, body_digest, digest FROM commits"
            " WHERE id BETWEEN ? AND ? ORDER BY id",
            ((job << _SHIFT) + after + 1, (job << _SHIFT) + last),
        ):
            yield Row(*row)

    def inputs(self, job: int, place: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `place` on, in order."""
        base = job << _SHIFT
        for row in self._execute(
            f'SELECT id & {_LAST}, count, codec, keys, "values", digest FROM inputs'
            " WHERE id >= (SELECT max(id) FROM inputs WHERE id BETWEEN ? AND ?) AND id <= ?"
            " ORDER BY id",
            (base, base + place, base + _LAST),
        ):
            yield InputBlock(*row)

    def key_segments(self, job: int, first: int, end: int) -> Iterator[KeySegment]:
        """What is known of where keys are, of segments with `first <= segment.first < end`."""
        base = job << _SHIFT
        for row in self._execute(
            f"SELECT id & {_LAST}, count, hashes, offsets, digest FROM key_segments"
            " WHERE id >= ? AND id < ? ORDER BY id",
            (base + first, base + end),
        ):
            yield KeySegment(*row)

    def next_place(self, job: int) -> int:
        """The first place behind all that is stored or staged for the job, or being swept."""
        base = job << _SHIFT
        ends = [0]
        for table in ("inputs", "staged"):
            ends += [
                first + count
                for first, count in self._execute(
                    f"SELECT id & {_LAST}, count FROM {table} WHERE id BETWEEN ? AND ?"
                    " ORDER BY id DESC LIMIT 1",
                    (base, base + _LAST),
                )
            ]
        return max(ends)

    def staged(self) -> list[Staged]:
        """The inputs that no commit speaks of yet."""
        rows = self._execute(
            f"SELECT id >> {_SHIFT}, id & {_LAST}, count, token, touched_at_us FROM staged"
            " ORDER BY id"
        )
        return [Staged(*row) for row in rows]

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


class SqliteWriter(SqliteReader):
    """Queries and changes within one transaction, which holds the store's write lock."""

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> StoredJob:
        """A new entry; the caller has seen that there is none of that id."""
        number = self.reserve() if number is None else number
        self._execute(
            "INSERT INTO jobs (number, job_id, created_at_us, lifecycle) VALUES (?, ?, ?, ?)",
            (number, job_id, created_at_us, lifecycle),
        )
        return StoredJob(number, job_id, created_at_us, lifecycle)

    def reserve(self) -> int:
        """A number that no job has, and no staged inputs; held by staging some in this commit."""
        for (number,) in self._execute(
            f"SELECT max(number) FROM (SELECT max(number) AS number FROM jobs"
            f" UNION ALL SELECT max(id) >> {_SHIFT} FROM staged)"
        ):
            return int(number or 0) + 1
        raise AssertionError("an aggregate gives its row")

    def add_inputs(self, job: int, block: InputBlock) -> None:
        """One block of a job's items; its places are free."""
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

    def add_key_segment(self, job: int, segment: KeySegment) -> None:
        """Where the keys of some of the job's places are."""
        self._execute(
            "INSERT OR REPLACE INTO key_segments (id, count, hashes, offsets, digest)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                (job << _SHIFT) + segment.first,
                segment.count,
                segment.hashes,
                segment.offsets,
                segment.digest,
            ),
        )

    def stage(self, staged: Staged) -> None:
        """Say that no commit speaks of these places yet."""
        self._execute(
            "INSERT OR REPLACE INTO staged (id, count, token, touched_at_us) VALUES (?, ?, ?, ?)",
            (
                (staged.number << _SHIFT) + staged.first,
                staged.count,
                staged.token,
                staged.touched_at_us,
            ),
        )

    def unstage(self, token: str) -> int:
        """A commit speaks of what this writer had staged: of how many places."""
        rows = self._execute("DELETE FROM staged WHERE token = ? RETURNING count", (token,))
        return sum(int(count) for (count,) in rows)

    def sweep(self, staged: Staged, blocks: int) -> bool:
        """Take up to `blocks` of the staged blocks away, the last first; True if none is left."""
        first = (staged.number << _SHIFT) + staged.first
        found = f"id BETWEEN {first} AND {first + staged.count - 1}"
        self._execute(
            f"DELETE FROM inputs WHERE id IN (SELECT id FROM inputs WHERE {found}"
            " ORDER BY id DESC LIMIT ?)",
            (blocks,),
        )
        for _ in self._execute(f"SELECT 1 FROM inputs WHERE {found} LIMIT 1"):
            return False
        self._execute(f"DELETE FROM key_segments WHERE {found}")
        self._execute("DELETE FROM staged WHERE id = ?", (first,))
        return True

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
