"""Which jobs there are: by ranges of the index of ids, or a step of the table at a time.

No answer rests on one B-tree alone, of which a damaged page may lack rows and look whole: ids are
read from their index and from the table, and the table beside the notes of the newest commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Protocol, TypeAlias

from milepost.errors import StoreUnreadable
from milepost.log.rows import GIVEN_BACK, StoredJob
from milepost.stores.sqlite.schema import NUMBERS
from milepost.stores.unreadable import OnError

__all__ = ["ENTRY", "IDS", "NUMBERED", "JobLister", "Noted", "numbers_of", "range_of"]

ENTRY: Final = "SELECT number, job_id, created_at_us, lifecycle, seal FROM jobs"

IDS: Final = "sqlite_autoindex_jobs_1"
"""The index of ids, by the name that SQLite gives to that of the first UNIQUE."""

_GIVEN: Final = "SELECT value FROM json_each(?)"

NUMBERED: Final = "json_each(?) AS given"
"""A table of numbers, `given.value`, in the order that they are given in, as JSON."""

_LEASED: Final = f"SELECT job FROM leases WHERE ttl_us IS NOT {GIVEN_BACK}"
_STEP: Final = 128
_FIRST_STEP: Final = 16
_FIRST_SURROGATE: Final = 0xD800
_LAST_CHARACTER: Final = chr(0x10FFFF)

_Columns = tuple[Any, ...]  # Any: what is in the file, whichever types it has

Noted: TypeAlias = tuple[StoredJob, _Columns]
"""An entry, and the note of its newest commit."""


class _Select(Protocol):
    def __call__(self, sql: str, values: tuple[object, ...] = ()) -> Iterator[_Columns]: ...


class JobLister:
    """Lists the entries of one moment.

    `entry` makes one of its columns, or raises StoreUnreadable; `unreadable` makes that error.
    """

    def __init__(
        self,
        select: _Select,
        entry: Callable[[_Columns], StoredJob],
        unreadable: Callable[[str, str], StoreUnreadable],
    ) -> None:
        self._select = select
        self._entry = entry
        self._unreadable = unreadable

    def count(self, prefix: str) -> int:
        """How many ids begin with `prefix`. Raises StoreUnreadable where index and table differ.

        Cost: the range of the index, and a look at the id of each entry, by SQLite: 60 ns a job.
        """
        where, bounds = range_of(prefix)
        listed = f"SELECT count(*) FROM main.jobs INDEXED BY {IDS} {where}"
        stored = f"SELECT count(*) FROM main.jobs NOT INDEXED {where}"
        ((in_index,),) = self._select(listed, bounds)
        ((in_table,),) = self._select(stored, bounds)
        if in_index != in_table:
            problem = f"lists {in_index} jobs where there are {in_table} entries"
            raise self._unreadable("the index of jobs", problem)
        return int(in_index)

    def of(self, prefix: str, on_error: OnError, limit: int | None = None) -> list[StoredJob]:
        """The entries whose id begins with `prefix`, in order of creation.

        With `limit`, the first so many by id, in order of their ids. Cost: as `count`, and the
        entries that are found.
        """
        where, bounds = range_of(prefix)
        index = f"SELECT job_id, number FROM main.jobs INDEXED BY {IDS} {where} ORDER BY job_id"
        table = f"{ENTRY} {where.replace('job_id', '+job_id')} ORDER BY "
        if limit is None:
            table += "number"
        else:
            index += f" LIMIT {limit:d}"
            table += f"+job_id LIMIT {limit:d}"
        listed: dict[str, int] = dict(self._select(index, bounds))
        stored = list(self._select(table, bounds))
        if not all(isinstance(job_id, str) for job_id in listed):
            raise self._unreadable("the index of jobs", "has columns of other types")
        ids = [row[1] for row in stored if isinstance(row[1], str)]
        ends = [max(some) for some in (listed, ids) if limit and len(some) >= limit]
        end = min(ends, default=None)  # cut by the limit, they are compared as far as both go
        found: list[StoredJob] = []
        for row in stored:
            number = listed.pop(row[1], None)
            if end is not None and isinstance(row[1], str) and row[1] > end:
                continue
            try:
                found.append(self._entry(row))
            except StoreUnreadable as error:
                on_error(error)
                continue
            if number != row[0]:
                on_error(self._unreadable("the index of jobs", f"does not lead to job {row[1]}"))
        self._not_stored((one for one in listed if end is None or one <= end), on_error)
        return found

    def noted(self, prefix: str, on_error: OnError, *, newest_first: bool) -> Iterator[list[Noted]]:
        """Entries with the note of their newest commit, `()` where there is none, in steps.

        In order of creation, or the newest first. Cost: with a prefix, as `of`; without one, what
        is asked for, a step of 16 to 128 entries at a time.
        """
        if not prefix:
            yield from self._all(on_error, newest_first=newest_first)
            return
        found = iter(self.of(prefix, on_error)[:: -1 if newest_first else 1])
        for some in _steps():
            step = list(islice(found, some))
            if not step:
                return
            notes = self._notes(f"IN ({_GIVEN})", (numbers_of(step),))
            yield [(job, notes.get(job.number, ())) for job in step]

    def leased(self, on_error: OnError) -> Iterator[list[Noted]]:
        """As `noted`, the jobs alone whose lease was not given back.

        Cost: those, a step at a time, and a pass over the leases by SQLite.
        """
        return self._all(on_error, newest_first=False, of=_LEASED)

    def _all(self, on_error: OnError, *, newest_first: bool, of: str = "") -> Iterator[list[Noted]]:
        """The table in order, each step of it beside the notes of the same numbers.

        A number that has a note and no entry is looked for in the index, which would have it too.
        """
        only = f"WHERE number IN ({of}) " if of else ""
        entries = self._select(f"{ENTRY} {only}ORDER BY number{' DESC' if newest_first else ''}")
        low, high = 0, NUMBERS + 1  # the numbers that are still to come by
        for some in _steps():
            rows = list(islice(entries, some))
            first, end = low, high
            if len(rows) < some:
                low = high
            elif newest_first:
                first = high = min(rows[-1][0], high)
            else:
                end = low = max(rows[-1][0] + 1, low)
            notes = self._notes(">= ? AND job < ?", (first, end), of)
            self._look_for(notes.keys() - {row[0] for row in rows}, on_error)
            step: list[Noted] = []
            for row in rows:
                try:
                    job = self._entry(row)
                except StoreUnreadable as error:
                    on_error(error)
                else:
                    step.append((job, notes.get(job.number, ())))
            yield step
            if low >= high:
                return

    def _notes(self, condition: str, values: _Columns, of: str = "") -> dict[int, _Columns]:
        """By number, the note of the newest commit of each job whose number is so, and is in `of`.

        Those in `of` are gone through first: nothing is read of others, however many are between.
        """
        among = f"({of} AND job {condition}) AS those CROSS JOIN tips USING (job)" if of else ""
        where = "" if of else f" WHERE job {condition}"
        notes = f"SELECT tips.job, tips.seq, tips.digest, tips.seal FROM {among or 'tips'}{where}"
        return {row[0]: row[1:] for row in self._select(notes, values)}

    def _look_for(self, numbers: set[int], on_error: OnError) -> None:
        """Tell of jobs that the index has, by numbers of which the table has none."""
        if numbers:
            index = self._select(f"SELECT job_id, number FROM main.jobs INDEXED BY {IDS}")
            self._not_stored((job_id for job_id, n in index if n in numbers), on_error)

    def _not_stored(self, job_ids: Iterable[str], on_error: OnError) -> None:
        for job_id in job_ids:
            problem = "is in the index and not in the table"
            on_error(self._unreadable(f"the entry of job {job_id}", problem))


def numbers_of(jobs: Iterable[StoredJob]) -> str:
    """The numbers of the jobs, to be bound to the one parameter of `NUMBERED`."""
    return f"[{','.join(str(job.number) for job in jobs)}]"


def _steps() -> Iterator[int]:
    """How many jobs to read at a time: few at first, since most who ask want few."""
    some = _FIRST_STEP
    while True:
        yield some
        some = min(2 * some, _STEP)


def range_of(prefix: str) -> tuple[str, tuple[str, ...]]:
    """The condition on the ids that begin with `prefix`, a range of the index, and its bounds.

    SQLite compares the bytes of UTF-8, whose order is that of the characters. The end of the range
    is `prefix` with its last character raised by one, past the surrogates, of which no text is
    made. The last character that there is cannot be raised: then the one before it is.
    """
    stem = prefix.rstrip(_LAST_CHARACTER)
    if not stem:
        return ("WHERE job_id >= ?", (prefix,)) if prefix else ("", ())
    above = ord(stem[-1]) + 1
    end = stem[:-1] + chr(0xE000 if above == _FIRST_SURROGATE else above)
    return "WHERE job_id >= ? AND job_id < ?", (prefix, end)
