"""Histories of threads on one store are lawful, and those of broken stores are objected to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from milepost import ItemEvent, StateManager
from milepost.errors import (
    CommitUnknown,
    LeaseHeld,
    LeaseLost,
    MilepostError,
    StoreError,
    TransitionRefused,
)
from milepost.state.persistence import StateStore, Writer, open_store
from milepost.state.writing import lease as leases
from milepost.stores.memory import MemoryStore
from milepost.testing.histories import (
    Append,
    Entry,
    History,
    Read,
    check_history,
    departures,
    recorded,
)
from milepost.testing.watching import TakenBack, Transaction, WatchedStore

control = pytest.mark.control("histories")


REFUSED = (CommitUnknown, LeaseHeld, LeaseLost, StoreError, TransitionRefused)
"""What an actor on a faulty store, or beside others, may meet with."""


def work(store: StateStore, folder: Path, *, items: int = 12, actors: int = 3) -> History:
    """The history of actors with a manager each.

    They write to one job as they like, and to another while they hold it, and look at both.
    """

    def manager(actor: str) -> StateManager:
        return StateManager(recorded(store, folder / f"{actor}.history", actor))

    keys = [f"{actor} {n}" for actor in range(actors) for n in range(items)]
    made = manager("the maker")
    for job_id in ("open", "held"):
        made.create_job(keys, job_id=job_id)
        made.fire(job_id, "start_map")

    def act(number: int) -> None:
        own = manager(f"actor {number}")
        for n in range(items):
            key = f"{number} {n}"
            with suppress(*REFUSED):
                own.record("open", [ItemEvent(key, "start")])
            with suppress(*REFUSED):
                own.get_state("open")
                own.get_state("held")
            with suppress(*REFUSED), own.lease("held", f"{number}", renewed=False):
                own.record("held", [ItemEvent(key, "start")])

    with ThreadPoolExecutor(actors) as threads:
        for one in [threads.submit(act, number) for number in range(actors)]:
            one.result()
    return History.of(folder.glob("*.history"))


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    with closing(
        MemoryStore() if request.param == "memory" else open_store(tmp_path / "s.db")
    ) as s:
        yield s


def test_what_threads_do_is_lawful(
    store: StateStore, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    checked = check_history(work(store, tmp_path), store)
    assert min(checked.counts.values()) > 20
    record_property("counted", ("histories", {"histories": 1}))
    record_property("counted about", ("histories", checked.counts))


class _Faulty:
    """The watch of a store below the recorder. Each method does nothing until a fault is put in."""

    def __init__(self, **faults: Callable[..., None]) -> None:
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return self._faults.get(name, lambda *_: None)


def test_an_outcome_that_nobody_knows_is_lawful_either_way(tmp_path: Path) -> None:
    """Some commits are not made, others are, and their actor hears neither."""
    numbers = count()

    def unknown(_: Transaction) -> None:
        number = next(numbers)
        if number > 10 and number % 5 == 0:
            raise CommitUnknown(url="", problem="the line is dead")

    inner = MemoryStore()
    faulty = WatchedStore(inner, _Faulty(commits=unknown, committed=unknown))
    checked = check_history(work(faulty, tmp_path), inner)
    assert checked.unknown > 3


@control
def test_a_commit_that_was_acknowledged_and_lost_is_objected_to(tmp_path: Path) -> None:
    """What a disk does that says that it has written and has not."""
    numbers = count()

    def lose(made: Transaction) -> None:
        if made.rows and next(numbers) == 9:
            raise TakenBack

    inner = MemoryStore()
    history = work(WatchedStore(inner, _Faulty(commits=lose)), tmp_path)
    with pytest.raises(AssertionError, match=r"^commit .* acknowledged at .* is not in the log"):
        check_history(history, inner)


@control
def test_a_commit_that_is_made_twice_is_objected_to(tmp_path: Path) -> None:
    class Doubling(MemoryStore):
        @contextmanager
        def writing(self, *jobs: str) -> Iterator[Any]:
            with super().writing(*jobs) as writer:
                yield _Twice(writer)

        appending = writing  # type: ignore[assignment]

    class _Twice:
        def __init__(self, inner: Writer) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def add_row(self, job: int, row: Any) -> None:
            self._inner.add_row(job, row)
            if row.seq == 2:
                self._inner.add_row(job, structs.replace(row, seq=3))

    inner = Doubling()
    with suppress(MilepostError):
        work(inner, tmp_path)
    (said, *_) = departures(History.of(tmp_path.glob("*.history")), inner)
    assert "of job number 1 is in the log twice: it is commit 2" in said


@control
def test_a_read_of_what_is_past_is_objected_to(tmp_path: Path) -> None:
    class Stale(MemoryStore):
        """Readers see what the twentieth saw, and no more."""

        seen: Any = None
        readings = 0

        @contextmanager
        def reading(self) -> Iterator[Any]:
            with super().reading() as now:
                self.readings += 1
                if self.readings == 20:
                    self.seen = now
                yield self.seen or now

    inner = Stale()
    history = work(inner, tmp_path)
    stale = [
        said for said in departures(history, MemoryStore(), whole=False) if "; there was" in said
    ]
    assert "end with commit" in stale[0]


@control
def test_a_writer_without_a_fence_is_objected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the control nothing is objected to: a refusal leaves a record, and no more."""
    for fence in (True, False):
        folder = tmp_path / f"{fence}"
        folder.mkdir()
        inner = MemoryStore()
        one, two = (
            StateManager(recorded(inner, folder / f"{name}.history", name))
            for name in ("one", "two")
        )
        one.create_job(["a"], job_id="j")
        one.fire("j", "start_map")
        if not fence:
            monkeypatch.setattr(leases, "_is_current", lambda *_: True)
        with one.lease("j", "one", renewed=False):
            with (
                two.lease("j", "two", takeover="it stood still", renewed=False),
                suppress(LeaseLost),
            ):
                one.record("j", [ItemEvent("a", "start")])
            found = departures(History.of(folder.glob("*.history")), inner)
        assert len(found) == (0 if fence else 1), found
        assert fence or "two had taken the job from it" in found[0]


