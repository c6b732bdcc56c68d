"""Jobs that items were added to, met by forks, diffs, scopes, limits, versions and collectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from milepost import ItemEvent, JobAbsent, JobState, RetentionPolicy, Scope, StateManager
from milepost.errors import ItemAbsent, JobReplaced, TooLarge
from milepost.state.limits import Limits
from milepost.state.writing import staging
from milepost.testing import FakeClock
from tests.integration.upgrades.versions import MIGRATED, compiled
from tests.stateful.observing import folded_from_nothing

DONE = {"result": 1}
AT_ONCE = RetentionPolicy(
    completed=timedelta(0), failed=timedelta(0), cancelled=timedelta(0), tombstones=timedelta(0)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def manager(path: Path) -> Iterator[StateManager]:
    with StateManager.open(path, durability="process", clock=FakeClock()) as opened:
        opened.create_job({"a": 1, "b": 2}, job_id="j")
        yield opened


def keys(state: JobState) -> list[str]:
    return [state.inputs.key(ordinal) for ordinal in range(state.items.count)]


def many_lives(manager: StateManager) -> None:
    """Items added, undone, added otherwise, and worked on; others still coming in."""
    manager.fire("j", "start_map")
    manager.add_items("j", {"c": 3})
    manager.record("j", [ItemEvent("c", "start")])
    manager.record("j", [ItemEvent("c", "succeed", {"result": "undone"})])
    manager.apply(manager.plan_rewind("j", 2))
    manager.add_items("j", {"d": 4, "e": 5})
    manager.record("j", [ItemEvent("d", "start")])
    manager.record("j", [ItemEvent("d", "succeed", DONE)])
    manager.create_checkpoint("j")


def test_a_fork_has_the_items_of_its_moment_as_its_own(manager: StateManager, path: Path) -> None:
    """Those that were added, at the places that the facts name, and what was undone; no others."""
    many_lives(manager)
    source = manager.get_state("j")
    manager.add_items("j", {"later": 1})
    fork = manager.fork("j", source.seq, "f")
    assert keys(fork) == keys(source) == ["a", "b", "d", "e"]
    assert (fork.spans, fork.fingerprint) == (source.spans, source.fingerprint)
    with closing(apsw.Connection(str(path))) as connection:
        (found,) = connection.execute("SELECT count(*) FROM inputs WHERE id >> 40 = ?", (2,))
        assert found == (3,), "the first items, those that were undone, and those that were not"
        (found,) = connection.execute("SELECT count(*) FROM key_segments WHERE id >> 40 = 2")
        assert found == (3,)
    manager.fire("j", "cancel")
    manager.collect(manager.plan_retention(AT_ONCE))
    with pytest.raises(JobAbsent):
        manager.get_state("j")
    with StateManager.open(path, read_only=True) as cold:
        fork = cold.get_state("f")
        assert keys(fork) == ["a", "b", "d", "e"]
        assert fork.inputs.ordinal("e") == 3
        assert dict(cold.results("f")) == {"d": 1}
        assert cold.verify("f")[0].problems == ()
        assert folded_from_nothing(str(path), "f") == fork
    assert keys(manager.add_items("f", {"more": 1})) == ["a", "b", "d", "e", "more"]
    with pytest.raises(ItemAbsent):
        manager.record("f", [ItemEvent("c", "start")])
    assert manager.verify("f")[0].problems == ()


@pytest.mark.parametrize("compacted", [False, True])
def test_a_fork_of_a_job_that_took_items_along_when_it_went_back(
    manager: StateManager, path: Path, *, compacted: bool
) -> None:
    """A phase again undoes what was done and keeps who was added: at places that they had before.

    Other stores than a file's hold each place once by themselves, so a file's is looked at here.
    """
    manager.add_items("j", {"c": 3, "d": 4})
    manager.fire("j", "start_map")
    manager.apply(manager.recover_from_checkpoint("j", scope=Scope.again("setup")))
    manager.add_items("j", {"e": 5})
    manager.apply(manager.recover_from_checkpoint("j", scope=Scope.again("setup")))
    manager.add_items("j", {"f": 6})
    if compacted:
        manager.upkeep.compact("j", apply=True)
    source = manager.get_state("j")
    for seq in range(1, source.seq + 1):
        there, fork = manager.state_at("j", seq), manager.fork("j", seq, f"at-{seq}")
        assert keys(fork) == keys(there)
        values = [fork.inputs.value(ordinal) for ordinal in range(fork.items.count)]
        assert values == list(range(1, fork.items.count + 1))
        assert manager.verify(fork.id)[0].problems == ()
        assert folded_from_nothing(str(path), fork.id) == fork
        assert fork.inputs.ordinal(keys(there)[-1]) == fork.items.count - 1
    assert keys(fork) == ["a", "b", "c", "d", "e", "f"]


def test_a_fork_and_a_version_each_take_them_along(path: Path) -> None:
    """The change of version is a fact with a snapshot in it, which a fork is given as its own."""
    version = compiled(MIGRATED)
    with StateManager.open(path, clock=FakeClock(), lifecycle=version.first) as old:
        old.create_job({"a": 1}, job_id="j")
        old.add_items("j", {"b": 2})
    opened = StateManager.open(
        path, clock=FakeClock(), lifecycle=version.lifecycle, earlier=[version.first]
    )
    with opened as manager:
        assert keys(manager.get_state("j")) == ["a", "b"]
        state = manager.add_items("j", {"c": 3})  # with the change of version in one commit
        assert state.lifecycle is version.lifecycle
        assert keys(state) == ["a", "b", "c"]
        fork = manager.fork("j", state.seq, "f")
        assert (keys(fork), fork.lifecycle) == (["a", "b", "c"], version.lifecycle)
        assert keys(manager.add_items("f", {"d": 4})) == ["a", "b", "c", "d"]
        assert [report.problems for report in manager.verify()] == [(), ()]
    with StateManager.open(path, read_only=True, lifecycle=version.lifecycle) as alone:
        assert keys(alone.get_state("j")) == ["a", "b", "c"], "the change carries the state"
        assert keys(alone.get_state("f")) == ["a", "b", "c", "d"]


def test_a_diff_names_what_came_in_and_what_a_rewind_took_away(manager: StateManager) -> None:
    """An ordinal that another item has by now is not taken for the same."""
    many_lives(manager)
    seqs = [event.seq for event in manager.get_state_history("j") if event.kind == "added"]
    came = manager.diff("j", seqs[0] - 1, seqs[0])
    assert (list(came.items_added), list(came.items_removed), came.empty) == (["c"], [], False)
    assert not came.moved
    undone = manager.diff("j", seqs[0] + 2, seqs[1])
    assert list(undone.items_removed) == ["c"]
    assert list(undone.items_added) == ["d", "e"]
    assert not undone.moved
    assert not undone.item_context
    assert manager.diff("j", seqs[1], seqs[1]).empty


def test_a_plan_that_goes_back_is_about_the_items_of_that_moment(manager: StateManager) -> None:
    """INV-PLAN: its parts are a partition of the items that the job will have."""
    many_lives(manager)
    plan = manager.plan_rewind("j", 4)  # where there was `c`
    assert plan.after.items.count == 3
    assert sorted(key for part in plan.parts.values() for key in part) == ["a", "b", "c"]
    assert list(plan.undone) == ["d"]
    assert list(plan.in_flight) == ["c"]
    state = manager.apply(plan)
    assert keys(state) == ["a", "b", "c"]
    assert keys(manager.get_state("j")) == keys(manager.state_at("j", state.seq))
    assert manager.verify("j")[0].problems == ()


def test_a_phase_done_again_keeps_the_items_that_it_was_given(
    manager: StateManager, path: Path
) -> None:
    """The work is undone, and what was added stays: the phase takes items."""
    many_lives(manager)
    before = manager.get_state("j")
    plan = manager.recover_from_checkpoint("j", scope=Scope.again("map"))
    assert list(plan.undone) == ["d"]
    assert sorted(plan.to_do) == ["a", "b", "d", "e"]
    state = manager.apply(plan)
    assert keys(state) == keys(before) == ["a", "b", "d", "e"]
    assert (state.fingerprint, state.spans) == (before.fingerprint, before.spans)
    assert (state.phase, state.progress.pending) == ("map", 4)
    assert list(manager.results("j")) == []
    again = manager.apply(manager.recover_from_checkpoint("j", scope=Scope.again("setup")))
    assert (again.phase, keys(again)) == ("setup", ["a", "b", "d", "e"])
    assert folded_from_nothing(str(path), "j") == again
    assert manager.verify("j")[0].problems == ()


def test_scopes_choose_among_added_items(manager: StateManager) -> None:
    """By key and by glob, across what was undone in between."""
    many_lives(manager)
    for scope, chosen in [
        (Scope.keys("e", "a"), ["a", "e"]),
        (Scope.globs("[d-e]"), ["d", "e"]),
        (Scope.globs("c"), []),
    ]:
        plan = manager.recover_from_checkpoint("j", scope=scope)
        inside = [key for name, part in plan.parts.items() if name != "outside" for key in part]
        assert sorted(inside) == chosen
    with pytest.raises(ItemAbsent):
        manager.recover_from_checkpoint("j", scope=Scope.keys("c"))


def test_sizes_and_limits_know_them(path: Path) -> None:
    """What was undone is told by ordinal: the item of that ordinal may be another."""
    limits = Limits(value_max_bytes=100)
    with StateManager.open(path, clock=FakeClock(), limits=limits) as manager:
        manager.create_job({"a": 1, "b": 2}, job_id="j")
        with pytest.raises(TooLarge, match="item 'big'"):
            manager.add_items("j", {"small": 1, "big": "x" * 100})
        with pytest.raises(TooLarge, match="item 'big'"):
            manager.create_job({"big": "x" * 100}, job_id="k")
        many_lives(manager)
        places = [large.place for large in manager.sizes("j", largest=100).largest]
        assert "input of 'e'" in places
        assert "result of item 2 at seq 5" in places
        assert any(place.startswith("result of 'd' at seq") for place in places)


@pytest.mark.parametrize("replaced", [True, False])
def test_a_job_that_is_deleted_while_items_come_in_takes_none(
    manager: StateManager, path: Path, monkeypatch: pytest.MonkeyPatch, *, replaced: bool
) -> None:
    """Whatever has its id by then is left alone, and nothing of the list stays."""
    monkeypatch.setattr(staging, "_BATCH_BYTES", 1)

    def coming() -> Iterator[str]:
        yield from (f"n{n}" for n in range(3000))
        manager.fire("j", "cancel")
        manager.collect(manager.plan_retention(AT_ONCE))
        if replaced:
            manager.create_job(["other"], job_id="j")

    with pytest.raises(JobReplaced if replaced else JobAbsent):
        manager.add_items("j", coming())
    if replaced:
        assert keys(manager.get_state("j")) == ["other"]
    with closing(apsw.Connection(str(path))) as connection:
        for table in ("staged", "inputs", "key_segments"):
            (left,) = connection.execute(f"SELECT count(*) FROM {table} WHERE id >> 40 = 1")
            assert left == (0,), table


def test_a_job_may_have_the_number_that_was_kept_for_it_after_others_were_deleted(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its items were staged under it; the numbers of the deleted are not given again."""
    monkeypatch.setattr(staging, "_BATCH_BYTES", 1)

    def coming() -> Iterator[str]:
        yield from (f"n{n}" for n in range(3000))
        manager.create_job(["x"], job_id="meanwhile")
        manager.fire("meanwhile", "cancel")
        manager.collect(manager.plan_retention(AT_ONCE))

    state = manager.create_job(coming(), job_id="slow")
    assert (state.number, state.items.count) == (2, 3000)
    assert manager.create_job(["y"], job_id="next").number == 4
    assert [report.problems for report in manager.verify()] == [(), (), ()]
