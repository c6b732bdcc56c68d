"""What a read holds of the log: until its end, whatever is done meanwhile, and no longer."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType

import apsw

import milepost
from milepost import ItemEvent, JobState, StateManager
from milepost.stores.sqlite import marks
from milepost.stores.sqlite.ofd import is_taken
from milepost.stores.sqlite.store import SqliteStore
from tests.stores.peeking import read
from tests.stores.test_one_moment import another, db  # noqa: F401 a fixture

MARKS = (123, 5)
"""The bytes of the locks, and how many."""

OURS = str(Path(milepost.__file__).parent)

FEWEST = 20
"""How many calls a read makes at least to lock a mark and to give it back."""


class Interrupting:
    """Raises KeyboardInterrupt the `nth` time that Python looks for signals in the marks' code.

    That is at the begin of a function, and behind a call of one that is not in Python.
    """

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        if event in ("call", "c_return") and frame.f_code.co_filename == marks.__file__:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


class Handling:
    """Acts the `nth` time that Python looks for signals in code of ours, as a handler would."""

    def __init__(self, act: Callable[[], object], nth: int) -> None:
        self.act, self.left = act, nth

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        if event in ("call", "c_return") and OURS in frame.f_code.co_filename:
            self.left -= 1
            if self.left == 0:
                sys.setprofile(None)
                self.act()


@contextmanager
def interrupted(nth: int) -> Iterator[Interrupting]:
    interrupting = Interrupting(nth)
    sys.setprofile(interrupting)
    try:
        with suppress(KeyboardInterrupt):
            yield interrupting
    finally:
        sys.setprofile(None)


def moved_in(db: Path) -> tuple[int, int]:  # noqa: F811
    """How many frames are in the log, and how many of them are in the file once it is checked in.

    By the SQLite of the store, which knows what the store has locked by it.
    """
    with closing(apsw.Connection(str(db))) as connection:
        ((_, frames, moved),) = connection.execute("PRAGMA wal_checkpoint")
        return frames, moved


def test_a_read_keeps_all_that_was_committed_before_it_free_to_be_moved_in(db: Path) -> None:  # noqa: F811
    """Or who reads without a pause would keep the log from being begun anew for ever."""
    with StateManager.open(db) as manager, closing(SqliteStore(db)) as store:
        for key in ("k0", "k1", "k2"):
            manager.record("j", [ItemEvent(key, "start")])
            with store.reading() as reader:
                assert reader.newest(1) is not None
                frames, moved = moved_in(db)
                assert moved == frames > 0
                manager.record("k", [ItemEvent(key, "start")])
                assert moved_in(db) == (moved_in(db)[0], moved), "what came after it is not"


def test_a_store_that_is_closed_lets_a_read_end(db: Path) -> None:  # noqa: F811
    """What it reads is of one moment; then the file is left to others, who tidy it up."""
    with another(db) as record:
        store = SqliteStore(db)
        with store.reading() as reader:
            noted = reader.newest(1)
            store.close()
            read(db)
            for _ in range(5):
                record()
            assert noted is not None
            assert max(row.seq for row in reader.rows(1)) == noted[0]
    assert [file.name for file in db.parent.iterdir()] == [db.name]


def test_an_interrupt_leaves_no_mark_locked(db: Path) -> None:  # noqa: F811
    """Wherever it comes: the log can be moved in and begun anew."""
    with StateManager.open(db) as manager, closing(SqliteStore(db)) as store:
        handle = os.open(f"{db}-shm", os.O_RDWR)
        nth = 0
        over = False
        while not over:
            nth += 1
            manager.record("j", [ItemEvent(f"k{nth}", "start")])  # there is a mark to bring up
            with interrupted(nth) as interrupting, store.reading() as reader:
                reader.newest(1)
            over = interrupting.left > 0
            assert not is_taken(handle, *MARKS), f"the {nth}. time"
        os.close(handle)
        assert nth > FEWEST


def test_a_signals_handler_may_look_at_a_job_wherever_it_comes(db: Path) -> None:  # noqa: F811
    """In the midst of a look at it, too: it waits for nothing that it interrupted."""
    with StateManager.open(db) as manager, StateManager.open(db) as other:
        handling = Handling(lambda: seen.append(manager.get_state("j")), 0)
        seen: list[JobState] = []

        def look() -> None:
            sys.setprofile(handling)
            try:
                seen.append(manager.get_state("j"))
            finally:
                sys.setprofile(None)

        nth = 0
        while handling.left <= 0:
            nth += 1
            noted = other.record("j", [ItemEvent(f"k{nth}", "start")])
            handling.left, seen[:] = nth, []
            thread = threading.Thread(target=look, daemon=True)
            thread.start()
            thread.join(60)
            assert not thread.is_alive(), f"it hangs, the {nth}. time"
            assert {state.seq for state in seen} == {noted.seq}
        assert nth > FEWEST


def test_the_child_of_a_fork_leaves_a_read_to_its_parent(db: Path) -> None:  # noqa: F811
    with another(db) as record, closing(SqliteStore(db)) as store:
        child = -1
        try:
            with store.reading() as reader:
                noted = reader.newest(1)
                child = os.fork()
                if child:
                    os.waitpid(child, 0)
                    read(db)
                    record()
                    assert noted is not None
                    assert max(row.seq for row in reader.rows(1)) == noted[0]
        finally:
            if child == 0:
                os._exit(0)
