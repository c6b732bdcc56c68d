"""A collector that dies at every boundary of its transactions, before a commit and after it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import ItemEvent, RetentionPolicy, StateManager
from milepost.errors import CommitUnknown
from milepost.state.keeping import collecting
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from milepost.testing.watching import WatchedStore
from tests.crash.dying import Died, Fate, How

NOW = RetentionPolicy(completed=timedelta(0), failed=None, cancelled=timedelta(0), checkpoints=1)
GONE, STAY = ("done-1", "done-2", "cancelled"), ("failed", "active")


def rest() -> None:
    """Nobody waits."""


def tell(path: Path, clock: FakeClock) -> None:
    """Three jobs that go, one that stays and has a checkpoint too many, and one that is active."""
    with StateManager.open(path, durability="process", clock=clock) as manager:
        for job_id in (*GONE, *STAY):
            manager.create_job(["a", "b"], job_id=job_id, config={"has_reduce": False})
            manager.fire(job_id, "start_map")
            manager.record(job_id, [ItemEvent(n, "start") for n in "ab"])
            results = [ItemEvent(n, "succeed", {"result": f"{job_id}/{n}"}) for n in "ab"]
            manager.record(job_id, results)
            manager.create_checkpoint(job_id)
            manager.create_checkpoint(job_id)
        manager.fire("done-1", "finish_map")
        manager.fire("done-2", "finish_map")
        manager.fire("cancelled", "cancel")
        manager.fire("failed", "fail", {"cause": "error", "message": "m"})


def collected(path: Path, clock: FakeClock, nth: int, how: How) -> bool:
    """Collect until death at the nth commit; True if there were fewer."""
    store = WatchedStore(open_store(path, durability="process"), Fate(nth, how))
    manager = StateManager(store, clock=clock)
    try:
        manager.collect(manager.plan_retention(NOW), batch_rows=3, rest=rest)
    except (Died, CommitUnknown):
        return False
    finally:
        manager.close()
    return True


def check_between(path: Path, clock: FakeClock) -> set[str]:
    """What others see after a death: each job whole, or not at all. Gives those that are gone."""
    with StateManager.open(path, create=False, durability="process", clock=clock) as manager:
        there = set(manager.job_ids())
        assert there >= set(STAY)
        for verification in manager.verify():
            assert verification.sound, verification.problems
        for job_id in there:
            assert dict(manager.results(job_id)) == {n: f"{job_id}/{n}" for n in "ab"}
        gone = set(GONE) - there
        for job_id in gone:  # the id is free at once, and meets nothing of the old job
            assert manager.create_job(["new"], job_id=job_id).seq == 1
            manager.fire(job_id, "start_map")
            assert dict(manager.results(job_id)) == {}
            assert manager.list_checkpoints(job_id) == []
        return gone


def check_after(path: Path, gone: set[str]) -> None:
    """One collector that lived: rows only of jobs that are there, and of all of those."""
    raw = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    numbers = {n for (n,) in raw.execute("SELECT number FROM jobs")}
    assert {n for (n,) in raw.execute("SELECT id >> 40 FROM commits")} == numbers
    assert {n for (n,) in raw.execute("SELECT id >> 40 FROM inputs")} == numbers
    assert {n for (n,) in raw.execute("SELECT id >> 40 FROM checkpoints")} <= numbers
    assert not list(raw.execute("SELECT 1 FROM tombstones WHERE erased = 0"))
    assert {j for (j,) in raw.execute("SELECT job_id FROM tombstones")} == set(GONE)
    raw.close()
    with StateManager.open(path, create=False, read_only=True) as manager:
        assert set(manager.job_ids()) == {*STAY, *gone}
        assert len(manager.list_checkpoints("failed")) == 1
        assert len(manager.list_checkpoints("active")) == 2
        assert all(verification.sound for verification in manager.verify())


def sweep(folder: Path, how: How) -> int:
    """Die at each boundary in turn; how many there are."""
    for nth in count(1):
        clock = FakeClock()
        path = folder / f"{how}-{nth}.db"
        tell(path, clock)
        lived = collected(path, clock, nth, how)
        gone = check_between(path, clock)
        assert lived or collected(path, clock, 10_000, "after")
        check_after(path, gone)
        if lived:
            return nth - 1
    raise AssertionError("count() has no end")


@pytest.mark.parametrize("how", ["before", "after", "unknown"])
def test_wherever_a_collector_dies_the_next_one_finishes(tmp_path: Path, how: How) -> None:
    """Every boundary: jobs are whole or invisible, ids are free, nothing is left behind."""
    assert sweep(tmp_path, how) >= 3 * 4 + 2  # for each: the tombstone, and its rows by threes


def test_the_sweep_finds_a_collector_without_tombstones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: rows first and the entry last leaves half a job to be seen."""

    def rows_first(
        loader: Any, clock: Any, plan: Any, verdict: Any, reason: Any, done: Any
    ) -> bool:
        del clock, plan, reason
        with loader.store.writing() as writer:
            writer._execute(
                "DELETE FROM commits WHERE id = (SELECT max(id) FROM commits WHERE id >> 40 = ?)",
                (verdict.number,),
            )
        with loader.store.writing() as writer:
            writer.bury(writer.job(verdict.job_id), 0, "")
        done.deleted.append(verdict.job_id)
        return True

    monkeypatch.setattr(collecting, "_bury", rows_first)
    with pytest.raises(AssertionError):
        sweep(tmp_path, "after")


def test_the_sweep_finds_a_collector_that_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what another began must be finished."""

    def forgetful(*given: Any) -> Any:
        plan = planned(*given)
        return type(plan)(policy=plan.policy, made_at=plan.made_at, verdicts=plan.verdicts, left=())

    from milepost.state.manager import work

    planned = work.plan_retention
    monkeypatch.setattr(work, "plan_retention", forgetful)
    with pytest.raises(AssertionError):
        sweep(tmp_path, "after")
