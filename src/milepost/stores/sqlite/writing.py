"""Statements that change the rows of a SQLite store, all but the ones on blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import apsw
import msgspec
from msgspec.structs import astuple

from milepost.errors import LogCorrupt, StoreError
from milepost.log.rows import (
    Block,
    Erased,
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredCheckpoint,
    StoredJob,
    StoredKeep,
    StoredLease,
    StoredLifecycle,
    StoredSpan,
)
from milepost.stores.protocol import out_of_turn
from milepost.stores.sqlite.reading import OF_A_JOB, TABLES, SqliteReader, shown
from milepost.stores.sqlite.schema import LAST as _LAST
from milepost.stores.sqlite.schema import NUMBERS
from milepost.stores.sqlite.schema import SHIFT as _SHIFT
from milepost.stores.sqlite.seals import (
    FUNCTION,
    LEASE_COLUMNS,
    LEASE_FUNCTION,
    lease_seal,
    seal,
)

__all__ = ["SqliteWriter"]

_INSERT_COMMIT: Final = (
    "INSERT INTO commits (id, fence, at_us, count, format, codec, head, after, body, body_digest,"
    " digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_TIP: Final = "INSERT OR REPLACE INTO tips (job, seq, digest, seal) VALUES (?, ?, ?, ?)"
_HIGHEST_NUMBER: Final = (
    "SELECT max(number) FROM (SELECT max(number) AS number FROM jobs"
    " UNION ALL SELECT max(number) FROM tombstones"
    f" UNION ALL SELECT max(id) >> {_SHIFT} FROM staged)"
)
_BESIDE: Final = ("leases", "retention", "tips")
"""The tables that have one row of a job at most, by its number."""

_OUT_OF_TURN: Final = (apsw.SQLITE_CONSTRAINT_TRIGGER, apsw.SQLITE_CONSTRAINT_PRIMARYKEY)


class SqliteWriter(SqliteReader):
    """Queries and changes within one transaction, which holds the store's write lock.

    `mark` is SQLite's data version, by which SQLite itself knows whether its page cache still
    holds: every commit changes it, whichever connection or process made it.
    """

    mark: int

    def __init__(self, statements: apsw.Cursor, url: str) -> None:
        """`statements` is of the connection, and of nobody else while the transaction lasts."""
        self._connection = connection = statements.connection
        self._execute = connection.execute
        self._change = statements.execute
        self._url = url
        self.mark = connection.data_version("main")

    def relies_on(self, job: int, seq: int, digest: bytes) -> None:
        """The writer has the lock: whoever relies on a log has seen by the mark that it is so."""

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> StoredJob:
        number = self.reserve() if number is None else number
        job = StoredJob(number, job_id, created_at_us, lifecycle)
        self._execute(
            "INSERT INTO jobs (number, job_id, created_at_us, lifecycle, seal)"
            " VALUES (?, ?, ?, ?, ?)",
            (number, job_id, created_at_us, lifecycle, _sealing(job)),
        )
        return job

    def reserve(self) -> int:
        for (number,) in self._select(_HIGHEST_NUMBER):
            if (number or 0) >= NUMBERS:
                problem = "every number for a job is taken: begin another store"
                raise StoreError(url=self._url, problem=problem)
            return int(number or 0) + 1
        raise AssertionError("an aggregate gives its row")

    def put_job(self, job: StoredJob) -> None:
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

    def add_inputs(
        self, job: int, blocks: Iterable[InputBlock], segments: Iterable[KeySegment]
    ) -> None:
        for block in blocks:
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
        for segment in segments:
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
        rows = self._execute("DELETE FROM staged WHERE token = ? RETURNING count", (token,))
        return sum(int(count) for (count,) in rows)

    def sweep(self, staged: Staged, blocks: int) -> bool:
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
        try:
            self._change(_INSERT_COMMIT, ((job << _SHIFT) + row.seq, *astuple(row)[1:]))
        except apsw.ConstraintError as error:
            if getattr(error, "extendedresult", 0) not in _OUT_OF_TURN:
                raise
            raise out_of_turn(self._url, job, row, self.tip(job)) from error
        self._change(_PUT_TIP, (job, *shown(job, row)))

    def add_rows(self, job: int, rows: Sequence[Row]) -> None:
        for row in rows:
            self.add_row(job, row)

    def put_block(self, job: int, block: Block) -> bool:
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
                problem = (
                    f"commit {block.last} is the newest of the job numbered {job}, and is never"
                    " put into a block (INV-GAPLESS): nothing was changed; leave it out"
                )
                raise StoreError(url=self._url, problem=problem)
        self._execute("DELETE FROM commits WHERE id BETWEEN ? AND ?", (first, last))
        self._execute(
            "INSERT INTO blocks (id, last, heads, bodies) VALUES (?, ?, ?, ?)",
            (first, block.last, block.heads, block.bodies),
        )
        return True

    def put_checkpoint(self, job: int, checkpoint: StoredCheckpoint) -> None:
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

    def put_span(self, job: int, span: StoredSpan) -> None:
        self._execute(
            'INSERT OR REPLACE INTO spans (id, first, digest, "index", state_digest, state)'
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (job << _SHIFT) + span.last,
                span.first,
                span.digest,
                span.index,
                span.state_digest,
                span.state,
            ),
        )

    def drop_state(self, job: int, last: int) -> None:
        self._execute(
            "UPDATE spans SET state = x'', state_digest = x'' WHERE id = ?",
            ((job << _SHIFT) + last,),
        )

    def drop_spans(self, job: int, after: int = 0) -> None:
        base = job << _SHIFT
        self._execute("DELETE FROM spans WHERE id > ? AND id <= ?", (base + after, base + _LAST))

    def put_lease(self, job: int, lease: StoredLease) -> None:
        columns = (
            job,
            lease.owner,
            lease.fence,
            lease.expires_at_us,
            lease.ttl_us,
            lease.renewed_us,
            lease.timeline,
            lease.pid_scope,
            lease.pid,
            lease.pid_started,
        )
        self._execute(
            f"INSERT OR REPLACE INTO leases ({LEASE_COLUMNS}, seal)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*columns, lease_seal(*columns)),
        )

    def put_lifecycle(self, lifecycle: StoredLifecycle) -> None:
        columns = (
            lifecycle.digest,
            lifecycle.name,
            lifecycle.version,
            lifecycle.description,
        )
        self._execute(
            "INSERT OR REPLACE INTO lifecycles (digest, name, version, description, seal)"
            " VALUES (?, ?, ?, ?, ?)",
            (*columns, seal(*columns)),
        )

    def drop_lifecycles(self) -> None:
        self._execute(
            f"DELETE FROM lifecycles WHERE seal <> {FUNCTION}(digest, name, version, description)"
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
        upto: int | None = None,
    ) -> int:
        """The note of the newest row follows a log whose end is taken."""
        moved = 0
        if source == "commits":
            self._open_blocks(number, first)
            moved = self.set_aside(
                number, "blocks", job_id=job_id, reason=reason, at_us=at_us, first=first
            )
        columns = TABLES[source]
        key = columns.partition(",")[0]
        base = number << _SHIFT
        end = base + (_LAST if upto is None else upto)
        bounds = (number, number) if source == "leases" else (base + first, end)
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
            self.drop_spans(number, max(first - 1, 0))
            self._note_newest(number)
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
                self._change(_INSERT_COMMIT, (base + row.seq, *astuple(row)[1:]))
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
            f"UPDATE leases SET seal = {LEASE_FUNCTION}({LEASE_COLUMNS}) WHERE job = ?",
            (number,),
        )
        self._note_newest(number)
        row = self.tip(number)
        fits = newest is not None and tuple(map(type, newest)) == (int, int, bytes, bytes)
        if row is not None and newest is not None and fits and newest[1] > row.seq:
            self._execute(
                "INSERT OR REPLACE INTO tips (job, seq, digest, seal) VALUES (?, ?, ?, ?)", newest
            )

    def _note_newest(self, job: int) -> None:
        """Note the newest row that there is as the newest; nothing where there is none."""
        row = self.tip(job)
        if row is None:
            self._execute("DELETE FROM tips WHERE job = ?", (job,))
        else:
            self._change(_PUT_TIP, (job, *shown(job, row)))

    def put_keep(self, job: int, keep: StoredKeep | None) -> None:
        self._execute("DELETE FROM retention WHERE job = ?", (job,))
        if keep is not None:
            self._execute(
                "INSERT INTO retention (job, for_us, reason, set_at_us) VALUES (?, ?, ?, ?)",
                (job, keep.for_us, keep.reason, keep.set_at_us),
            )

    def remove_checkpoint(self, job: int, seq: int) -> None:
        self._execute("DELETE FROM checkpoints WHERE id = ?", ((job << _SHIFT) + seq,))

    def bury(self, job: StoredJob, deleted_at_us: int, reason: str) -> None:
        self._execute("DELETE FROM jobs WHERE number = ?", (job.number,))
        for table in _BESIDE:
            self._execute(f"DELETE FROM {table} WHERE job = ?", (job.number,))
        self._execute(
            "INSERT INTO tombstones (number, job_id, deleted_at_us, reason, erased)"
            " VALUES (?, ?, ?, ?, 0)",
            (job.number, job.job_id, deleted_at_us, reason),
        )

    def erase(self, number: int, rows: int, size_bytes: int) -> Erased:
        for _ in self._select("SELECT 1 FROM jobs WHERE number = ?", (number,)):
            raise ValueError(f"job number {number} has an entry: bury it first")
        for table in _BESIDE:  # a job that only came in has them still
            self._execute(f"DELETE FROM {table} WHERE job = ?", (number,))
        base, taken, freed_bytes = number << _SHIFT, 0, 0
        for table, measure in OF_A_JOB.items():
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
