"""Salvage: every row that can still be read of a damaged file, copied into a new one.

Rows are asked for in the order of their ids. Where one cannot be read, the next that can is
looked for, in growing steps and then by halves, so that what is left out is what is damaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from milepost.stores.sqlite.errors import translate
from milepost.stores.sqlite.reading import TABLES
from milepost.stores.sqlite.schema import LAST, NUMBERS, SHIFT
from milepost.stores.sqlite.still import connect_to_read
from milepost.stores.sqlite.store import SqliteStore
from milepost.stores.sqlite.trust import distrust
from milepost.stores.sqlite.writing import SqliteWriter

__all__ = ["Copied", "Gap", "copy_rows"]

_ORDER: Final = ("inputs", "blocks", "commits", "checkpoints", "leases")
_COMPUTED: Final = frozenset({("commits", "job"), ("commits", "seq")})
_BESIDE: Final = {
    "staged": "id, count, token, touched_at_us",
    "retention": "job, for_us, reason, set_at_us",
    "tombstones": "number, job_id, deleted_at_us, reason, erased",
}
"""What is kept beside the rows of jobs, with its columns. Where keys are is found anew."""
_OF_NO_JOB: Final = {
    "quarantine": "number, at_us, job_id, source, id, reason, content",
    "lifecycles": "rowid, digest, name, version, description, seal",
}
"""What earlier repairs set aside, and what is told of lifecycles: believed where it was before."""


class Gap(NamedTuple):
    """Ids of a table that could not be read: seqs or places from `first` to `last`.

    Which of them there were is not known.
    """

    source: str
    first: int
    last: int
    problem: str


class Copied(NamedTuple):
    """The rows of one job that were copied, by table, were set aside, or could not be read."""

    number: int
    job_id: str
    rows: dict[str, int]
    aside_count: int
    gaps: tuple[Gap, ...]


def copy_rows(old: Path, new: SqliteStore, at_us: int) -> Iterator[Copied]:
    """Copy one job after the other into the empty store `new`, each in one transaction.

    A row that does not fit there (one whose predecessor is lost, one that is not of its types)
    goes into the quarantine, as do those of jobs whose entry is lost, under the id "". Left out
    are the rows of a deleted job that were still to be erased, and inputs for a job that was not
    made yet. Raises StoreError where nothing at all can be read.
    """
    url = f"sqlite:///{old}"
    try:
        connection = connect_to_read(old, url, None, _lenient)
    except (apsw.Error, UnicodeDecodeError) as error:
        raise translate(error, url) from error
    try:
        source = _Source(connection)
        source.look(url)
        with new.writing() as writer:
            gaps = _copy_whole(source, writer)
        if gaps:
            yield Copied(0, "", dict.fromkeys(TABLES, 0), 0, gaps)
        entries, numbers = source.jobs()
        for number in sorted(numbers - (source.unreachable() - set(entries))):
            with new.writing() as writer:
                copied = _copy(source, writer, number, entries.get(number), at_us)
            yield copied
        with new.writing() as writer:
            gaps = _copy_beside(source, writer, set(entries))
        if gaps:
            yield Copied(0, "", dict.fromkeys(TABLES, 0), 0, gaps)
    finally:
        connection.close()


def _lenient(connection: apsw.Connection) -> None:
    """Let SQLite read a file that is shorter than its header says; nothing is written."""
    distrust(connection, lenient=True)
    connection.execute("PRAGMA writable_schema = ON")


class _Source:
    """A damaged file, asked with patience."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def look(self, url: str) -> None:
        """Raise StoreError unless the file can be asked at all."""
        try:
            list(self._connection.execute("SELECT name FROM sqlite_schema"))
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translate(error, url) from error

    def jobs(self) -> tuple[dict[int, tuple[Any, ...]], set[int]]:
        """The entries by number, and every number that anything is of."""
        entries: dict[int, tuple[Any, ...]] = {}
        if not self.has("jobs"):
            return entries, self._numbers(entries)
        index = "SELECT number, job_id, 0, '' FROM jobs INDEXED BY sqlite_autoindex_jobs_1"
        table = "SELECT number, job_id, created_at_us, lifecycle FROM jobs"
        try:
            entries.update((row[0], row) for row in self._connection.execute(index))
        except (apsw.Error, UnicodeDecodeError):
            entries.clear()  # the table has it all
        rows, _ = self.rows(table, "number", 1, NUMBERS)
        entries.update((row[0], row) for row in rows if isinstance(row[1], str))
        return entries, self._numbers(entries)

    def _numbers(self, entries: Iterable[int]) -> set[int]:
        numbers = set(entries)
        for name in filter(self.has, _ORDER):
            key = "job" if name == "leases" else "id"
            shift = 0 if name == "leases" else SHIFT
            last = NUMBERS << shift | (LAST if shift else 0)
            found, _ = self.rows(f"SELECT {key} FROM {name}", key, 1, last)
            numbers.update(row[0] >> shift for row in found)
        return {number for number in numbers if number > 0}

    def beside(self, table: str) -> tuple[list[tuple[Any, ...]], list[tuple[int, int, str]]]:
        """As `rows`, of all that `table` has, one of _BESIDE; an older file has none."""
        if not self.has(table):
            return [], []
        columns = _BESIDE[table]
        last = NUMBERS << SHIFT | LAST if table == "staged" else NUMBERS
        return self.rows(f"SELECT {columns} FROM {table}", columns.partition(",")[0], 1, last)

    def unreachable(self) -> set[int]:
        """Numbers whose rows nobody is to find: of deleted jobs, and of jobs not made yet.

        An entry that there is says otherwise.
        """
        buried = {row[0] for row in self.beside("tombstones")[0] if row[-1] == 0}
        staged = {row[0] >> SHIFT for row in self.beside("staged")[0]}
        return buried | {number for number in staged if not self._has_log(number)}

    def _has_log(self, number: int) -> bool:
        """True unless nothing says that there ever was a commit under that number."""
        base = number << SHIFT
        return any(
            found or failed
            for found, failed in (
                self.rows(f"SELECT id FROM {table}", "id", base, base + LAST)
                for table in filter(self.has, ("commits", "blocks"))
            )
        )

    def has(self, table: str) -> bool:
        """True if the file has that table, and to read it runs nothing that the file says.

        A view and a virtual table are none; a column that is computed is one that we made.
        """
        wanted = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND rootpage > 1"
        if not list(self._connection.execute(wanted, (table,))):
            return False
        columns = self._connection.execute(f"PRAGMA table_xinfo({table})")
        return all(row[6] == 0 or (table, row[1]) in _COMPUTED for row in columns)

    def columns(self, table: str) -> str:
        """Those of TABLES that the file has, but for the seal: an older one has fewer."""
        there = {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}
        wanted = TABLES[table].removesuffix(", seal").split(", ")
        return ", ".join(name for name in wanted if name.strip('"') in there)

    def newest(self, number: int) -> tuple[Any, ...] | None:
        """The note of the job's newest commit, if it can be read and there is one."""
        if not self.has("tips"):
            return None
        try:
            for row in self._connection.execute(
                "SELECT job, seq, digest, seal FROM tips WHERE job = ?", (number,)
            ):
                found: tuple[Any, ...] = row
                return found
        except (apsw.Error, UnicodeDecodeError):
            return None
        return None

    def rows(
        self, select: str, key: str, first: int, last: int
    ) -> tuple[list[tuple[Any, ...]], list[tuple[int, int, str]]]:
        """The rows whose `key` is from `first` to `last`, in order, and the ranges that fail."""
        found: list[tuple[Any, ...]] = []
        gaps: list[tuple[int, int, str]] = []
        low = first
        while low <= last:
            problem = ""
            try:
                for row in self._connection.execute(
                    f"{select} WHERE {key} BETWEEN ? AND ? ORDER BY {key}", (low, last)
                ):
                    if type(row[0]) is int and low <= row[0] <= last:
                        found.append(row)
                        low = row[0] + 1
            except (apsw.Error, UnicodeDecodeError) as error:
                problem = str(error)
            if not problem:
                break
            following = self._next_readable(f"{select} WHERE {key} BETWEEN ? AND ?", low, last)
            gaps.append((low, following - 1, problem))
            low = following
        return found, gaps

    def _next_readable(self, select: str, low: int, last: int) -> int:
        """From where on something, or nothing, is read without an error; `last + 1` if nowhere."""
        bad, step = low, 1
        while not self._readable(select, min(low + step, last), last):
            bad = min(low + step, last)
            if bad == last:
                return last + 1
            step *= 2
        good = min(low + step, last)
        while good - bad > 1:
            middle = (bad + good) // 2
            if self._readable(select, middle, last):
                good = middle
            else:
                bad = middle
        return good

    def _readable(self, select: str, low: int, last: int) -> bool:
        try:
            list(self._connection.execute(f"{select} ORDER BY 1 LIMIT 1", (low, last)))
        except (apsw.Error, UnicodeDecodeError):
            return False
        return True


