"""The SQLite store's queries: every statement on its rows is here, but those on blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import apsw
import msgspec

from milepost.errors import LogCorrupt, StoreError, StoreUnreadable
from milepost.rows import (
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
    StoredSizes,
    Stray,
    Tip,
    Tombstone,
)
from milepost.stores.sqlite_blocks import BlockReader
from milepost.stores.sqlite_errors import translate
from milepost.stores.sqlite_schema import LAST as _LAST
from milepost.stores.sqlite_schema import SHIFT as _SHIFT
from milepost.stores.sqlite_seals import FUNCTION, seal

__all__ = ["TABLES", "SqliteReader", "SqliteWriter"]

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
    "blocks": "length(heads) + length(bodies)",
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
    " (SELECT count(*) FROM commits WHERE {0})"
    " + (SELECT total(last - (id & {1}) + 1) FROM blocks WHERE {0}),"
    " (SELECT total(length(head) + length(after)) FROM commits WHERE {0})"
    " + (SELECT total(length(heads)) FROM blocks WHERE {0}),"
    " (SELECT total(length(body)) FROM commits WHERE {0})"
    " + (SELECT total(length(bodies)) FROM blocks WHERE {0}),"
    " (SELECT count(*) FROM checkpoints WHERE {0}),"
    " (SELECT total(length(snapshot)) FROM checkpoints WHERE {0})"
).format("id BETWEEN ?1 AND ?2", _LAST)
_TOMBSTONE: Final = "SELECT number, job_id, deleted_at_us, reason, erased FROM tombstones"
_HEAD: Final = f"id & {_LAST}, fence, at_us, count, format, codec, head, after"


_ROW_TYPES: Final = (int, int, int, int, int, str, bytes, bytes, bytes, bytes, bytes)
_SEGMENT_TYPES: Final = (int, int, bytes, bytes, bytes)
_CHECKPOINT_TYPES: Final = (int, int, str, bytes, bytes, bytes)
TABLES: Final = {
    "blocks": "id, last, heads, bodies",
    "commits": "id, fence, at_us, count, format, codec, head, after, body, body_digest, digest",
    "inputs": 'id, count, codec, keys, "values", digest, seal',
    "checkpoints": "id, at_us, reason, chain, digest, snapshot",
    "leases": "job, owner, fence, expires_at_us, seal",
}
"""The tables whose rows are of a job, with their columns, the id first."""


class SqliteReader:
    """Queries within one transaction; every answer is of the same moment.

    A row whose seal does not fit is never given out: StoreUnreadable is raised in its place.
    """

    def __init__(self, connection: apsw.Connection, url: str) -> None:
        self._execute = connection.execute
        self._url = url
        self._block_reader: BlockReader | None = None

    def _select(self, sql: str, values: tuple[object, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query; SQLite's errors come as ours from here on."""
        try:
            yield from self._execute(sql, values)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translate(error, self._url) from error

    def _unreadable(self, what: str, problem: str) -> StoreUnreadable:
        problem = f"{what} {problem}: `milepost verify` shows the whole"
        return StoreUnreadable(url=self._url, problem=problem)

    def _sealed(self, what: str, columns: tuple[Any, ...]) -> tuple[Any, ...]:
        """The columns before the last, which must be their seal."""
        if seal(*columns[:-1]) != columns[-1]:
            raise self._unreadable(what, "does not match its seal")
        return columns[:-1]

    def job(self, job_id: str) -> StoredJob | None:
        """The job of that id. One index look-up; all entries are read before there is none."""
        wanted = "SELECT number, job_id, created_at_us, lifecycle, seal FROM jobs WHERE job_id = ?"
        for row in self._select(wanted, (job_id,)):
            return StoredJob(*self._sealed(f"the entry of job {job_id}", row))
        for _ in self._select("SELECT 1 FROM main.jobs NOT INDEXED WHERE job_id = ?", (job_id,)):
            raise self._unreadable("the index of jobs", f"does not lead to job {job_id}")
        return None

    def job_ids(self, prefix: str) -> list[str]:
        """The ids that begin with `prefix`, in order."""
        return sorted(job.job_id for job in self._jobs() if job.job_id.startswith(prefix))

    def entries(self) -> list[StoredJob]:
        """Every entry that can be had, sealed or not, in order of creation: to look for damage.

        Read from the table, and from its index, whose entries lack all but number and id.
        """
        found: dict[int, StoredJob] = {}
        index = "SELECT number, job_id, 0, '' FROM main.jobs INDEXED BY sqlite_autoindex_jobs_1"
        table = "SELECT number, job_id, created_at_us, lifecycle FROM jobs"
        for wanted in (index, table):
            with suppress(StoreError):  # what the one has lost, the other may have
                for row in self._select(wanted):
                    if tuple(map(type, row)) == (int, str, int, str):
                        found[row[0]] = StoredJob(*row)
        return [found[number] for number in sorted(found)]

    def _jobs(self) -> list[StoredJob]:
        """Every entry, in order of creation, by the table and by its index alike."""
        wanted = "SELECT number, job_id, created_at_us, lifecycle, seal FROM jobs ORDER BY number"
        found = [
            StoredJob(*self._sealed(f"the entry of job {row[1]}", row))
            for row in self._select(wanted)
        ]
        index = "SELECT job_id, number FROM main.jobs INDEXED BY sqlite_autoindex_jobs_1"
        if set(self._select(index)) != {(job.job_id, job.number) for job in found}:
            raise self._unreadable("the index of jobs", "does not match the entries")
        return found

    def tips(self) -> Iterator[Tip]:
        """Every job with its newest row, bodies left out, in order of creation."""
        seals = {row[0]: row[1:] for row in self._select("SELECT job, seq, digest, seal FROM tips")}
        for job in self._jobs():
            row = self.tip(job.number)
            columns = () if row is None else _shown(job.number, row)
            if seals.get(job.number, ()) != columns:
                problem = f"ends at {row.seq if row else 0}, and not where it was sealed"
                raise self._unreadable(f"the log of job {job.job_id}", problem)
            if row is not None:
                yield Tip(job, row)

    def newest(self, job: int) -> tuple[int, bytes] | None:
        """Seq and digest of the job's newest commit, by the seal; None if it has no commits."""
        for seq, digest in self._select("SELECT seq, digest FROM tips WHERE job = ?", (job,)):
            return seq, digest
        for _ in self._select(
            "SELECT 1 FROM commits WHERE id BETWEEN ? AND ? LIMIT 1",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        ):
            raise self._unreadable(f"the log of the job numbered {job}", "has lost its seal")
        return None

    def tip(self, job: int) -> Row | None:
        """The newest row of the job's log, its body left out. One B-tree descent."""
        for row in self._select(
            f"SELECT {_HEAD}, x'', body_digest, digest FROM commits"
            " WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        ):
            return self._row(row)
        return None

    def _row(self, columns: tuple[Any, ...]) -> Row:
        if tuple(map(type, columns)) != _ROW_TYPES:
            raise self._unreadable(f"a commit, seq {columns[0]},", "has columns of other types")
        return Row(*columns)

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
        for row in self._select(
            f"SELECT {_HEAD}, {body}, body_digest, digest FROM commits"
            " WHERE id BETWEEN ? AND ? ORDER BY id",
            ((job << _SHIFT) + wanted, (job << _SHIFT) + last),
        ):
            if row[0] != wanted:
                yield from self._blocks().rows(job, wanted, row[0] - 1, bodies=bodies)
            yield self._row(row)
            wanted = row[0] + 1
        if wanted <= last and (upto is not None or wanted == after + 1):  # or commits has lost it
            yield from self._blocks().rows(job, wanted, last, bodies=bodies)

    def blocks(self, job: int, after: int = 0) -> Iterator[tuple[int, int]]:
        """First and last seq of each block that has a row past `after`, in order."""
        return self._blocks().ranges(job, after)

    def inputs(self, job: int, place: int = 0) -> Iterator[InputBlock]:
        """The blocks of items from the one that holds `place` on, in order."""
        base = job << _SHIFT
        for row in self._select(
            'SELECT id, count, codec, digest, seal, keys, "values" FROM inputs'
            " WHERE id >= (SELECT max(id) FROM inputs WHERE id BETWEEN ? AND ?) AND id <= ?"
            " ORDER BY id",
            (base, base + place, base + _LAST),
        ):
            first = row[0] & _LAST
            what = f"the items from {first} on of the job numbered {job}"
            _, count, codec, digest = self._sealed(what, row[:5])
            if tuple(map(type, row[5:])) != (bytes, bytes):
                raise self._unreadable(what, "has columns of other types")
            yield InputBlock(first, count, codec, row[5], row[6], digest)

    def key_segments(self, job: int, first: int, end: int) -> Iterator[KeySegment]:
        """What is known of where keys are, of segments with `first <= segment.first < end`."""
        base = job << _SHIFT
        for row in self._select(
            f"SELECT id & {_LAST}, count, hashes, offsets, digest FROM key_segments"
            " WHERE id >= ? AND id < ? ORDER BY id",
            (base + first, base + end),
        ):
            if tuple(map(type, row)) == _SEGMENT_TYPES:  # derived: made anew where one is missing
                yield KeySegment(*row)

    def next_place(self, job: int) -> int:
        """The first place behind all that is stored or staged for the job, or being swept."""
        base = job << _SHIFT
        ends = [0]
        for table in ("inputs", "staged"):
            ends += [
                first + count
                for first, count in self._select(
                    f"SELECT id & {_LAST}, count FROM {table} WHERE id BETWEEN ? AND ?"
                    " ORDER BY id DESC LIMIT 1",
                    (base, base + _LAST),
                )
            ]
        return max(ends)

    def staged(self) -> list[Staged]:
        """The inputs that no commit speaks of yet."""
        rows = self._select(
            f"SELECT id >> {_SHIFT}, id & {_LAST}, count, token, touched_at_us FROM staged"
            " ORDER BY id"
        )
        return [Staged(*row) for row in rows]

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        """The job's checkpoints, newest first."""
        for row in self._select(
            f"SELECT id & {_LAST}, at_us, reason, chain, digest, snapshot FROM checkpoints"
            " WHERE id BETWEEN ? AND ? ORDER BY id DESC",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        ):
            if tuple(map(type, row)) != _CHECKPOINT_TYPES:
                raise self._unreadable(
                    f"a checkpoint at seq {row[0]}", "has columns of other types"
                )
            yield StoredCheckpoint(*row)

    def lease(self, job: int) -> StoredLease | None:
        """The job's newest lease, expired or not."""
        for row in self._select(
            "SELECT job, owner, fence, expires_at_us, seal FROM leases WHERE job = ?", (job,)
        ):
            columns = self._sealed(f"the lease of the job numbered {job}", row)
            return StoredLease(*columns[1:])
        return None

    def strays(self) -> Iterator[Stray]:
        """Rows of numbers that are no job's. Cost: every id is read.

        Those of inputs that are coming in, and those of a job that is being erased, are none.
        """
        for table in TABLES:
            job = "job" if table == "leases" else f"id >> {_SHIFT}"
            for number, count in self._select(
                f"SELECT {job}, count(*) FROM {table}"
                f" WHERE {job} NOT IN (SELECT number FROM jobs"
                f" UNION ALL SELECT id >> {_SHIFT} FROM staged"
                " UNION ALL SELECT number FROM tombstones WHERE erased = 0) GROUP BY 1"
            ):
                yield Stray(number, table, count)

    def quarantine(self) -> Iterator[Quarantined]:
        """What repairs took out of its place, oldest first."""
        for row in self._select(
            "SELECT number, at_us, job_id, source, id, reason, CAST(content AS BLOB)"
            " FROM quarantine ORDER BY number"
        ):
            yield Quarantined(*row)

    def _blocks(self) -> BlockReader:
        """Made when it is first needed: most moments look into no block."""
        if self._block_reader is None:
            self._block_reader = BlockReader(self._select, self._url)
        return self._block_reader

    def keep(self, job: int) -> StoredKeep | None:
        """How long this job is kept, where that was said of it."""
        for row in self._select(
            "SELECT for_us, reason, set_at_us FROM retention WHERE job = ?", (job,)
        ):
            return StoredKeep(*row)
        return None

    def checkpoint_sizes(self, job: int) -> list[StoredCheckpointSize]:
        """The job's checkpoints without their snapshots, newest first."""
        rows = self._select(
            f"SELECT id & {_LAST}, reason, length(snapshot) FROM checkpoints"
            " WHERE id BETWEEN ? AND ? ORDER BY id DESC",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        )
        return [StoredCheckpointSize(*row) for row in rows]

    def sizes(self, job: int) -> StoredSizes:
        """How much is stored of the job. One pass over its rows, whose bytes are not read."""
        base = job << _SHIFT
        for row in self._select(_SIZES, (base, base + _LAST)):
            return StoredSizes(*map(int, row))
        raise AssertionError("a SELECT of sums gives its row")

    def tombstone(self, job_id: str) -> Tombstone | None:
        """The newest job of that id that was deleted."""
        for row in self._select(
            f"{_TOMBSTONE} WHERE job_id = ? ORDER BY number DESC LIMIT 1", (job_id,)
        ):
            return Tombstone(row[0], row[1], row[2], row[3], bool(row[4]))
        return None

    def tombstones_left(self) -> list[Tombstone]:
        """The deleted jobs of which rows are left, oldest first."""
        rows = self._select(f"{_TOMBSTONE} WHERE erased = 0 ORDER BY number")
        return [Tombstone(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]


class SqliteWriter(SqliteReader):
    """Queries and changes within one transaction, which holds the store's write lock.

    `mark` is SQLite's data version, by which SQLite itself knows whether its page cache still
    holds: every commit changes it, whichever connection or process made it.
    """

    def __init__(self, connection: apsw.Connection, url: str) -> None:
        super().__init__(connection, url)
        self.mark: int = connection.data_version("main")

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> StoredJob:
        """A new entry; the caller has seen that there is none of that id."""
        number = self.reserve() if number is None else number
        job = StoredJob(number, job_id, created_at_us, lifecycle)
        self._execute(
            "INSERT INTO jobs (number, job_id, created_at_us, lifecycle, seal)"
            " VALUES (?, ?, ?, ?, ?)",
            (number, job_id, created_at_us, lifecycle, _sealing(job)),
        )
        return job

    def reserve(self) -> int:
        """A number that no job has or has had, and no staged inputs."""
        for (number,) in self._select(_HIGHEST_NUMBER):
            return int(number or 0) + 1
        raise AssertionError("an aggregate gives its row")

    def put_job(self, job: StoredJob) -> None:
        """The entry of that number as it should be, and its seal."""
        self._execute(
            "UPDATE jobs SET job_id = ?, created_at_us = ?, lifecycle = ?, seal = ?"
            " WHERE number = ?",
            (
                job.job_id,
                job.created_at_us,
                job.lifecycle,
                _sealing(job),
                job.number,
            ),
        )

    def add_inputs(self, job: int, block: InputBlock) -> None:
        """One block of a job's items; its places are free."""
        self._execute(
            'INSERT INTO inputs (id, count, codec, keys, "values", digest, seal)'
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (job << _SHIFT) + block.first,
                block.count,
                block.codec,
                block.keys,
                block.values,
                block.digest,
                seal((job << _SHIFT) + block.first, block.count, block.codec, block.digest),
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
        self._insert(job, row)
        self._put_tip(job, row)

    def _insert(self, job: int, row: Row) -> None:
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

    def _put_tip(self, job: int, row: Row) -> None:
        self._execute(
            "INSERT OR REPLACE INTO tips (job, seq, digest, seal) VALUES (?, ?, ?, ?)",
            (job, *_shown(job, row)),
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
            "INSERT OR REPLACE INTO leases (job, owner, fence, expires_at_us, seal)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                job,
                lease.owner,
                lease.fence,
                lease.expires_at_us,
                seal(job, lease.owner, lease.fence, lease.expires_at_us),
            ),
        )

    def set_aside(
        self,
        number: int,
        source: str,
        *,
        job_id: str,
        reason: str,
        at_us: int,
        first: int = 0,
        upto: int = _LAST,
    ) -> int:
        """Move rows of `source` into the quarantine, whole; how many there were.

        Those of job `number` whose seq or place is from `first` to `upto`. Of a log the seal
        follows: it is then that of the newest row that is left.
        """
        moved = 0
        if source == "commits":
            self._open_blocks(number, first)
            moved = self.set_aside(
                number, "blocks", job_id=job_id, reason=reason, at_us=at_us, first=first
            )
        columns = TABLES[source]
        key = columns.partition(",")[0]
        base = number << _SHIFT
        bounds = (number, number) if source == "leases" else (base + first, base + upto)
        where = f"FROM {source} WHERE {key} BETWEEN ? AND ?"
        for (row_id,) in list(self._select(f"SELECT {key} {where} ORDER BY 1", bounds)):
            (row,) = self._select(f"SELECT {columns} FROM {source} WHERE {key} = ?", (row_id,))
            _put_aside(
                self._execute, source, columns, row, job_id=job_id, reason=reason, at_us=at_us
            )
            moved += 1
        self._execute(f"DELETE {where}", bounds)
        if source == "inputs":  # where their keys were is derived from them
            self._execute("DELETE FROM key_segments WHERE id BETWEEN ? AND ?", bounds)
        if source == "commits":
            self.reseal(number)
        return moved

    def _open_blocks(self, number: int, first: int) -> None:
        """Put the rows before `first` that are in a block with it, or just before it, back.

        What is left of a log then ends in commits, where the next row must find it.
        """
        base = number << _SHIFT
        for begin, last in list(self.blocks(number, max(first - 2, 0))):
            if begin >= first:
                break
            try:
                rows = list(self._blocks().rows(number, begin, last, bodies=True))
            except LogCorrupt:  # the bodies are lost; the heads were read before this is called
                rows = list(self._blocks().rows(number, begin, last, bodies=False))
            self._execute("DELETE FROM blocks WHERE id = ?", (base + begin,))
            for row in rows:
                self._insert(number, row)
        self._block_reader = None

    def copy_row(self, table: str, columns: str, row: tuple[Any, ...]) -> bool:
        """Write a row of another file as it is; False if it does not fit here."""
        marks = ", ".join("?" * len(row))
        try:
            self._execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)
        except apsw.ConstraintError:
            return False
        return True

    def copy_aside(
        self,
        table: str,
        columns: str,
        row: tuple[Any, ...],
        *,
        job_id: str,
        reason: str,
        at_us: int,
    ) -> None:
        """Write a row of another file, those of its `columns`, into the quarantine."""
        _put_aside(self._execute, table, columns, row, job_id=job_id, reason=reason, at_us=at_us)

    def seal_copies(self, number: int, newest: tuple[Any, ...] | None) -> None:
        """Seal what was copied of a job. `newest` is the note that the other file has of it.

        Where the note tells of commits that are not there, it stays: they are missed by it.
        """
        base = number << _SHIFT
        self._execute(
            f"UPDATE jobs SET seal = {FUNCTION}(number, job_id, created_at_us, lifecycle)"
            " WHERE number = ?",
            (number,),
        )
        self._execute(
            f"UPDATE inputs SET seal = {FUNCTION}(id, count, codec, digest)"
            " WHERE id BETWEEN ? AND ?",
            (base, base + _LAST),
        )
        self._execute(
            f"UPDATE leases SET seal = {FUNCTION}(job, owner, fence, expires_at_us) WHERE job = ?",
            (number,),
        )
        self.reseal(number)
        row = self.tip(number)
        fits = newest is not None and tuple(map(type, newest)) == (int, int, bytes, bytes)
        if row is not None and newest is not None and fits and newest[1] > row.seq:
            self._execute(
                "INSERT OR REPLACE INTO tips (job, seq, digest, seal) VALUES (?, ?, ?, ?)", newest
            )

    def reseal(self, job: int) -> None:
        """Note the newest row that there is as the newest; nothing where there is none."""
        row = self.tip(job)
        if row is None:
            self._execute("DELETE FROM tips WHERE job = ?", (job,))
        else:
            self._put_tip(job, row)

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
        of_one = (("jobs", "number"), ("leases", "job"), ("retention", "job"), ("tips", "job"))
        for table, column in of_one:
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
        for _ in self._select("SELECT 1 FROM jobs WHERE number = ?", (number,)):
            raise ValueError(f"job number {number} has an entry: bury it first")
        base, taken, freed_bytes = number << _SHIFT, 0, 0
        for table, measure in _OF_A_JOB.items():
            last = None
            for row_id, row_bytes in self._select(
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


def _sealing(job: StoredJob) -> bytes:
    """The seal of a job's entry."""
    return seal(job.number, job.job_id, job.created_at_us, job.lifecycle)


def _shown(job: int, row: Row) -> tuple[int, bytes, bytes]:
    """What `tips` keeps of the newest row: seq, digest, and a seal over what a listing shows."""
    return (
        row.seq,
        row.digest,
        seal(job, row.seq, row.fence, row.at_us, row.after, row.digest),
    )


def _put_aside(
    execute: Callable[..., object],
    source: str,
    columns: str,
    row: tuple[Any, ...],
    *,
    job_id: str,
    reason: str,
    at_us: int,
) -> None:
    """Write one row of `source`, these `columns` of it, into the quarantine."""
    names = [name.strip('" ') for name in columns.split(",")]
    content = msgspec.json.encode(dict(zip(names, row, strict=True))).decode()
    place = 0 if source == "leases" else row[0] & _LAST
    execute(
        "INSERT INTO quarantine (at_us, job_id, source, id, reason, content)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (at_us, job_id, source, place, reason, content),
    )
