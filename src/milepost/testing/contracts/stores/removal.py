"""What a store promises about deleting: tombstones, numbers, erasing in bounded steps."""

from __future__ import annotations

import pytest

from milepost.log.rows import Staged, StoredJob, StoredKeep, Tombstone
from milepost.stores.protocol import StateStore
from milepost.testing.contracts.stores.everything import prepared, said_of
from milepost.testing.contracts.stores.opened import OpenedStore
from milepost.testing.contracts.stores.rows import filled

__all__ = ["RemovalContract"]


def _erased(store: StateStore, number: int, rows: int = 100, size_bytes: int = 10_000) -> list[int]:
    """How many rows each step of an erasure took, until it was done."""
    steps = []
    while True:
        with store.writing() as writer:
            part = writer.erase(number, rows, size_bytes)
        steps.append(part.rows)
        if part.done:
            return steps


def _buried(store: StateStore, job: StoredJob, at_us: int = 50) -> None:
    with store.writing() as writer:
        writer.bury(job, at_us, "completed")


class RemovalContract(OpenedStore):
    """Deleting: tombstones, numbers that never come again, erasing in bounded steps."""

    def test_a_buried_job_is_not_found_and_its_id_is_free(self, store: StateStore) -> None:
        """The entry, the lease and the keep are gone at once; a tombstone says what was there."""
        job = filled(store, "one")
        with store.reading() as reader:
            assert reader.has_job("one")
        _buried(store, job)
        with store.reading() as reader:
            assert (reader.job("one"), reader.has_job("one")) == (None, False)
            assert reader.job_ids("") == []
            assert list(reader.tips()) == []
            assert (reader.lease(job.number), reader.keep(job.number)) == (None, None)
            assert reader.having("keep") == reader.having("held") == set()
            assert reader.tombstone("one") == Tombstone(job.number, "one", 50, "completed", False)
            assert reader.tombstone("two") is None
            assert [t.job_id for t in reader.tombstones_left()] == ["one"]
        again = filled(store, "one")
        assert again.number > job.number
        with store.reading() as reader:
            assert [row.seq for row in reader.rows(again.number)] == [1, 2, 3]
            assert reader.keep(again.number) == StoredKeep(7, "why", 3)
        _buried(store, again, 60)
        with store.reading() as reader:
            newest = reader.tombstone("one")
            assert newest == Tombstone(again.number, "one", 60, "completed", False)
            assert [t.number for t in reader.tombstones_left()] == [job.number, again.number]

    def test_a_number_is_never_given_twice(self, store: StateStore) -> None:
        """Not after the newest job is deleted, and not after tombstones are forgotten."""
        seen = []
        for _ in range(4):
            job = filled(store, "one")
            seen.append(job.number)
            _buried(store, job)
            _erased(store, job.number)
            with store.writing() as writer:
                writer.forget_tombstones(1_000, 100)
        assert seen == sorted(set(seen))
        with store.reading() as reader:
            newest = reader.tombstone("one")
            assert newest is not None
            assert newest.number == seen[-1]

    @pytest.mark.parametrize(
        ("rows", "size_bytes", "steps"),
        [
            (100, 10_000, [9]),
            (3, 10_000, [3, 3, 3, 0]),
            (100, 25, [3, 3, 3]),
            (1, 1, [1] * 9 + [0]),
        ],
    )
    def test_erasing_is_bounded_in_rows_and_bytes(
        self, store: StateStore, rows: int, size_bytes: int, steps: list[int]
    ) -> None:
        """Each step takes so many rows, or the first of so many bytes, of that job alone."""
        job, other = filled(store, "one"), filled(store, "two")
        _buried(store, job)
        assert _erased(store, job.number, rows, size_bytes) == steps
        with store.reading() as reader:
            assert reader.sizes(job.number).total_bytes == 0
            assert reader.tombstones_left() == []
            assert [row.seq for row in reader.rows(other.number)] == [1, 2, 3]
            assert len(list(reader.checkpoints(other.number))) == 3
            assert len(list(reader.inputs(other.number))) == 1
            assert list(reader.key_segments(job.number, 0, 9)) == []
            assert len(list(reader.key_segments(other.number, 0, 9))) == 1
            assert [staged.number for staged in reader.staged()] == [other.number]
        assert _erased(store, job.number) == [0]  # doing it again is fine

    def test_nothing_is_left_of_a_job_that_was_erased(self, store: StateStore) -> None:
        """Of none of its tables, and what was taken is what was stored of it."""
        job = prepared(store)
        with store.reading() as reader:
            sizes = reader.sizes(job.number)
            assert reader.sizes_of(job.number, job.number) == {job.number: sizes.total_bytes}
        with store.writing() as writer:
            none = said_of(writer, writer.add_job("empty", 5, "digest").number)
        assert not any(each for what, each in none.items() if what != "sizes")
        assert none["sizes"].total_bytes == 0
        _buried(store, job)
        rows = freed_bytes = 0
        done = False
        while not done:
            with store.writing() as writer:
                part = writer.erase(job.number, 2, 10_000)
            rows, freed_bytes, done = rows + part.rows, freed_bytes + part.size_bytes, part.done
        stored = sizes.commits + sizes.checkpoints + sizes.inputs_rows + sizes.keys_rows
        assert rows == stored + sizes.spans + 1, "the staging is one more"
        assert freed_bytes == sizes.total_bytes
        with store.reading() as reader:
            assert said_of(reader, job.number) == none

    def test_a_job_that_has_an_entry_is_never_erased(self, store: StateStore) -> None:
        """Bury first: the guard is in the store too."""
        job = filled(store, "one")
        with pytest.raises(ValueError, match="bury it first"), store.writing() as writer:
            writer.erase(job.number, 100, 100)
        with store.reading() as reader:
            assert len(list(reader.rows(job.number))) == 3

    def test_tombstones_are_forgotten_but_for_the_newest_and_the_unfinished(
        self, store: StateStore
    ) -> None:
        """What is forgotten has nothing left of it, and never is the highest number."""
        jobs = [filled(store, name) for name in ("one", "two", "three", "four")]
        for job in jobs:
            _buried(store, job)
        for job in (jobs[0], jobs[1], jobs[3]):
            _erased(store, job.number)
        with store.writing() as writer:
            assert writer.forget_tombstones(50, 100) == 0  # none is from before
            assert writer.forget_tombstones(51, 1) == 1
            assert writer.forget_tombstones(51, 100) == 1
        with store.reading() as reader:
            left = [reader.tombstone(name) is not None for name in ("one", "two", "three", "four")]
            assert left == [False, False, True, True]

    def test_a_number_that_was_reserved_is_that_of_the_job_whatever_was_deleted_meanwhile(
        self, store: StateStore
    ) -> None:
        """What is staged keeps a number; one that was given never comes again."""
        with store.writing() as writer:
            number = writer.reserve()
            writer.stage(Staged(number, 0, 1, "token", 1))
        job = filled(store, "meanwhile")
        assert job.number > number
        _buried(store, job)
        _erased(store, job.number)
        with store.writing() as writer:
            assert writer.reserve() > job.number
            assert writer.add_job("slow", 1, "digest", number).number == number
            assert writer.unstage("token") == 1
            assert writer.add_job("next", 1, "digest").number > job.number
