"""Statements that change the rows of a PostgreSQL store, within one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import asdict, astuple

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
from milepost.stores.postgres.reading import (
    LEASE,
    OF_A_JOB,
    SOURCES,
    Connection,
    PostgresReader,
)
from milepost.stores.protocol import Moved, out_of_turn

__all__ = ["PostgresWriter"]


def _upsert(table: str, columns: str, keys: str) -> str:
    """A statement that puts a row with these columns in the place of the one with its keys."""
    names = [name.strip() for name in columns.split(",")]
    others = [name for name in names if name not in keys.split(", ")]
    marks = ", ".join(["%s"] * len(names))
    changed = ", ".join(f"{name} = EXCLUDED.{name}" for name in others)
    return (
        f"INSERT INTO ${table} ({columns}) VALUES ({marks})"
        f" ON CONFLICT ({keys}) DO UPDATE SET {changed}"
    )


_ADD_ROW: Final = (
    "WITH tip AS (INSERT INTO $tips AS tip (job, seq, fence, digest)"
    " SELECT %(job)s, %(seq)s, %(fence)s, %(digest)s"
    " WHERE %(seq)s = 1 OR EXISTS (SELECT FROM $tips WHERE job = %(job)s)"
    " ON CONFLICT (job) DO UPDATE SET seq = EXCLUDED.seq, fence = EXCLUDED.fence,"
    " digest = EXCLUDED.digest WHERE tip.seq = EXCLUDED.seq - 1 AND tip.fence <= EXCLUDED.fence"
    " RETURNING job)"
    " INSERT INTO $commits SELECT job, %(seq)s, %(fence)s, %(at_us)s, %(count)s, %(format)s,"
    " %(codec)s, %(head)s, %(after)s, %(body)s, %(body_digest)s, %(digest)s FROM tip"
)
"""The row, and it as the newest: neither where it does not follow the one that is."""
_INSERT_ROW: Final = f"INSERT INTO $commits VALUES ({', '.join(['%s'] * 12)})"
_PUT_TIP: Final = _upsert("tips", "job, seq, fence, digest", "job")
_PUT_SEGMENT: Final = _upsert(
    "key_segments", "job, first, count, hashes, offsets, digest", "job, first"
)
_STAGE: Final = _upsert("staged", "job, first, count, token, touched_at_us", "job, first")
_PUT_CHECKPOINT: Final = _upsert(
    "checkpoints", "job, seq, at_us, reason, chain, digest, snapshot", "job, seq"
)
_PUT_SPAN: Final = _upsert(
    "spans", 'job, first, last, digest, "index", state_digest, state', "job, last"
)
_PUT_LEASE: Final = _upsert("leases", f"job, {LEASE}", "job")
_PUT_LIFECYCLE: Final = _upsert("lifecycles", "digest, name, version, description", "digest")
_PUT_KEEP: Final = _upsert("retention", "job, for_us, reason, set_at_us", "job")
_BESIDE: Final = ("leases", "retention", "tips")
"""The tables that have one row of a job at most, by its number."""


class PostgresWriter(PostgresReader):
    """Queries and changes of one transaction, which has the store's write lock."""

    def __init__(
        self,
        connection: Callable[[], Connection],
        url: str,
        schema: str,
        waited_s: float,
        *,
        mark: int = 0,
    ) -> None:
        super().__init__(connection, url, schema, waited_s)
        self.mark = mark

    def relies_on(self, job: int, seq: int, digest: bytes) -> None:
        if self.newest(job) != (seq, digest):
            raise Moved

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> StoredJob:
        number = self.reserve() if number is None else number
        job = StoredJob(number, job_id, created_at_us, lifecycle)
        self._change(
            "INSERT INTO $jobs (number, job_id, created_at_us, lifecycle) VALUES (%s, %s, %s, %s)",
            astuple(job),
        )
        return job

    def reserve(self) -> int:
        """From a sequence: one that is not used in the end is used by nobody."""
        row = self._one("SELECT nextval('$numbers')")
        assert row is not None, "a function gives its row"
        return int(row[0])

    def put_job(self, job: StoredJob) -> None:
        self._change(
            "UPDATE $jobs SET job_id = %s, created_at_us = %s, lifecycle = %s WHERE number = %s",
            (job.job_id, job.created_at_us, job.lifecycle, job.number),
        )

    def add_inputs(
        self, job: int, blocks: Iterable[InputBlock], segments: Iterable[KeySegment]
    ) -> None:
        for block in blocks:
            self._change(
                'INSERT INTO $inputs (job, first, count, codec, keys, "values", digest)'
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (job, *astuple(block)),
            )
        for segment in segments:
            self._change(_PUT_SEGMENT, (job, *astuple(segment)))

    def stage(self, staged: Staged) -> None:
        self._change(_STAGE, astuple(staged))

    def unstage(self, token: str) -> int:
        rows = self._all("DELETE FROM $staged WHERE token = %s RETURNING count", (token,))
        return sum(count for (count,) in rows)

    def sweep(self, staged: Staged, blocks: int) -> bool:
        job, first, end = staged.number, staged.first, staged.first + staged.count
        self._change(
            "DELETE FROM $inputs WHERE job = %s AND first IN (SELECT first FROM $inputs"
            " WHERE job = %s AND first >= %s AND first < %s ORDER BY first DESC LIMIT %s)",
            (job, job, first, end, blocks),
        )
        within = "WHERE job = %s AND first >= %s AND first < %s"
        if self._one(f"SELECT 1 FROM $inputs {within} LIMIT 1", (job, first, end)):
            return False
        self._change(f"DELETE FROM $key_segments {within}", (job, first, end))
        self._change("DELETE FROM $staged WHERE job = %s AND first = %s", (job, first))
        return True

    def add_row(self, job: int, row: Row) -> None:
        if not self._change(_ADD_ROW, {"job": job, **asdict(row)}):
            raise out_of_turn(self._url, job, row, self.tip(job))

    def add_rows(self, job: int, rows: Sequence[Row]) -> None:
        """Three round trips, however many they are."""
        last = self._one("SELECT seq, fence FROM $tips WHERE job = %s", (job,)) or (0, 0)
        for row in rows:
            if row.seq != last[0] + 1 or row.fence < last[1]:
                raise out_of_turn(self._url, job, row, self.tip(job))
            last = row.seq, row.fence
        if rows:
            self._change_each(_INSERT_ROW, [(job, *astuple(row)) for row in rows])
            self._change(_PUT_TIP, (job, *last, rows[-1].digest))

    def put_block(self, job: int, block: Block) -> bool:
        """Never: rows stay as they are."""
        del job, block
        return False

    def put_checkpoint(self, job: int, checkpoint: StoredCheckpoint) -> None:
        self._change(_PUT_CHECKPOINT, (job, *astuple(checkpoint)))

    def put_span(self, job: int, span: StoredSpan) -> None:
        self._change(_PUT_SPAN, (job, *astuple(span)))

    def drop_state(self, job: int, last: int) -> None:
        self._change(
            "UPDATE $spans SET state = '', state_digest = '' WHERE job = %s AND last = %s",
            (job, last),
        )

    def drop_spans(self, job: int, after: int = 0) -> None:
        self._change("DELETE FROM $spans WHERE job = %s AND last > %s", (job, after))

    def put_lease(self, job: int, lease: StoredLease) -> None:
        self._change(_PUT_LEASE, (job, *astuple(lease)))

    def put_lifecycle(self, lifecycle: StoredLifecycle) -> None:
        self._change(_PUT_LIFECYCLE, astuple(lifecycle))

    def drop_lifecycles(self) -> None:
        """Nothing: the server vouches for its rows."""

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
        key, columns = SOURCES[source]
        condition, bounds = "job = %s", (number,)
        if key != "0":
            condition += f" AND {key} >= %s AND ({key} <= %s OR %s::bigint IS NULL)"
            bounds = (number, first, upto, upto)  # type: ignore[assignment]
        names = [name.strip('" ') for name in columns.split(",")]
        rows = self._all(
            f"DELETE FROM ${source} WHERE {condition} RETURNING {key}, {columns}", bounds
        )
        for row in sorted(rows, key=lambda row: int(row[0])):
            content = msgspec.json.encode({"job": number} | dict(zip(names, row[1:], strict=True)))
            self._change(
                "INSERT INTO $quarantine (at_us, job_id, source, key, reason, content)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (at_us, job_id, source, row[0], reason, content),
            )
        if source == "inputs":  # where their keys were is derived from them
            self._change(
                "DELETE FROM $key_segments WHERE job = %s AND first >= %s"
                " AND (first <= %s OR %s::bigint IS NULL)",
                (number, first, upto, upto),
            )
        if source == "commits":
            self.drop_spans(number, max(first - 1, 0))
            self._note_newest(number)
        return len(rows)

    def _note_newest(self, job: int) -> None:
        """Note the newest row that there is as the newest; nothing where there is none."""
        row = self.tip(job)
        if row is None:
            self._change("DELETE FROM $tips WHERE job = %s", (job,))
        else:
            self._change(_PUT_TIP, (job, row.seq, row.fence, row.digest))

    def put_keep(self, job: int, keep: StoredKeep | None) -> None:
        if keep is None:
            self._change("DELETE FROM $retention WHERE job = %s", (job,))
        else:
            self._change(_PUT_KEEP, (job, *astuple(keep)))

    def remove_checkpoint(self, job: int, seq: int) -> None:
        self._change("DELETE FROM $checkpoints WHERE job = %s AND seq = %s", (job, seq))

    def bury(self, job: StoredJob, deleted_at_us: int, reason: str) -> None:
        self._change("DELETE FROM $jobs WHERE number = %s", (job.number,))
        for table in _BESIDE:
            self._change(f"DELETE FROM ${table} WHERE job = %s", (job.number,))
        self._change(
            "INSERT INTO $tombstones (number, job_id, deleted_at_us, reason, erased)"
            " VALUES (%s, %s, %s, %s, false)",
            (job.number, job.job_id, deleted_at_us, reason),
        )

    def erase(self, number: int, rows: int, size_bytes: int) -> Erased:
        if self._one("SELECT 1 FROM $jobs WHERE number = %s", (number,)):
            raise ValueError(f"job number {number} has an entry: bury it first")
        for table in _BESIDE:  # a job that only came in has them still
            self._change(f"DELETE FROM ${table} WHERE job = %s", (number,))
        taken, freed_bytes = 0, 0
        for table, (key, measure) in OF_A_JOB.items():
            last = None
            for row_key, row_bytes in self._all(
                f"SELECT {key}, {measure} FROM ${table} WHERE job = %s ORDER BY {key} LIMIT %s",
                (number, rows - taken),
            ):
                last, taken, freed_bytes = row_key, taken + 1, freed_bytes + row_bytes
                if freed_bytes >= size_bytes:
                    break
            if last is not None:
                self._change(f"DELETE FROM ${table} WHERE job = %s AND {key} <= %s", (number, last))
            if taken >= rows or freed_bytes >= size_bytes:
                return Erased(taken, freed_bytes, done=False)
        self._change("UPDATE $tombstones SET erased = true WHERE number = %s", (number,))
        return Erased(taken, freed_bytes, done=True)

    def forget_tombstones(self, before_us: int, limit: int) -> int:
        return self._change(
            "DELETE FROM $tombstones WHERE number IN (SELECT number FROM $tombstones"
            " WHERE erased AND deleted_at_us < %s"
            " AND number < (SELECT max(number) FROM $tombstones) LIMIT %s)",
            (before_us, limit),
        )