def _entry(seq: int, fence: int = 0) -> Entry:
    return Entry(1, seq, f"{seq:032x}", fence, ("items start",))


@control
def test_an_order_that_is_not_that_of_time_is_objected_to() -> None:
    late = Append("a", 0, 10, "acknowledged", (_entry(2),))
    early = Append("b", 20, 30, "acknowledged", (_entry(1),))
    found = departures(History((late, early), ()), MemoryStore(), whole=False)
    objection = "it stands before one that was acknowledged before it was asked for"
    assert any(objection in each for each in found)
    beside = early._replace(asked_ns=5)
    found = departures(History((late, beside), ()), MemoryStore(), whole=False)
    assert not any(objection in each for each in found)


@control
def test_a_reader_that_goes_back_is_objected_to() -> None:
    reads = (Read("a", 0, 1, 1, 5, ""), Read("b", 2, 3, 1, 4, ""))
    (said,) = departures(History((), reads), MemoryStore(), whole=False)
    assert said.endswith(
        "; before that, a read from 0.000 ms to 0.000 ms and saw job number 1 end with commit 5"
    )


def test_a_history_of_nothing_is_told_of(tmp_path: Path) -> None:
    """A name that is misspelt, or a store that nobody used, would be in order as it is."""
    with pytest.raises(FileNotFoundError, match="`recorded` writes is not there"):
        History.of([tmp_path / "frist.history"])
    recorded(MemoryStore(), tmp_path / "first.history", "first")
    with pytest.raises(AssertionError, match="no operation in it, so there was nothing to check"):
        check_history(History.of([tmp_path / "first.history"]), MemoryStore())
