"""Queries on the rows of a SQLite store, all but the ones on blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import apsw

from milepost.errors import StoreError, StoreUnreadable
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
from milepost.stores.protocol import Kind
from milepost.stores.sqlite.blocks import BlockReader
from milepost.stores.sqlite.errors import translate
from milepost.stores.sqlite.listing import ENTRY, IDS, NUMBERED, JobLister, Noted, numbers_of
from milepost.stores.sqlite.schema import LAST as _LAST
from milepost.stores.sqlite.schema import NUMBERS
from milepost.stores.sqlite.schema import SHIFT as _SHIFT
from milepost.stores.sqlite.seals import LEASE_COLUMNS, lease_seal, seal
from milepost.stores.unreadable import OnError, refuse

__all__ = ["OF_A_JOB", "TABLES", "SqliteReader", "shown"]

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
    " (SELECT total(length(snapshot)) FROM checkpoints WHERE {0}),"
    " (SELECT count(*) FROM spans WHERE {0}),"
    ' (SELECT total(length("index") + length(state)) FROM spans WHERE {0})'
).format("id BETWEEN ?1 AND ?2", _LAST)
_LIFECYCLE: Final = "SELECT digest, name, version, description, seal FROM lifecycles"
_TOMBSTONE: Final = "SELECT number, job_id, deleted_at_us, reason, erased FROM tombstones"
_HAVING: Final[dict[Kind, str]] = {
    "keep": "job FROM retention",
    "held": f"job FROM leases WHERE ttl_us IS NOT {GIVEN_BACK}",
    "checkpoint": f"id >> {_SHIFT} FROM checkpoints",
}
_HEAD: Final = f"id & {_LAST}, fence, at_us, count, format, codec, head, after"
_NEWEST: Final = (
    f"SELECT given.value, commits.{_HEAD}, x'', body_digest, digest"
    f" FROM {NUMBERED} CROSS JOIN commits ON commits.id = (SELECT max(id) FROM commits"
    f" WHERE id BETWEEN given.value << {_SHIFT} AND (given.value << {_SHIFT}) + {_LAST})"
)


_EARLIEST_US: Final = -62_135_596_800_000_000  # of the year 1
_LATEST_US: Final = 253_402_300_799_999_999  # of the year 9999
_LONGEST_US: Final = 86_399_999_999_999_999_999  # of a timedelta
_ROW_TYPES: Final = (int, int, int, int, int, str, bytes, bytes, bytes, bytes, bytes)
_SEGMENT_TYPES: Final = (int, int, bytes, bytes, bytes)
_LIFECYCLE_TYPES: Final = (str, str, int, bytes)
_SPAN_TYPES: Final = (int, int, bytes, bytes, bytes, bytes)
_CHECKPOINT_TYPES: Final = (int, int, str, bytes, bytes, bytes)
TABLES: Final = {
    "blocks": "id, last, heads, bodies",
    "commits": "id, fence, at_us, count, format, codec, head, after, body, body_digest, digest",
    "inputs": 'id, count, codec, keys, "values", digest, seal',
    "checkpoints": "id, at_us, reason, chain, digest, snapshot",
    "leases": f"{LEASE_COLUMNS}, seal",
}
"""The tables whose rows are of a job, with their columns, the id first."""

OF_A_JOB: Final = {
    "blocks": "length(heads) + length(bodies)",
    "commits": "length(head) + length(after) + length(body)",
    "inputs": 'length(keys) + length("values")',
    "key_segments": "length(hashes) + length(offsets)",
    "checkpoints": "length(snapshot)",
    "spans": 'length("index") + length(state)',
    "staged": "0",  # last: it keeps the number from others
}
"""The tables whose ids begin with the job's number, and how many bytes a row of each takes."""

_SIZES_OF: Final = (
    "SELECT job, sum(bytes) FROM ("
    + " UNION ALL ".join(
        f"SELECT id >> {_SHIFT} AS job, sum({measure}) AS bytes FROM {table}"
        " WHERE id BETWEEN ?1 AND ?2 GROUP BY 1"
        for table, measure in OF_A_JOB.items()
    )
    + ") GROUP BY 1"
)


