"""Stores that give back something else than they were given, or not all of it."""

from __future__ import annotations

from itertools import islice
from typing import Any

from msgspec import structs

from milepost.log.rows import GIVEN_BACK, Row

from .passing import InMemory, Passing

OBJECTIONS = {
    "TestCutsWhatIsLarge": "test_each_field_of_a_commit_is_given_back",
    "TestForgetsARenewal": "test_each_field_beside_a_log_is_given_back",
    "TestCountsInBytes": "test_each_field_of_items_is_given_back",
    "TestRoundsTimes": "test_each_field_of_what_is_gone_is_given_back",
    "TestFoldsCase": "test_an_id_that_is_almost_another_is_not_that_other",
    "TestReadsAPageOfRows": "test_a_long_log_is_read_whole",
    "TestReadsAPageOfSpans": "test_all_rows_beside_a_long_log_are_read",
    "TestReadsAPageOfLeases": "test_all_that_many_jobs_have_is_read",
    "TestReadsAPageOfQuarantine": "test_all_that_was_set_aside_is_shown",
}
"""What breaks something, and the test by which it is found out."""


class Cutting(Passing):
    """A writer with columns of 64 KiB."""

    def add_row(self, job: int, row: Row) -> None:
        self.inner.add_row(job, structs.replace(row, body=row.body[: 2**16 - 1]))


class TestCutsWhatIsLarge(InMemory):
    writer = Cutting


class FirstRenewal(Passing):
    """A writer that knows a lease by its holder and its fence."""

    def put_lease(self, job: int, lease: Any) -> None:
        old = self.inner.lease(job)
        if (
            old is None
            or (old.owner, old.fence) != (lease.owner, lease.fence)
            or GIVEN_BACK in (old.ttl_us, lease.ttl_us)
        ):
            self.inner.put_lease(job, lease)


class TestForgetsARenewal(InMemory):
    writer = FirstRenewal


class InBytes(Passing):
    """A writer that has two bytes for a count."""

    def stage(self, staged: Any) -> None:
        self.inner.stage(structs.replace(staged, count=staged.count & 0xFFFF))


class TestCountsInBytes(InMemory):
    writer = InBytes


class Rounding(Passing):
    """A writer that keeps times as floats."""

    def bury(self, job: Any, deleted_at_us: int, reason: str) -> None:
        self.inner.bury(job, int(float(deleted_at_us)), reason)


class TestRoundsTimes(InMemory):
    writer = Rounding


class Folding(Passing):
    """A reader whose index of ids has a collation."""

    def has_job(self, job_id: str) -> bool:
        return any(e.job_id.casefold() == job_id.casefold() for e in self.inner.entries())


class TestFoldsCase(InMemory):
    reader = Folding


_PAGE = 1_000


class PageOfRows(Passing):
    """A reader that gives the first page for all."""

    def rows(self, *given: Any, **how: Any) -> Any:
        return islice(self.inner.rows(*given, **how), _PAGE)


class TestReadsAPageOfRows(InMemory):
    reader = PageOfRows


class PageOfSpans(Passing):
    """A reader that reads the last one of a page again with the next page."""

    def spans(self, *given: Any) -> Any:
        found = list(self.inner.spans(*given))
        return iter([*found[:_PAGE], *found[_PAGE - 1 :]])


class TestReadsAPageOfSpans(InMemory):
    reader = PageOfSpans


class PageOfLeases(Passing):
    """A reader that passes over the first one behind a page."""

    def leased(self, *given: Any) -> Any:
        found = list(self.inner.leased(*given))
        return iter([*found[:_PAGE], *found[_PAGE + 1 :]])


class TestReadsAPageOfLeases(InMemory):
    reader = PageOfLeases


class PageOfQuarantine(Passing):
    """A reader that gives a page in the order in which it came."""

    def quarantine(self, *given: Any) -> Any:
        found = list(self.inner.quarantine(*given))
        return iter([*found[_PAGE:], *found[:_PAGE]])


class TestReadsAPageOfQuarantine(InMemory):
    reader = PageOfQuarantine
