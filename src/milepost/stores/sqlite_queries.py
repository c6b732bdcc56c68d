"""The SQLite store's queries: every statement on its rows is here, and no other module's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import apsw

from milepost.rows import (
    Erased,
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredCheckpoint,
    StoredCheckpointSize,
    StoredJob,
    StoredKeep,
    StoredLease,
    StoredSizes,
    Tip,
    Tombstone,
)
from milepost.stores.sqlite_schema import LAST as _LAST
from milepost.stores.sqlite_schema import SHIFT as _SHIFT

__all__ = ["SqliteReader", "SqliteWriter"]

_INSERT_COMMIT: Final = (
    "INSERT INTO commits (id, fence, at_us, count, format, codec, head, after, body, body_digest,"
    " digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_HIGHEST_NUMBER: Final = (
    "SELECT max(number) FROM (SELECT max(number) AS number FROM jobs"
    " UNION ALL SELECT max(number) FROM tombstones"
    f" UNION ALL SELECT max(id) >> {_SHIFT} FROM staged)"
)
_OF_A_JOB: Final = {
    "commits": "length(head) + length(after) + length(body)",
    "inputs": 'length(keys) + length("values")',
    "key_segments": "length(hashes) + length(offsets)",
    "staged": "0",
    "checkpoints": "length(snapshot)",
}
"""The tables whose ids begin with the job's number, and how many bytes a row of each takes."""

_SIZES: Final = (
    "SELECT (SELECT count(*) FROM inputs WHERE {0}),"
    ' (SELECT total(length(keys) + length("values")) FROM inputs WHERE {0}),'
    " (SELECT count(*) FROM key_segments WHERE {0}),"
    " (SELECT total(length(hashes) + length(offsets)) FROM key_segments WHERE {0}),"
    " (SELECT count(*) FROM commits WHERE {0}),"
    " (SELECT total(length(head) + length(after)) FROM commits WHERE {0}),"
    " (SELECT total(length(body)) FROM commits WHERE {0}),"
    " (SELECT count(*) FROM checkpoints WHERE {0}),"
    " (SELECT total(length(snapshot)) FROM checkpoints WHERE {0})"
).format("id BETWEEN ?1 AND ?2")
_TOMBSTONE: Final = "SELECT number, job_id, deleted_at_us, reason, erased FROM tombstones"
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

    def keep(self, job: int) -> StoredKeep | None:
        """How long this job is kept, where that was said of it."""
        for row in self._execute(
            "SELECT for_us, reason, set_at_us FROM retention WHERE job = ?", (job,)
        ):
            return StoredKeep(*row)
        return None

    def checkpoint_sizes(self, job: int) -> list[StoredCheckpointSize]:
        """The job's checkpoints without their snapshots, newest first."""
        rows = self._execute(
            f"SELECT id & {_LAST}, reason, length(snapshot) FROM checkpoints"
            " WHERE id BETWEEN ? AND ? ORDER BY id DESC",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        )
        return [StoredCheckpointSize(*row) for row in rows]

    def sizes(self, job: int) -> StoredSizes:
        """How much is stored of the job. One pass over its rows, whose bytes are not read."""
        base = job << _SHIFT
        for row in self._execute(_SIZES, (base, base + _LAST)):
            return StoredSizes(*map(int, row))
        raise AssertionError("a SELECT of sums gives its row")

    def tombstone(self, job_id: str) -> Tombstone | None:
        """The newest job of that id that was deleted."""
        for row in self._execute(
            f"{_TOMBSTONE} WHERE job_id = ? ORDER BY number DESC LIMIT 1", (job_id,)
        ):
            return Tombstone(row[0], row[1], row[2], row[3], bool(row[4]))
        return None

    def tombstones_left(self) -> list[Tombstone]:
        """The deleted jobs of which rows are left, oldest first."""
        rows = self._execute(f"{_TOMBSTONE} WHERE erased = 0 ORDER BY number")
        return [Tombstone(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]


class SqliteWriter(SqliteReader):
    """Queries and changes within one transaction, which holds the store's write lock.

    `mark` is SQLite's data version, by which SQLite itself knows whether its page cache still
    holds: every commit changes it, whichever connection or process made it.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.mark: int = connection.data_version("main")

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
        """A number that no job has or has had, and no staged inputs."""
        for (number,) in self._execute(_HIGHEST_NUMBER):
            return int(number or 0) + 1
        raise AssertionError("an aggregate gives its row")

    def set_lifecycle(self, job: int, lifecycle: str) -> None:
        """Note by which lifecycle the job runs from now on."""
        self._execute("UPDATE jobs SET lifecycle = ? WHERE number = ?", (lifecycle, job))

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

    def put_keep(self, job: int, keep: StoredKeep | None) -> None:
        """How long this job is kept; None is as long as others like it."""
        self._execute("DELETE FROM retention WHERE job = ?", (job,))
        if keep is not None:
            self._execute(
                "INSERT INTO retention (job, for_us, reason, set_at_us) VALUES (?, ?, ?, ?)",
                (job, keep.for_us, keep.reason, keep.set_at_us),
            )

    def remove_checkpoint(self, job: int, seq: int) -> None:
        """Take the checkpoint at `seq` away, if there is one."""
        self._execute("DELETE FROM checkpoints WHERE id = ?", ((job << _SHIFT) + seq,))

    def bury(self, job: StoredJob, deleted_at_us: int, reason: str) -> None:
        """Put a tombstone in the place of the job's entry: nobody finds its rows any more."""
        for table, column in (("jobs", "number"), ("leases", "job"), ("retention", "job")):
            self._execute(f"DELETE FROM {table} WHERE {column} = ?", (job.number,))
        self._execute(
            "INSERT INTO tombstones (number, job_id, deleted_at_us, reason, erased)"
            " VALUES (?, ?, ?, ?, 0)",
            (job.number, job.job_id, deleted_at_us, reason),
        )

    def erase(self, number: int, rows: int, size_bytes: int) -> Erased:
        """Take away up to `rows` rows of a buried job, or the first that make up `size_bytes`.

        Once nothing is left the tombstone says so. Raises ValueError for a job that has an entry.
        """
        if self._execute("SELECT 1 FROM jobs WHERE number = ?", (number,)).fetchall():
            raise ValueError(f"job number {number} has an entry: bury it first")
        base, taken, freed_bytes = number << _SHIFT, 0, 0
        for table, measure in _OF_A_JOB.items():
            last = None
            for row_id, row_bytes in self._execute(
                f"SELECT id, {measure} FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
                (base, base + _LAST, rows - taken),
            ):
                last, taken, freed_bytes = row_id, taken + 1, freed_bytes + row_bytes
                if freed_bytes >= size_bytes:
                    break
            if last is not None:
                self._execute(f"DELETE FROM {table} WHERE id BETWEEN ? AND ?", (base, last))
            if taken >= rows or freed_bytes >= size_bytes:
                return Erased(taken, freed_bytes, done=False)
        self._execute("UPDATE tombstones SET erased = 1 WHERE number = ?", (number,))
        return Erased(taken, freed_bytes, done=True)

    def forget_tombstones(self, before_us: int, limit: int) -> int:
        """Drop up to `limit` tombstones from before, the newest never; how many were dropped."""
        found = self._execute(
            "DELETE FROM tombstones WHERE number IN (SELECT number FROM tombstones"
            " WHERE erased = 1 AND deleted_at_us < ?"
            " AND number < (SELECT max(number) FROM tombstones) LIMIT ?) RETURNING number",
            (before_us, limit),
        )
        return len(found.fetchall())