class SqliteReader:
    """Queries within one transaction; every answer is of the same moment.

    A row whose seal does not fit is never given out: StoreUnreadable is raised in its place.
    `failure` is the error at which SQLite gave the transaction up, as it may after an I/O error:
    it is raised for all that is asked then, which would be of another moment.
    """

    failure: StoreError | None = None
    _block_reader: BlockReader | None = None
    _job_lister: JobLister | None = None

    def __init__(self, connection: apsw.Connection, url: str) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._url = url

    def _select(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query; SQLite's errors come as ours from here on.

        Any: what can be bound, the types of apsw tell to checkers for Python 3.12 and newer alone.
        """
        if self.failure is not None:
            raise self.failure
        try:
            yield from self._execute(sql, values)
        except (apsw.Error, UnicodeDecodeError) as error:
            told = translate(error, self._url, system_errno=self._connection.system_errno)
            if not self._connection.in_transaction:
                self.failure = told
            raise told from error
        except OverflowError as error:
            raise self._unreadable("a number in it", "is larger than any that we write") from error

    def _at(self, what: str, at_us: int) -> int:
        """A time that a calendar has."""
        if not _EARLIEST_US <= at_us <= _LATEST_US:
            raise self._unreadable(what, "has a time that no calendar has")
        return at_us

    def _entry(self, row: tuple[Any, ...]) -> StoredJob:
        """The entry of a job, from its columns and their seal."""
        what = f"the entry of job {row[1]}"
        job = StoredJob(*self._sealed(what, row))
        if not 0 < job.number <= NUMBERS:
            raise self._unreadable(what, "has a number that no job is given")
        self._at(what, job.created_at_us)
        return job

    def _unreadable(self, what: str, problem: str) -> StoreUnreadable:
        return StoreUnreadable(url=self._url, problem=f"{what} {problem}")

    def _sealed(self, what: str, columns: tuple[Any, ...]) -> tuple[Any, ...]:
        """The columns before the last, which must be their seal."""
        if seal(*columns[:-1]) != columns[-1]:
            raise self._unreadable(what, "does not match its seal")
        return columns[:-1]

    def job(self, job_id: str) -> StoredJob | None:
        """One index look-up; all entries are read before there is none."""
        for row in self._select(f"{ENTRY} WHERE job_id = ?", (job_id,)):
            return self._entry(row)
        for _ in self._select("SELECT 1 FROM main.jobs NOT INDEXED WHERE job_id = ?", (job_id,)):
            raise self._unreadable("the index of jobs", f"does not lead to job {job_id}")
        return None

    def has_job(self, job_id: str) -> bool:
        """By the index, which would refuse a second; a damaged entry is found by its readers."""
        for _ in self._select("SELECT 1 FROM main.jobs WHERE job_id = ?", (job_id,)):
            return True
        return False

    def job_ids(
        self, prefix: str, on_error: OnError = refuse, *, limit: int | None = None
    ) -> list[str]:
        """By the index and by the table, in the range of ids that begin so."""
        return sorted(job.job_id for job in self._listed().of(prefix, on_error, limit))

    def count_jobs(self, prefix: str = "") -> int:
        """Counted by SQLite, in the index and in the table."""
        return self._listed().count(prefix)

    def entries(self) -> list[StoredJob]:
        """From the table, and from its index, whose entries lack all but number and id."""
        found: dict[int, StoredJob] = {}
        index = f"SELECT number, job_id, 0, '' FROM main.jobs INDEXED BY {IDS}"
        table = "SELECT number, job_id, created_at_us, lifecycle FROM jobs"
        for wanted in (index, table):
            with suppress(StoreError):  # what the one has lost, the other may have
                for row in self._select(wanted):
                    typed = tuple(map(type, row)) == (int, str, int, str)
                    if typed and 0 < row[0] <= NUMBERS:
                        found[row[0]] = StoredJob(*row)
        return [found[number] for number in sorted(found)]

    def tips(
        self,
        on_error: OnError = refuse,
        *,
        prefix: str = "",
        newest_first: bool = False,
        wanted: Callable[[StoredJob], bool] | None = None,
    ) -> Iterator[Tip]:
        """As many jobs are read as are asked for, by 128; those of a prefix, by a range of ids."""
        for step in self._listed().noted(prefix, on_error, newest_first=newest_first):
            yield from self._tips_of(
                step if wanted is None else [one for one in step if wanted(one[0])], on_error
            )

    def leased(self, on_error: OnError = refuse) -> Iterator[Tip]:
        """As many jobs are read as have a lease that was not given back, by 128."""
        for step in self._listed().leased(on_error):
            yield from self._tips_of(step, on_error)

    def _tips_of(self, step: list[Noted], on_error: OnError) -> Iterator[Tip]:
        """The jobs with their newest rows; none where it has none, or `on_error` is told why.

        The rows are read by one statement; by one for each job where a page is damaged, so that it
        takes none with it but its own.
        """
        try:
            found = dict(self._newest_rows(step))
        except StoreUnreadable:
            found = None
        for job, sealed in step:
            try:
                columns = found if found is not None else dict(self._newest_rows([(job, sealed)]))
                newest = columns.get(job.number)
                row = None if newest is None else self._row(newest)
                if sealed != (() if row is None else shown(job.number, row)):
                    problem = f"ends at {row.seq if row else 0}, and not where it was sealed"
                    raise self._unreadable(f"the log of job {job.job_id}", problem)
            except StoreUnreadable as error:
                on_error(error)
                continue
            if row is not None:
                yield Tip(job, row)

    def _newest_rows(self, step: list[Noted]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """By number, the columns of the row that is last in the log of each job."""
        for row in self._select(_NEWEST, (numbers_of(job for job, _ in step),)):
            yield row[0], row[1:]

    def newest(self, job: int) -> tuple[int, bytes] | None:
        """By the note in `tips`; StoreUnreadable where there are commits and no note."""
        for seq, digest in self._select("SELECT seq, digest FROM tips WHERE job = ?", (job,)):
            return seq, digest
        for _ in self._select(
            "SELECT 1 FROM commits WHERE id BETWEEN ? AND ? LIMIT 1",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        ):
            raise self._unreadable(f"the log of the job numbered {job}", "has lost its seal")
        return None

    def tip(self, job: int) -> Row | None:
        """One B-tree descent."""
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
        row = Row(*columns)
        if not _EARLIEST_US <= row.at_us <= _LATEST_US:
            self._at(f"a commit, seq {row.seq},", row.at_us)
        return row

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """Blocks are looked for where rows are missing from commits, and only there.

        The newest row of a job is never in a block.
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
        return self._blocks().ranges(job, after)

    def inputs(self, job: int, place: int = 0) -> Iterator[InputBlock]:
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
        base = job << _SHIFT
        for row in self._select(
            f"SELECT id & {_LAST}, count, hashes, offsets, digest FROM key_segments"
            " WHERE id >= ? AND id < ? ORDER BY id",
            (base + first, base + end),
        ):
            if tuple(map(type, row)) == _SEGMENT_TYPES:  # derived: made anew where one is missing
                yield KeySegment(*row)

    def next_place(self, job: int) -> int:
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
        rows = self._select(
            f"SELECT id >> {_SHIFT}, id & {_LAST}, count, token, touched_at_us FROM staged"
            " ORDER BY id"
        )
        return [Staged(*row) for row in rows]

    def checkpoints(self, job: int) -> Iterator[StoredCheckpoint]:
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

    def spans(self, job: int, after: int = 0) -> Iterator[StoredSpan]:
        base = job << _SHIFT
        yield from self._spans(
            "x'', x''", "> ? AND id <= ? ORDER BY id", base + after, base + _LAST
        )

    def spans_end(self, job: int) -> int:
        base = job << _SHIFT
        for (last,) in self._select(
            "SELECT max(id) FROM spans WHERE id BETWEEN ? AND ?", (base, base + _LAST)
        ):
            return 0 if last is None else int(last) & _LAST
        raise AssertionError("an aggregate gives its row")

    def state_ends(self, job: int) -> list[int]:
        base = job << _SHIFT
        rows = self._select(
            f"SELECT id & {_LAST} FROM spans WHERE id > ? AND id <= ? AND length(state) > 0"
            " ORDER BY id",
            (base, base + _LAST),
        )
        return [int(last) for (last,) in rows]

    def states(self, job: int, upto: int) -> Iterator[StoredSpan]:
        base = job << _SHIFT
        found = "> ? AND id <= ? AND length(state) > 0 ORDER BY id DESC"
        yield from self._spans("state_digest, state", found, base, base + min(upto, _LAST))

    def _spans(self, state: str, found: str, first: int, last: int) -> Iterator[StoredSpan]:
        for row in self._select(
            f'SELECT first, id & {_LAST}, digest, "index", {state} FROM spans WHERE id {found}',
            (first, last),
        ):
            if tuple(map(type, row)) == _SPAN_TYPES:  # derived: made anew where one is missing
                yield StoredSpan(*row)

    def lease(self, job: int) -> StoredLease | None:
        for row in self._select(f"SELECT {LEASE_COLUMNS}, seal FROM leases WHERE job = ?", (job,)):
            if lease_seal(*row[:-1]) != row[-1]:
                what = f"the lease of the job numbered {job}"
                raise self._unreadable(what, "does not match its seal")
            return StoredLease(*row[1:-1])
        return None

    def strays(self) -> Iterator[Stray]:
        """Cost: every id is read."""
        for table in TABLES:
            job = "job" if table == "leases" else f"id >> {_SHIFT}"
            for number, count in self._select(
                f"SELECT {job}, count(*) FROM {table}"
                f" WHERE {job} NOT IN (SELECT number FROM jobs"
                f" UNION ALL SELECT id >> {_SHIFT} FROM staged"
                " UNION ALL SELECT number FROM tombstones WHERE erased = 0) GROUP BY 1"
            ):
                yield Stray(number, table, count)

    def quarantine(self, after: int = 0, upto: int | None = None) -> Iterator[Quarantined]:
        for row in self._select(
            "SELECT number, at_us, job_id, source, id, reason, CAST(content AS BLOB)"
            " FROM quarantine WHERE number > ? AND number <= ? ORDER BY number",
            (after, _LAST if upto is None else upto),
        ):
            self._at(f"what was set aside as number {row[0]}", row[1])
            yield Quarantined(*row)

    def last_quarantined(self) -> int:
        for (number,) in self._select("SELECT max(number) FROM quarantine"):
            return int(number or 0)
        raise AssertionError("an aggregate gives its row")

    def _blocks(self) -> BlockReader:
        """Made when it is first needed: most moments look into no block."""
        if self._block_reader is None:
            self._block_reader = BlockReader(self._select, self._url)
        return self._block_reader

    def _listed(self) -> JobLister:
        """Made when it is first needed: most moments list no jobs."""
        if self._job_lister is None:
            self._job_lister = JobLister(self._select, self._entry, self._unreadable)
        return self._job_lister

    def keep(self, job: int) -> StoredKeep | None:
        for row in self._select(
            "SELECT for_us, reason, set_at_us FROM retention WHERE job = ?", (job,)
        ):
            what = f"how long the job numbered {job} is kept"
            for_us, _, set_at_us = row
            self._at(what, set_at_us)
            if for_us is not None and not 0 <= for_us <= _LONGEST_US:
                raise self._unreadable(what, "is no length of time")
            return StoredKeep(*row)
        return None

    def checkpoint_sizes(self, job: int) -> list[StoredCheckpointSize]:
        rows = self._select(
            f"SELECT id & {_LAST}, reason, length(snapshot) FROM checkpoints"
            " WHERE id BETWEEN ? AND ? ORDER BY id DESC",
            (job << _SHIFT, (job << _SHIFT) + _LAST),
        )
        return [StoredCheckpointSize(*row) for row in rows]

    def sizes(self, job: int) -> StoredSizes:
        """One pass over the rows, whose bytes are not read."""
        base = job << _SHIFT
        for row in self._select(_SIZES, (base, base + _LAST)):
            return StoredSizes(*map(int, row))
        raise AssertionError("a SELECT of sums gives its row")

    def sizes_of(self, first: int, last: int) -> dict[int, int]:
        """One pass over the rows of each table, whose bytes are not read."""
        return dict(self._select(_SIZES_OF, (first << _SHIFT, (last << _SHIFT) + _LAST)))

    def having(self, what: Kind) -> set[int]:
        return {number for (number,) in self._select(f"SELECT DISTINCT {_HAVING[what]}")}

    def lifecycle(self, digest: str) -> StoredLifecycle | None:
        """One index look-up."""
        for row in self._select(f"{_LIFECYCLE} WHERE digest = ?", (digest,)):
            return self._told(row)
        return None

    def lifecycles(self) -> list[StoredLifecycle]:
        return [self._told(row) for row in self._select(f"{_LIFECYCLE} ORDER BY 2, 3, 1")]

    def _told(self, row: tuple[Any, ...]) -> StoredLifecycle:
        what = f"the description of the lifecycle {row[1]}"
        columns = self._sealed(what, row)
        if tuple(map(type, columns)) != _LIFECYCLE_TYPES:
            raise self._unreadable(what, "has columns of other types")
        return StoredLifecycle(*columns)

    def tombstone(self, job_id: str) -> Tombstone | None:
        for row in self._select(
            f"{_TOMBSTONE} WHERE job_id = ? ORDER BY number DESC LIMIT 1", (job_id,)
        ):
            return self._buried(row)
        return None

    def tombstones_left(self) -> list[Tombstone]:
        rows = self._select(f"{_TOMBSTONE} WHERE erased = 0 ORDER BY number")
        return [self._buried(row) for row in rows]

    def _buried(self, row: tuple[Any, ...]) -> Tombstone:
        number, job_id, deleted_at_us, reason, erased = row
        what = f"the tombstone of the job numbered {number}"
        if not 0 < number <= NUMBERS:
            raise self._unreadable(what, "has a number that no job is given")
        return Tombstone(number, job_id, self._at(what, deleted_at_us), reason, bool(erased))


def shown(job: int, row: Row) -> tuple[int, bytes, bytes]:
    """What `tips` keeps of the newest row: seq, digest, and a seal over what a listing shows."""
    return (
        row.seq,
        row.digest,
        seal(job, row.seq, row.fence, row.at_us, row.after, row.digest),
    )
