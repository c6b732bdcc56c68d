"""Several who have a store open, one after another and at once, and one who dies in a commit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from milepost.errors import StoreError, StoreReadOnly
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock
from milepost.testing.contracts.stores.dying import die
from milepost.testing.contracts.stores.opened import OpenedStore, Opener
from milepost.testing.contracts.stores.rows import filled, held, row

__all__ = ["ReopeningContract"]


class ReopeningContract(OpenedStore):
    """Openers: what was acknowledged is there for each, whoever closed, was killed, or is at it."""

    def test_what_was_acknowledged_is_there_for_the_next_opener(self, opener: Opener) -> None:
        """All of it, as it was, after everybody has closed; closing twice is fine."""
        self.need_sharing()
        with _opened(opener) as store:
            filled(store, "one")
            before = held(store, "one")
            store.close()
        for _ in range(2):
            with _opened(opener) as store:
                assert held(store, "one") == before
                assert store.check() == []
        with _opened(opener) as store, store.writing() as writer:
            job = writer.job("one")
            assert job is not None
            writer.add_row(job.number, row(4))

    def test_closing_twice_is_fine(self, opener: Opener) -> None:
        """Also of a store that nobody has used."""
        store = opener()
        store.close()
        store.close()

    def test_two_openers_see_each_other(self, opener: Opener) -> None:
        """At once: a commit of one is there for the next reader and the next writer of the other.

        What one could not know it may not write over.
        """
        self.need_sharing()
        with _opened(opener) as one, _opened(opener) as other:
            job = filled(one, "one")
            with other.reading() as reader:
                assert reader.job("one") == job
                with one.writing("one") as writer:
                    writer.add_row(job.number, row(4))
                assert [each.seq for each in reader.rows(job.number)] == [1, 2, 3]
            with other.writing("one") as writer:
                tip = writer.tip(job.number)
                assert tip is not None
                assert tip.seq == 4
                writer.add_row(job.number, row(5))
            with pytest.raises(StoreError), one.writing("one") as writer:
                writer.add_row(job.number, row(5))
            with other.writing() as writer:
                second = writer.add_job("two", 5, "digest")
            assert second.number > job.number
            assert held(one, "one") == held(other, "one")

    def test_openers_that_record_at_once_are_all_acknowledged_once(self, opener: Opener) -> None:
        """Four threads, each with an opener of its own, on one job: nothing is lost or doubled."""
        self.need_sharing()
        count, each = 4, 6
        with _opened(opener) as store:
            manager = StateManager(store, clock=FakeClock())
            manager.create_job([f"{n}" for n in range(count * each)], job_id="j")
            manager.fire("j", "start_map")
            errors: list[BaseException] = []

            def work(first: int) -> None:
                try:
                    with _opened(opener) as own:
                        mine = StateManager(own, clock=FakeClock())
                        for n in range(first, first + each):
                            mine.record("j", [ItemEvent(n, "start")])
                            mine.record("j", [ItemEvent(n, "succeed", {"result": n})])
                except BaseException as error:  # noqa: BLE001 raised again below
                    errors.append(error)

            threads = [
                threading.Thread(target=work, args=(number * each,), daemon=True)
                for number in range(count)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if errors:
                raise errors[0]
            assert dict(manager.results("j")) == {f"{n}": n for n in range(count * each)}
            assert manager.verify("j")[0].sound

    def test_one_who_is_killed_in_a_commit_leaves_nothing_of_it(
        self, opener: Opener, request: pytest.FixtureRequest
    ) -> None:
        """Another process dies with a commit half written: what was acknowledged is there, no more.

        The lock of the dead is free.
        """
        self.need_sharing()
        store_url = request.getfixturevalue("store_url")  # what cannot be shared may have none
        with _opened(opener) as store:
            filled(store, "before")
        child = subprocess.run(
            [sys.executable, "-m", die.__module__, store_url],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (child.returncode, child.stdout) == (-signal.SIGKILL, "1 2 3\n"), child.stderr
        with _opened(opener) as store:
            with store.reading() as reader:
                assert reader.job_ids("") == ["before", "died"]
                job = reader.job("died")
                assert job is not None
                assert [each.seq for each in reader.rows(job.number)] == [1, 2, 3]
            with store.writing("died") as writer:
                writer.add_row(job.number, row(4))
            assert store.check() == []

    def test_a_store_that_is_read_only_is_read_and_not_written(self, opener: Opener) -> None:
        """It says so, and what is there stays as it is."""
        self.need_sharing()
        with _opened(opener) as store:
            filled(store, "one")
            before = held(store, "one")
            assert not store.read_only
        with _opened(opener, read_only=True) as store:
            assert store.read_only
            assert held(store, "one") == before
            with pytest.raises(StoreReadOnly), store.writing():
                pass
            with pytest.raises(StoreReadOnly), store.appending("one"):
                pass
            assert held(store, "one") == before

    def test_openers_share_their_time(self, opener: Opener) -> None:
        """Where a store has a clock, all who share it go by one timeline, which never goes back."""
        with _opened(opener) as store:
            clock = store.clock
            if clock is None:
                return
            before = clock.now_us(), clock.monotonic_us()
            assert before[0] > 0
            assert clock.monotonic_us() >= before[1]
            with _opened(opener) as other:
                assert other.clock is not None
                assert other.clock.timeline() == clock.timeline()
                assert other.clock.monotonic_us() >= before[1]

    def test_a_store_says_its_format_and_is_sound(self, store: StateStore) -> None:
        """Made by this code, it has the newest format that there is, and no steps before it."""
        filled(store, "one")
        found = store.format()
        assert (found.version, found.pending) == (found.newest, ())
        assert store.check() == []
        assert store.url

    def test_a_store_is_copied_or_says_why_not(self, store: StateStore, tmp_path: Path) -> None:
        """A copy takes no place of another; a store that is no file may refuse each."""
        filled(store, "one")
        before = held(store, "one")
        copy = tmp_path / "copy.db"
        try:
            size_bytes = store.back_up(copy)
        except StoreError:
            assert not copy.exists()
        else:
            assert size_bytes == copy.stat().st_size > 0
            with pytest.raises(StoreError):
                store.back_up(copy)
        assert held(store, "one") == before

    def test_space_is_given_back_and_nothing_else(self, store: StateStore) -> None:
        """Whether there was any or not, what is left is as it was."""
        gone = filled(store, "gone", 40)
        filled(store, "one")
        before = held(store, "one")
        with store.writing() as writer:
            writer.bury(gone, 5, "old")
        with store.writing() as writer:
            assert writer.erase(gone.number, 1_000, 1_000_000).done
        given = store.vacuum()
        assert given.how
        assert min(given.before_bytes, given.after_bytes) >= 0
        assert held(store, "one") == before
        assert store.check() == []


@contextmanager
def _opened(opener: Opener, *, read_only: bool = False) -> Iterator[StateStore]:
    """The store, closed at the end of the block."""
    store = opener(read_only=read_only)
    try:
        yield store
    finally:
        store.close()
