"""A mover that dies at every boundary of its transactions, in either store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from milepost import ItemEvent, RetentionPolicy, StateManager
from milepost.errors import CommitUnknown
from milepost.state.keeping import moving, retention
from milepost.state.persistence import open_store
from milepost.state.writing import staging
from milepost.testing import FakeClock
from milepost.testing.watching import WatchedStore
from tests.crash.dying import Died, Fate, How
from tests.integration.moved import content, known
from tests.postgres import needs_postgres, new_url

JOBS = ("one", "two")
ENDED_STAY = RetentionPolicy(completed=None, failed=None, cancelled=None)


def tell(where: str | Path, clock: FakeClock, jobs: tuple[str, ...] = JOBS) -> None:
    """Jobs of some commits, with a checkpoint, one of which has ended."""
    with StateManager.open(where, durability="process", clock=clock) as manager:
        for job_id in jobs:
            manager.create_job(["a", "b"], job_id=job_id, config={"has_reduce": False})
            manager.fire(job_id, "start_map")
            manager.record(job_id, [ItemEvent("a", "start"), ItemEvent("b", "start")])
            manager.record(job_id, [ItemEvent("a", "succeed", {"result": job_id})])
            manager.create_checkpoint(job_id)
        manager.record("one", [ItemEvent("b", "succeed", {"result": 1})])
        manager.fire("one", "finish_map")


class Trial:
    """Two stores, what was in the first, and movers between them."""

    def __init__(self, source: str, target: str, clock: FakeClock) -> None:
        self.source, self.target, self.clock = source, target, clock
        with self.opened(source) as manager:
            self.jobs = tuple(manager.job_ids())
            self.before = {job: content(manager._store, job) for job in self.jobs}

    @contextmanager
    def opened(self, where: str) -> Iterator[StateManager]:
        with StateManager.open(where, durability="process", clock=self.clock) as manager:
            yield manager

    def moved(self, monkeypatch: pytest.MonkeyPatch, fate: Fate) -> bool:
        """Move until death; True if that did not come."""
        with monkeypatch.context() as patched, self.opened(self.source) as manager:

            def opened(to: Any, **how: Any) -> Any:
                return WatchedStore(open_store(to, durability="process", **how), fate)

            patched.setattr(moving, "open_store", opened)
            mover = StateManager(WatchedStore(manager._store, fate), clock=self.clock)
            try:
                done = mover.upkeep.move(self.target, apply=True)
            except (Died, CommitUnknown):
                return False
        assert {job.outcome for job in done.jobs} <= {"moved"}, done
        return True

    def look(self) -> None:
        """What others see and do after a death: one driver of each job at most, and none lost.

        Collectors and writers of both stores take away what they may, a month later.
        """
        self.clock.advance(30 * 86_400)
        with self.opened(self.source) as here, self.opened(self.target) as there:
            for job in self.jobs:
                homes = [known(here, job), known(there, job)]
                assert homes != [True, True], f"{job} is driven in both stores"
                for manager, is_home in zip((here, there), homes, strict=True):
                    if is_home:
                        assert content(manager._store, job) == self.before[job]
            here.collect(here.plan_retention(ENDED_STAY))
            for name, manager in (("here", here), ("there", there)):
                manager.create_job(["x"], job_id=f"later-{name}")  # which sweeps what was left
                assert all(one.sound for one in manager.verify())
                assert manager.upkeep.check_store() == []

    def check(self) -> None:
        """After a mover that lived: all of it is there, nothing of it here."""
        with self.opened(self.source) as here, self.opened(self.target) as there:
            assert not any(known(here, job) for job in self.jobs)
            assert {job: content(there._store, job) for job in self.jobs} == self.before
            for manager in (here, there):
                with manager._store.reading() as reader:
                    assert (reader.staged(), reader.tombstones_left()) == ([], [])
                    assert list(reader.strays()) == []
                assert all(one.sound for one in manager.verify())


def sweep(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: How,
    *,
    jobs: tuple[str, ...] = JOBS[:1],
    url: str = "",
    back: bool = False,
    first: int = 1,
) -> int:
    """Die at each boundary in turn, from the `first` on; how many there are.

    With `url`, the target is there, or the source if the way is `back`.
    """
    monkeypatch.setattr(moving, "BATCH_ROWS", 4)
    monkeypatch.setattr(moving, "pause", lambda: None)
    told = folder / f"{how}.db"
    tell(told, FakeClock(), jobs)
    for nth in count(first):
        clock = FakeClock()
        clock.advance(3_600)
        path, other = str(folder / f"{how}-{nth}.db"), str(folder / f"{how}-{nth}-other.db")
        if back:
            path = new_url(url)
            tell(path, clock, jobs)
        else:
            shutil.copy(told, path)
            other = new_url(url) if url else other
        trial = Trial(path, other, clock)
        with trial.opened(other):
            pass
        lived = trial.moved(monkeypatch, Fate(nth, how))
        trial.look()
        assert trial.moved(monkeypatch, Fate(10**6, how))
        trial.check()
        if lived:
            return nth - 1
    raise AssertionError("count() has no end")


@pytest.mark.parametrize("how", ["before", "after", "unknown"])
def test_wherever_a_mover_dies_the_next_one_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: How
) -> None:
    """Every boundary: one driver at most, nothing lost to collectors, all of it there at last."""
    assert sweep(tmp_path, monkeypatch, how) >= 10


def test_the_same_with_another_job_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has gone when the mover dies that has the other under way."""
    assert sweep(tmp_path, monkeypatch, "after", jobs=JOBS, first=12) >= 20


@needs_postgres
@pytest.mark.parametrize("back", [False, True], ids=["to a server", "from a server"])
def test_the_same_with_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str, *, back: bool
) -> None:
    """From where nearly all has arrived, which is where the two stores meet."""
    assert sweep(tmp_path, monkeypatch, "after", url=postgres, back=back, first=7) >= 10


def test_the_sweep_finds_a_job_that_is_in_both_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: there first, and then gone here."""

    def there_first(self: Any, standing: Any, copy: Any) -> None:
        with self._store.writing() as writer:
            self._publish(writer, copy)
        with self._source.store.writing() as leaving:
            if leaving.job(standing.job.job_id) is not None:
                left = moving.Departure(self._url, copy.job.number, copy.seq, copy.digest)
                leaving.bury(standing.job, 0, left.reason())

    monkeypatch.setattr(moving.Movement, "_let_go", there_first)
    with pytest.raises(AssertionError, match="is driven in both stores"):
        sweep(tmp_path, monkeypatch, "after")


def test_the_sweep_finds_collectors_that_know_nothing_of_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what is on its way is taken for leftovers on both sides."""
    monkeypatch.setattr(retention, "departure_of", lambda _: None)
    monkeypatch.setattr(staging, "is_whole", lambda _: False)
    with pytest.raises((AssertionError, StopIteration)):
        sweep(tmp_path, monkeypatch, "after")