def _copy_whole(source: _Source, writer: SqliteWriter) -> tuple[Gap, ...]:
    """Copy what is of no one job, as it is: an older file has less of it."""
    gaps: list[Gap] = []
    for table, columns in _OF_NO_JOB.items():
        if source.has(table):
            key = columns.partition(",")[0]
            found, failed = source.rows(f"SELECT {columns} FROM {table}", key, 1, LAST)
            for row in found:
                writer.copy_row(table, columns, row)
            gaps += [Gap(table, *gap) for gap in failed]
    return tuple(gaps)


def _copy_beside(source: _Source, writer: SqliteWriter, numbers: set[int]) -> tuple[Gap, ...]:
    """Copy what is known of jobs beside their rows, once the jobs of these `numbers` are there.

    Tombstones come last: a store that has them takes no job with a lower number.
    """
    gaps: list[Gap] = []
    for table, columns in _BESIDE.items():
        found, failed = source.beside(table)
        shift = SHIFT if table == "staged" else 0
        for row in found:
            if (row[0] >> shift in numbers) != (table == "tombstones"):
                writer.copy_row(table, columns, row)
        gaps += [Gap(table, *gap) for gap in failed]
    return tuple(gaps)


def _copy(
    source: _Source,
    writer: SqliteWriter,
    number: int,
    entry: tuple[Any, ...] | None,
    at_us: int,
) -> Copied:
    """Copy what there is of one job; without an entry all of it goes into the quarantine."""
    job_id = "" if entry is None else entry[1]
    if entry is not None:
        writer.copy_row("jobs", "number, job_id, created_at_us, lifecycle", entry)
    newest = source.newest(number)
    noted = newest[1] if newest and type(newest[1]) is int else LAST
    rows = dict.fromkeys(TABLES, 0)
    gaps: list[Gap] = []
    aside = 0
    for name in filter(source.has, _ORDER):
        columns = source.columns(name)
        key = "job" if name == "leases" else "id"
        base = number if name == "leases" else number << SHIFT
        last = base if name == "leases" else base + LAST
        found, failed = source.rows(f"SELECT {columns} FROM {name}", key, base, last)
        end = noted if name == "commits" else LAST
        gaps += [
            Gap(name, first - base, min(upto - base, end), problem)
            for first, upto, problem in failed
            if first - base <= end
        ]
        for row in found:
            if entry is not None and writer.copy_row(name, columns, row):
                rows[name] += 1
                continue
            reason = "it was found without what it stands on, or is not what it should be"
            writer.copy_aside(name, columns, row, job_id=job_id, reason=reason, at_us=at_us)
            aside += 1
    writer.seal_copies(number, newest)
    return Copied(number, job_id, rows, aside, tuple(gaps))
