"""What a reader or a writer of a store sees: one moment, its own changes, nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from milepost.stores.protocol import Reader, StateStore
from milepost.testing.contracts.stores.everything import change_all, prepared, said, said_of
from milepost.testing.contracts.stores.opened import OpenedStore
from milepost.testing.contracts.stores.rows import aside

__all__ = ["MomentContract"]


class MomentContract(OpenedStore):
    """Moments: all that a reader says is of one, and what did not come to its end is not there."""

    def test_all_that_a_reader_says_is_of_one_moment(self, store: StateStore) -> None:
        """INV-READ: of each method, whatever was committed since the reader began."""
        job = prepared(store)
        with store.reading() as reader:
            before = said(reader, job.number)
            with store.writing() as writer:
                change_all(writer, job)
            assert said(reader, job.number) == before
        with store.reading() as reader:
            after = said(reader, job.number)
        assert [what for what, found in after.items() if found == before[what]] == []

    def test_what_is_read_step_by_step_is_of_one_moment_too(self, store: StateStore) -> None:
        """Several readings of one reader take turns, and a writer comes between their steps.

        Whoever has read a part waits for nobody, and lets nobody wait.
        """
        job = prepared(store)

        def begun(reader: Reader) -> list[Iterator[object]]:
            number = job.number
            return [
                *(reader.rows(number), reader.rows(number, 1), reader.checkpoints(number)),
                *(reader.spans(number), reader.inputs(number), reader.tips(), reader.leased()),
            ]

        with store.reading() as reader:
            whole = [list(each) for each in begun(reader)]
            steps = begun(reader)
            found = [[next(each, None)] for each in steps]
            with store.writing() as writer:
                change_all(writer, job)
            left = list(zip(found, steps, strict=True))
            while left:
                left = [(seen, each) for seen, each in left if _went_on(seen, each)]
            assert found == whole

    def test_a_writer_sees_all_that_it_has_written(self, store: StateStore) -> None:
        """By each method, as a reader does once it is committed."""
        job = prepared(store)
        with store.writing() as writer:
            change_all(writer, job)
            own = said(writer, job.number)
        with store.reading() as reader:
            assert own == said(reader, job.number)

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    @pytest.mark.parametrize("way", ["writing", "appending"])
    def test_nothing_is_left_of_a_commit_that_raised(
        self, store: StateStore, way: str, error: type[BaseException]
    ) -> None:
        """In no table, whatever was raised, which comes out as it was; the next one may write."""
        job = prepared(store)
        with store.reading() as reader:
            before = said(reader, job.number)
        raised = error("in the midst of it")
        with pytest.raises(error) as met, getattr(store, way)() as writer:
            change_all(writer, job)
            raise raised
        assert met.value is raised
        with store.reading() as reader:
            assert said(reader, job.number) == before
        with store.writing() as writer:
            change_all(writer, job)
        with store.reading() as reader:
            assert said(reader, job.number) != before

    def test_readers_wait_for_nobody_and_see_no_half_of_a_commit(self, store: StateStore) -> None:
        """INV-READ: those that begin while another reads, and while one writes, in other threads.

        Each of them has half the time in which a test may be at rest.
        """
        job = prepared(store)
        met: list[dict[str, Any]] = []

        def look() -> None:
            with store.reading() as reader:
                met.append(said(reader, job.number))

        def looked(beside: str) -> None:
            thread = threading.Thread(target=look, daemon=True)
            thread.start()
            thread.join(self.patience_s / 2)
            assert not thread.is_alive(), f"a reader waits for a {beside}"

        with store.reading() as reader:
            before = said(reader, job.number)
            looked("reader")
        with store.writing() as writer:
            change_all(writer, job)
            looked("writer")
        assert met == [before, before]

    def test_what_is_changed_of_a_job_is_of_that_job(self, store: StateStore) -> None:
        """The job beside it, which has rows of the same seqs and places, stays as it is."""
        job = prepared(store)
        with store.reading() as reader:
            other = reader.job("two")
            assert other is not None
            before = said_of(reader, other.number)
        number = job.number
        with store.writing() as writer:
            writer.remove_checkpoint(number, 2)
            writer.drop_state(number, 1)
            writer.put_keep(number, None)
            writer.unstage("one")
            for source in ("inputs", "checkpoints", "leases", "commits"):
                aside(writer, number, source)
            writer.drop_spans(number)
            writer.bury(job, 5, "old")
        with store.writing() as writer:
            assert writer.erase(number, 1_000, 1_000_000).done
        with store.reading() as reader:
            assert said_of(reader, other.number) == before


def _went_on(seen: list[object], reading: Iterator[object]) -> bool:
    """Take the next one of a reading; False at its end."""
    for each in reading:
        seen.append(each)
        return True
    return False
