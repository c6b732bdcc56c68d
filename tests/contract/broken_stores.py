"""Stores that break what they promise, each in one way: no suite may pass on them.

pytest collects this file only where it is named, as test_controls.py does, and those like it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from milepost import StateStore
from milepost.log.rows import Row
from milepost.state.persistence import open_store
from milepost.testing.contracts import Opener, StoreContract

from .passing import InMemory, Passing

OBJECTIONS = {
    "TestRemembersIds": "test_a_buried_job_is_not_found_and_its_id_is_free",
    "TestRemembersTips": "test_what_is_set_aside_is_kept_in_the_quarantine",
    "TestLosesARow": "test_what_was_acknowledged_is_there_for_the_next_opener",
    "TestTakesAStaleFence": "test_a_row_that_does_not_follow_is_refused[add_row-fence]",
    "TestTakesAnyFenceOfMany": "test_a_row_that_does_not_follow_is_refused[add_rows-fence]",
    "TestTakesAGap": "test_a_row_that_does_not_follow_is_refused[add_row-gap]",
    "TestBeginsAnywhere": "test_a_log_begins_with_its_first_commit",
    "TestGivesANumberTwice": "test_a_number_is_never_given_twice",
    "TestIgnoresMoved": "test_what_relies_on_a_log_that_has_moved_on_is_not_written",
    "TestHasOneMarkForAll": "test_a_mark_is_found_again_only_where_nobody_wrote_in_between",
    "TestTakesIdsForPatterns": "test_an_id_is_a_text_and_nothing_else",
    "TestErasesAllAtOnce": "test_erasing_is_bounded_in_rows_and_bytes[3-10000-steps1]",
    "TestErasesUncounted": "test_nothing_is_left_of_a_job_that_was_erased",
    "TestReservesWhatIsStaged": "test_what_is_staged_is_told_anew",
    "TestSetsAsideToTheEnd": "test_what_is_set_aside_is_within_bounds",
    "TestClosesOnce": "test_closing_twice_is_fine",
}
"""What breaks something, and the test by which it is found out."""


class TestLosesARow(StoreContract):
    """The newest row of each log, once somebody opens it again."""

    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'jobs.db'}"

    @pytest.fixture
    def opener(self, store_url: str) -> Opener:
        def opened(*, read_only: bool = False) -> StateStore:
            store = open_store(store_url)
            with store.writing() as writer:
                for tip in list(writer.tips()):
                    said = {"job_id": tip.job.job_id, "reason": "lost", "at_us": 1}
                    writer.set_aside(tip.job.number, "commits", first=tip.row.seq, **said)
            return store

        return opened


class AnyFence(Passing):
    """A writer that takes a fence of before."""

    def add_row(self, job: int, row: Row) -> None:
        last = self.inner.tip(job)
        fence = max(row.fence, last.fence if last else 0)
        self.inner.add_row(job, structs.replace(row, fence=fence))


class TestTakesAStaleFence(InMemory):
    writer = AnyFence


class AnySeq(Passing):
    """A writer that takes a row wherever it belongs."""

    def add_row(self, job: int, row: Row) -> None:
        last = self.inner.tip(job)
        self.inner.add_row(job, structs.replace(row, seq=last.seq + 1 if last else 1))


class TestTakesAGap(InMemory):
    writer = AnySeq


class LowestNumber(Passing):
    """A writer that forgets the numbers of deleted jobs."""

    def add_job(
        self, job_id: str, created_at_us: int, lifecycle: str, number: int | None = None
    ) -> Any:
        lowest = max((entry.number for entry in self.inner.entries()), default=0) + 1
        return self.inner.add_job(job_id, created_at_us, lifecycle, number or lowest)


class TestGivesANumberTwice(InMemory):
    writer = LowestNumber


class OneMark(Passing):
    """A writer of a store whose content always has the same name."""

    mark = 7


class TestHasOneMarkForAll(InMemory):
    writer = OneMark


class TestIgnoresMoved(InMemory):
    """Its marks tell nothing, as they may, and it takes on trust on what somebody relies."""

    writer = OneMark


class Patterns(Passing):
    """A reader that has a language of queries find ids."""

    def job_ids(self, prefix: str, *given: Any, **how: Any) -> Any:
        pattern = re.escape(prefix).replace("%", ".*").replace("_", ".")
        found = self.inner.job_ids("", *given, **how)
        return [job_id for job_id in found if re.match(pattern, job_id, re.DOTALL)]


class TestTakesIdsForPatterns(InMemory):
    reader = Patterns


class AllAtOnce(Passing):
    """A writer that erases a job while everybody waits."""

    def erase(self, number: int, rows: int, size_bytes: int) -> Any:
        del rows, size_bytes
        return self.inner.erase(number, 1_000_000, 1_000_000_000)


class TestErasesAllAtOnce(InMemory):
    writer = AllAtOnce


class AnyFenceOfMany(AnyFence):
    """The same of rows that come many at once, where one by one they are looked at."""

    def add_rows(self, job: int, rows: list[Row]) -> None:
        for each in rows:
            super().add_row(job, each)

    def add_row(self, job: int, row: Row) -> None:
        self.inner.add_row(job, row)


class TestTakesAnyFenceOfMany(InMemory):
    writer = AnyFenceOfMany


class AnyBeginning(Passing):
    """A writer that looks at what a row follows, and not at what follows nothing."""

    def add_row(self, job: int, row: Row) -> None:
        self.inner.add_row(job, row if self.inner.tip(job) else structs.replace(row, seq=1))


class TestBeginsAnywhere(InMemory):
    writer = AnyBeginning


class Uncounted(Passing):
    """A writer that takes away the index of a log beside what it is asked for."""

    def erase(self, number: int, rows: int, size_bytes: int) -> Any:
        if number in self.inner.buried:
            self.inner.drop_spans(number)
        return self.inner.erase(number, rows, size_bytes)


class TestErasesUncounted(InMemory):
    writer = Uncounted


class OfEntries(Passing):
    """A writer that reserves by the entries and tombstones alone."""

    def reserve(self) -> int:
        taken = [entry.number for entry in self.inner.entries()]
        return max([*taken, *self.inner.tombstones], default=0) + 1


class TestReservesWhatIsStaged(InMemory):
    writer = OfEntries


class ToTheEnd(Passing):
    """A writer that knows where to begin, and not where to end."""

    def set_aside(self, number: int, source: str, **how: Any) -> Any:
        return self.inner.set_aside(number, source, **{**how, "upto": None})


class TestSetsAsideToTheEnd(InMemory):
    writer = ToTheEnd


class ClosesOnce(Passing):
    """A store that gives back what it has given back already."""

    is_open = True

    def close(self) -> None:
        assert self.is_open
        self.is_open = False


class TestClosesOnce(InMemory):
    store_kind = ClosesOnce


class RemembersIds(Passing):
    """A store that keeps in mind which ids are taken, and forgets none."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.taken: set[str] = set()

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield RemembersIdsReader(reader, self.taken)


class RemembersIdsReader(Passing):
    def __init__(self, reader: Any, taken: set[str]) -> None:
        super().__init__(reader)
        self.taken = taken

    def has_job(self, job_id: str) -> bool:
        if self.inner.has_job(job_id):
            self.taken.add(job_id)
        return job_id in self.taken


class TestRemembersIds(InMemory):
    store_kind = RemembersIds


class RemembersTips(Passing):
    """A store that keeps the newest row of each log in mind, which only ever becomes newer."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.tips: dict[int, Row] = {}

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield RemembersTipsReader(reader, self.tips)


class RemembersTipsReader(Passing):
    def __init__(self, reader: Any, tips: dict[int, Row]) -> None:
        super().__init__(reader)
        self.tips_known = tips

    def tip(self, job: int) -> Row | None:
        found, known = self.inner.tip(job), self.tips_known.get(job)
        if found is not None and (known is None or found.seq > known.seq):
            self.tips_known[job] = known = found
        return known


class TestRemembersTips(InMemory):
    store_kind = RemembersTips
