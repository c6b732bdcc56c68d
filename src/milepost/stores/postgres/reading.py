"""Queries on the rows of a PostgreSQL store, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import psycopg

from milepost.errors import StoreUnreadable
from milepost.log.rows import (
    GIVEN_BACK,
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
    Stray,
    Tip,
    Tombstone,
)
from milepost.stores.postgres.errors import translate
from milepost.stores.postgres.schema import statement
from milepost.stores.protocol import Kind
from milepost.stores.unreadable import OnError, refuse

__all__ = ["LEASE", "OF_A_JOB", "SOURCES", "Connection", "Params", "PostgresReader"]

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

Params: TypeAlias = Sequence[Any] | Mapping[str, Any]
"""The values of a statement, by place or by name. Any: psycopg knows how to send each type."""

_LAST: Final = (1 << 40) - 1
"""The largest seq, and the largest place, of any store."""

_PAGE: Final = 512
_PAGE_OF_BODIES: Final = 32
_FIRST_STEP: Final = 16
_STEP: Final = 128

_ENTRY: Final = "number, job_id, created_at_us, lifecycle"
_HEAD: Final = "seq, fence, at_us, count, format, codec, head, after"
LEASE: Final = (
    "owner, fence, expires_at_us, ttl_us, renewed_us, timeline, pid_scope, pid, pid_started"
)
_TOMBSTONE: Final = "SELECT number, job_id, deleted_at_us, reason, erased FROM $tombstones"
_LIFECYCLE: Final = "SELECT digest, name, version, description FROM $lifecycles"
_HAVING: Final[dict[Kind, str]] = {
    "keep": "SELECT job FROM $retention",
    "held": f"SELECT job FROM $leases WHERE ttl_us IS DISTINCT FROM {GIVEN_BACK}",
    "checkpoint": "SELECT DISTINCT job FROM $checkpoints",
}

OF_A_JOB: Final = {
    "commits": ("seq", "length(head) + length(after) + length(body)"),
    "inputs": ("first", 'length(keys) + length("values")'),
    "key_segments": ("first", "length(hashes) + length(offsets)"),
    "checkpoints": ("seq", "length(snapshot)"),
    "spans": ("last", 'length("index") + length(state)'),
    "staged": ("first", "0"),  # last: it keeps the number from others
}
"""The tables with many rows of a job: what orders them, and how many bytes a row takes."""

SOURCES: Final = {
    "commits": ("seq", f"{_HEAD}, body, body_digest, digest"),
    "inputs": ("first", 'first, count, codec, keys, "values", digest'),
    "checkpoints": ("seq", "seq, at_us, reason, chain, digest, snapshot"),
    "leases": ("0", LEASE),
}
"""The tables whose rows a repair sets aside: what orders them, and their columns."""

_SIZES: Final = (
    "SELECT (SELECT count(*) FROM $inputs WHERE job = %(job)s),"
    ' (SELECT coalesce(sum(length(keys) + length("values")), 0) FROM $inputs WHERE job = %(job)s),'
    " (SELECT count(*) FROM $key_segments WHERE job = %(job)s),"
    " (SELECT coalesce(sum(length(hashes) + length(offsets)), 0) FROM $key_segments"
    " WHERE job = %(job)s),"
    " count(*), coalesce(sum(length(head) + length(after)), 0), coalesce(sum(length(body)), 0),"
    " (SELECT count(*) FROM $checkpoints WHERE job = %(job)s),"
    " (SELECT coalesce(sum(length(snapshot)), 0) FROM $checkpoints WHERE job = %(job)s),"
    " (SELECT count(*) FROM $spans WHERE job = %(job)s),"
    ' (SELECT coalesce(sum(length("index") + length(state)), 0) FROM $spans WHERE job = %(job)s)'
    " FROM $commits WHERE job = %(job)s"
)
_SIZES_OF: Final = (
    "SELECT job, sum(bytes)::bigint FROM ("
    + " UNION ALL ".join(
        f"SELECT job, sum({measure}) AS bytes FROM ${table}"
        " WHERE job BETWEEN %(first)s AND %(last)s GROUP BY job"
        for table, (_, measure) in OF_A_JOB.items()
    )
    + ") AS parts GROUP BY job"
)


class PostgresReader:
    """Queries within one transaction; every answer is of the same moment.

    `connection` gives the connection that has it, which may begin it then.
    """

    def __init__(
        self,
        connection: Callable[[], Connection],
        url: str,
        schema: str,
        waited_s: float,
    ) -> None:
        self._connection = connection
        self._url = url
        self._schema = schema
        self._waited_s = waited_s

    def _all(self, sql: str, values: Params = ()) -> list[tuple[Any, ...]]:
        """The rows of a query, at once; PostgreSQL's errors come as ours from here on."""
        try:
            cursor = self._connection().execute(statement(self._schema, sql), values)
            return cursor.fetchall() if cursor.description is not None else []
        except psycopg.Error as error:
            raise translate(error, self._url, self._waited_s) from error

    def _one(self, sql: str, values: Params = ()) -> tuple[Any, ...] | None:
        found = self._all(sql, values)
        return found[0] if found else None

    def _change(self, sql: str, values: Params = ()) -> int:
        """Run a statement that changes rows; how many it did."""
        try:
            return self._connection().execute(statement(self._schema, sql), values).rowcount
        except psycopg.Error as error:
            raise translate(error, self._url, self._waited_s) from error

    def _change_each(self, sql: str, values: Iterable[Params]) -> None:
        """Run a statement that changes rows with each of `values`, in one round trip or few."""
        try:
            with self._connection().cursor() as cursor:
                cursor.executemany(statement(self._schema, sql), values)
        except psycopg.Error as error:
            raise translate(error, self._url, self._waited_s) from error

    def _pages(
        self, sql: str, job: int, after: int, upto: int, *, page: int = _PAGE, key: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of a query on a range of one job, read as they are asked for.

        It has places for the job, the bounds and the size of a page; `key` is the column that the
        bounds are of. The first page is small: most who ask want few rows.
        """
        some = min(_FIRST_STEP, page)
        while after < upto:
            rows = self._all(sql, (job, after, upto, some))
            yield from rows
            if len(rows) < some:
                return
            after, some = rows[-1][key], min(8 * some, page)

    def _unreadable(self, what: str, problem: str) -> StoreUnreadable:
        return StoreUnreadable(url=self._url, problem=f"{what} {problem}")

    def job(self, job_id: str) -> StoredJob | None:
        row = self._one(f"SELECT {_ENTRY} FROM $jobs WHERE job_id = %s", (job_id,))
        return None if row is None else StoredJob(*row)

    def has_job(self, job_id: str) -> bool:
        return self._one("SELECT 1 FROM $jobs WHERE job_id = %s", (job_id,)) is not None

    def job_ids(
        self,
        prefix: str,
        on_error: OnError = refuse,  # noqa: ARG002 the server vouches for its index
        *,
        limit: int | None = None,
    ) -> list[str]:
        """A range of the index of ids, in its order, which is that of their characters."""
        sql = "SELECT job_id FROM $jobs WHERE starts_with(job_id, %s) AND job_id >= %s"
        rows = self._all(f"{sql} ORDER BY job_id LIMIT %s", (prefix, prefix, limit))
        return [job_id for (job_id,) in rows]

    def count_jobs(self, prefix: str = "") -> int:
        sql = "SELECT count(*) FROM $jobs WHERE starts_with(job_id, %s) AND job_id >= %s"
        row = self._one(sql, (prefix, prefix))
        assert row is not None, "an aggregate gives its row"
        return int(row[0])

    def entries(self) -> list[StoredJob]:
        return [StoredJob(*row) for row in self._all(f"SELECT {_ENTRY} FROM $jobs ORDER BY number")]

    def tips(
        self,
        on_error: OnError = refuse,
        *,
        prefix: str = "",
        newest_first: bool = False,
        wanted: Callable[[StoredJob], bool] | None = None,
    ) -> Iterator[Tip]:
        for step in self._steps("", prefix, newest_first=newest_first):
            yield from self._tips_of(
                step if wanted is None else [job for job in step if wanted(job)], on_error
            )

    def leased(self, on_error: OnError = refuse) -> Iterator[Tip]:
        held = f"AND number IN ({_HAVING['held']})"
        for step in self._steps(held, "", newest_first=False):
            yield from self._tips_of(step, on_error)

    def _steps(
        self, condition: str, prefix: str, *, newest_first: bool
    ) -> Iterator[list[StoredJob]]:
        """Entries in order of creation, few at first."""
        last, some = (1 << 62, _FIRST_STEP) if newest_first else (0, _FIRST_STEP)
        beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
        while True:
            rows = self._all(
                f"SELECT {_ENTRY} FROM $jobs WHERE number {beyond} %s"
                f" AND starts_with(job_id, %s) {condition} ORDER BY number {order} LIMIT %s",
                (last, prefix, some),
            )
            if rows:
                yield [StoredJob(*row) for row in rows]
            if len(rows) < some:
                return
            last, some = rows[-1][0], min(2 * some, _STEP)

    def _tips_of(self, step: list[StoredJob], on_error: OnError) -> Iterator[Tip]:
        """The jobs with their newest rows; none where it has none, or `on_error` is told why."""
        rows = self._all(
            f"SELECT tips.job, tips.seq, commits.{_HEAD}, ''::bytea, body_digest, digest"
            " FROM (SELECT job, seq FROM $tips WHERE job = ANY(%s)) AS tips"
            " LEFT JOIN $commits AS commits USING (job, seq)",
            ([job.number for job in step],),
        )
        found = {row[0]: row[1:] for row in rows}
        for job in step:
            columns = found.get(job.number)
            if columns is None:
                continue
            if columns[1] is None:
                what = f"the log of job {job.job_id}"
                on_error(self._unreadable(what, f"lacks commit {columns[0]}, its newest"))
                continue
            yield Tip(job, Row(*columns[1:]))

    def newest(self, job: int) -> tuple[int, bytes] | None:
        """By its row in `tips`."""
        row = self._one("SELECT seq, digest FROM $tips WHERE job = %s", (job,))
        return None if row is None else (row[0], row[1])

    def tip(self, job: int) -> Row | None:
        row = self._one(
            f"SELECT {_HEAD}, ''::bytea, body_digest, digest FROM $commits WHERE job = %s"
            " ORDER BY seq DESC LIMIT 1",
            (job,),
        )
        return None if row is None else Row(*row)

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        body = "body" if bodies else "''::bytea"
        page = _PAGE_OF_BODIES if bodies else _PAGE
        sql = (
            f"SELECT {_HEAD}, {body}, body_digest, digest FROM $commits"
            " WHERE job = %s AND seq > %s AND seq <= %s ORDER BY seq LIMIT %s"
        )
        for row in self._pages(sql, job, after, _LAST if upto is None else upto, page=page):
            yield Row(*row)

    def blocks(self, job: int, after: int = 0) -> Iterator[tuple[int, int]]:
        """All rows at once: each is compressed by itself, and stays as it is."""
        newest = self.newest(job)
        return iter([(1, newest[0])] if newest is not None and newest[0] > after else [])

    def inputs(self, job: int, place: int = 0) -> Iterator[InputBlock]:
        row = self._one(
            "SELECT max(first) FROM $inputs WHERE job = %s AND first <= %s", (job, place)
        )
        if row is None or row[0] is None:
            return
        sql = (
            'SELECT first, count, codec, keys, "values", digest FROM $inputs'
            " WHERE job = %s AND first > %s AND first <= %s ORDER BY first LIMIT %s"
        )
        for found in self._pages(sql, job, row[0] - 1, _LAST, page=_PAGE_OF_BODIES):
            yield InputBlock(*found)

    def key_segments(self, job: int, first: int, end: int) -> Iterator[KeySegment]:
        sql = (
            "SELECT first, count, hashes, offsets, digest FROM $key_segments"
            " WHERE job = %s AND first > %s AND first <= %s ORDER BY first LIMIT %s"
        )
        for row in self._pages(sql, job, first - 1, end - 1, page=_PAGE_OF_BODIES):
            yield KeySegment(*row)

    def next_place(self, job: int) -> int:
        row = self._one(
            "SELECT greatest("
            "(SELECT first + count FROM $inputs WHERE job = %(job)s ORDER BY first DESC LIMIT 1),"
            " (SELECT first + count FROM $staged WHERE job = %(job)s ORDER BY first DESC LIMIT 1),"
            " 0)",
            {"job": job},
        )
        assert row is not None, "a SELECT without a table gives its row"
        return int(row[0])

    def staged(self) -> list[Staged]:
        rows = self._all(
            "SELECT job, first, count, token, touched_at_us FROM $staged ORDER BY job, first"
        )
        return [Staged(*row) for row in rows]

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
        before = _LAST + 1
        while True:
            row = self._one(
                "SELECT seq, at_us, reason, chain, digest, snapshot FROM $checkpoints"
                " WHERE job = %s AND seq < %s ORDER BY seq DESC LIMIT 1",
                (job, before),
            )
            if row is None:
                return
            before = row[0]
            yield StoredCheckpoint(*row)

    def spans(self, job: int, after: int = 0) -> Iterator[StoredSpan]:
        sql = (
            'SELECT first, last, digest, "index" FROM $spans'
            " WHERE job = %s AND last > %s AND last <= %s ORDER BY last LIMIT %s"
        )
        for row in self._pages(sql, job, after, _LAST, page=_PAGE_OF_BODIES, key=1):
            yield StoredSpan(*row)

    def spans_end(self, job: int) -> int:
        row = self._one("SELECT coalesce(max(last), 0) FROM $spans WHERE job = %s", (job,))
        assert row is not None, "an aggregate gives its row"
        return int(row[0])

    def state_ends(self, job: int) -> list[int]:
        rows = self._all(
            "SELECT last FROM $spans WHERE job = %s AND length(state) > 0 ORDER BY last", (job,)
        )
        return [last for (last,) in rows]

    def states(self, job: int, upto: int) -> Iterator[StoredSpan]:
        before = min(upto, _LAST) + 1
        while True:
            row = self._one(
                'SELECT first, last, digest, "index", state_digest, state FROM $spans'
                " WHERE job = %s AND last < %s AND length(state) > 0 ORDER BY last DESC LIMIT 1",
                (job, before),
            )
            if row is None:
                return
            before = row[1]
            yield StoredSpan(*row)

    def lease(self, job: int) -> StoredLease | None:
        row = self._one(f"SELECT {LEASE} FROM $leases WHERE job = %s", (job,))
        return None if row is None else StoredLease(*row)

    def strays(self) -> Iterator[Stray]:
        """Cost: every row's number is read, by the server."""
        known = (
            "SELECT number FROM $jobs UNION ALL SELECT job FROM $staged"
            " UNION ALL SELECT number FROM $tombstones WHERE NOT erased"
        )
        for table in ("commits", "inputs", "checkpoints", "leases"):
            sql = f"SELECT job, count(*) FROM ${table} WHERE job NOT IN ({known}) GROUP BY job"
            for number, count in self._all(f"{sql} ORDER BY job"):
                yield Stray(number, table, count)

    def quarantine(self, after: int = 0, upto: int | None = None) -> Iterator[Quarantined]:
        last = _LAST if upto is None else upto
        while after < last:
            rows = self._all(
                "SELECT number, at_us, job_id, source, key, reason, content FROM $quarantine"
                " WHERE number > %s AND number <= %s ORDER BY number LIMIT %s",
                (after, last, _PAGE_OF_BODIES),
            )
            for row in rows:
                yield Quarantined(*row)
            if len(rows) < _PAGE_OF_BODIES:
                return
            after = rows[-1][0]

    def last_quarantined(self) -> int:
        row = self._one("SELECT coalesce(max(number), 0) FROM $quarantine")
        assert row is not None, "an aggregate gives its row"
        return int(row[0])

    def keep(self, job: int) -> StoredKeep | None:
        row = self._one("SELECT for_us, reason, set_at_us FROM $retention WHERE job = %s", (job,))
        if row is None:
            return None
        for_us, reason, set_at_us = row
        return StoredKeep(None if for_us is None else int(for_us), reason, set_at_us)

    def checkpoint_sizes(self, job: int) -> list[StoredCheckpointSize]:
        rows = self._all(
            "SELECT seq, reason, length(snapshot) FROM $checkpoints WHERE job = %s"
            " ORDER BY seq DESC",
            (job,),
        )
        return [StoredCheckpointSize(*row) for row in rows]

    def sizes(self, job: int) -> StoredSizes:
        """One pass over the rows, by the server."""
        row = self._one(_SIZES, {"job": job})
        assert row is not None, "an aggregate gives its row"
        return StoredSizes(*map(int, row))

    def sizes_of(self, first: int, last: int) -> dict[int, int]:
        return dict(self._all(_SIZES_OF, {"first": first, "last": last}))

    def having(self, what: Kind) -> set[int]:
        return {number for (number,) in self._all(_HAVING[what])}

    def lifecycle(self, digest: str) -> StoredLifecycle | None:
        row = self._one(f"{_LIFECYCLE} WHERE digest = %s", (digest,))
        return None if row is None else StoredLifecycle(*row)

    def lifecycles(self) -> list[StoredLifecycle]:
        order = 'name COLLATE "C", version, digest COLLATE "C"'
        return [StoredLifecycle(*row) for row in self._all(f"{_LIFECYCLE} ORDER BY {order}")]

    def tombstone(self, job_id: str) -> Tombstone | None:
        row = self._one(f"{_TOMBSTONE} WHERE job_id = %s ORDER BY number DESC LIMIT 1", (job_id,))
        return None if row is None else Tombstone(*row)

    def tombstones_left(self) -> list[Tombstone]:
        return [
            Tombstone(*row) for row in self._all(f"{_TOMBSTONE} WHERE NOT erased ORDER BY number")
        ]
