"""Reading a log a passage at a time: no transaction is open while the caller does something else.

A reader in the middle of a transaction keeps the store from using the space of its log again,
however little it reads. So what is streamed is read in batches, each in a transaction of its own,
and is of one moment all the same: a log is only ever appended to, so the commits up to the newest
of that moment are the same commits later, which its digest attests. What may have happened
meanwhile is looked for each time: the job is gone, or was repaired, or stands in blocks now.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final, TypeVar

from milepost.errors import StateError
from milepost.log.rows import Row, StoredJob, StoredSpan
from milepost.state.reading.loading import Loader, Reached
from milepost.stores.protocol import Reader

__all__ = ["Passages"]

_T = TypeVar("_T")

_FIRST: Final = 64
_MOST: Final = 4096
_GROWTH: Final = 4
_BYTES: Final = 1024 * 1024
_AT_ONCE: Final = 16
_SMALL_BYTES: Final = 4096


class Passages:
    """The commits that one state of a job stands on. One thread at a time reads them.

    `rows` is as a Reader's; it may be used while a passage is open, and goes on where it was in
    the next.
    """

    def __init__(self, loader: Loader, job: StoredJob, state: Reached) -> None:
        self._loader = loader
        self._job = job
        self._newest = state.seq, state.digest
        self._reader: Reader | None = None
        self._open: set[Iterator[Row]] = set()
        self._read_bytes = 0

    def rows(
        self, job: int, after: int = 0, upto: int | None = None, *, bodies: bool = False
    ) -> Iterator[Row]:
        """The rows with `after < seq <= upto`, in order; their bodies only if asked for."""
        if upto is None or upto - after > 1:
            return self._going_on(job, after, upto, bodies=bodies)
        found = list(self._now.rows(job, after, upto, bodies=bodies))
        self._read_bytes += sum(len(row.body) for row in found)
        return iter(found)

    def spans(self, job: int, after: int = 0) -> Iterator[StoredSpan]:
        """The index of the log, as of this passage."""
        return iter(list(self._now.spans(job, after)))

    def _going_on(self, job: int, after: int, upto: int | None, *, bodies: bool) -> Iterator[Row]:
        """Rows across passages."""
        while True:
            found = self._now.rows(job, after, upto, bodies=bodies)
            self._open.add(found)
            try:
                for row in found:
                    after = row.seq
                    self._read_bytes += len(row.head) + len(row.body)
                    yield row
                    if found not in self._open:  # this passage is over
                        break
                else:
                    return
            finally:
                self._open.discard(found)

    @property
    def _now(self) -> Reader:
        assert self._reader is not None, "rows are read within a passage"
        return self._reader

    def batches(self, entries: Generator[_T]) -> Iterator[list[_T]]:
        """The output of `entries`, which asks for rows as it goes, read ahead a batch at a time.

        A batch is of few entries at first and of up to 4,096 later, and ends when a mebibyte was
        read for it. What was read before an error is given before it is raised. Raises JobAbsent,
        JobReplaced, LogCorrupt where the job is not any more what it was.
        """
        size = _FIRST
        ended = False
        failure: StateError | None = None
        try:
            while not ended and failure is None:
                batch: list[_T] = []
                try:
                    with self._passage():
                        ended = self._fill(batch, entries, size)
                except StateError as error:
                    failure = error
                yield batch
                size = min(size * _GROWTH, _MOST)
        finally:
            entries.close()
        if failure is not None:
            raise failure

    def _fill(self, batch: list[_T], entries: Iterator[_T], size: int) -> bool:
        """Add the next of `entries` to `batch`; True if there are no more."""
        self._read_bytes = 0
        while len(batch) < size and self._read_bytes < _BYTES:
            count = len(batch)
            few = _AT_ONCE if self._read_bytes < count * _SMALL_BYTES else 1
            batch.extend(islice(entries, few))
            if len(batch) < count + few:
                return True
        return False

    @contextmanager
    def _passage(self) -> Iterator[None]:
        """A transaction in which rows can be read; a cursor that is left open would prolong it."""
        with self._loader.store.reading() as reader:
            self._check(reader)
            self._reader = reader
            try:
                yield
            finally:
                self._reader = None
                while self._open:
                    found = self._open.pop()
                    if isinstance(found, Generator):
                        found.close()

    def _check(self, reader: Reader) -> None:
        """Raise unless the log still begins with the commits that were there at first."""
        seq, digest = self._newest
        log = self._loader.log(reader, self._job.job_id)
        log.check_same(self._job.number, "what is being read")
        if reader.newest(log.number) == self._newest:
            return
        if [row.digest for row in log.rows(seq - 1, seq)] != [digest]:
            problem = "it was repaired, or damaged, while it was read: begin again"
            raise log.corrupt(seq, problem)
