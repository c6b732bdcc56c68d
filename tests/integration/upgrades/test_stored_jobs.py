"""Jobs that were left under an earlier version of their lifecycle, taken up under the next one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ItemEvent, JobState, Scope, StateManager, StateStore
from milepost.errors import LifecycleChanged, RecordConflict
from milepost.executors import run
from milepost.lifecycles import mapreduce_v1
from milepost.machine import Lifecycle
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.integration.upgrades.versions import (
    BREAKING,
    COMPATIBLE,
    MIGRATED,
    REFUSED,
    RENAMED,
    compiled,
)

ITEMS = [f"item {n}" for n in range(6)]


def manager_of(
    store: StateStore, lifecycle: Lifecycle, *earlier: Lifecycle, clock: FakeClock | None = None
) -> StateManager:
    return StateManager(store, lifecycle=lifecycle, earlier=earlier, clock=clock or FakeClock())


def begun(store: StateStore, job_id: str = "job", **config: object) -> JobState:
    """A job of version 1 in the midst of map: done, failed, running and pending items."""
    manager = manager_of(store, mapreduce_v1.LIFECYCLE)
    manager.create_job(ITEMS, job_id=job_id, config=config, variables={"a": [1]})
    manager.fire(job_id, "start_map", {"variables": {"b": 2}})
    manager.record(job_id, [ItemEvent(n, "start") for n in range(4)])
    manager.record(job_id, [ItemEvent(0, "succeed", {"result": {"of": 0}})])
    return manager.record(
        job_id,
        [
            ItemEvent(1, "fail", {"cause": "error", "message": "no"}),
            ItemEvent(2, "succeed", {"result": 2}),
        ],
    )


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return open_store(tmp_path / "jobs.db")


def finished(manager: StateManager) -> JobState:
    """The job run to its end."""
    with ThreadPoolExecutor(2) as pool:
        outcome = run(manager, "job", lambda item: item.key, list, executor=pool, workers=2)
    return outcome.state


@pytest.mark.parametrize("text", [COMPATIBLE, MIGRATED], ids=["compatible", "migrated"])
def test_a_job_goes_on_under_the_next_version(store: StateStore, text: str) -> None:
    """It is shown under the new version at once; the first write records the change, once."""
    before = begun(store)
    version = compiled(text)
    manager = manager_of(store, version.lifecycle, version.first)
    seen = manager.get_state("job")
    assert seen.seq == before.seq, "looking writes nothing"
    assert seen.lifecycle is version.lifecycle
    assert seen.progress == before.progress
    assert seen.variables == before.variables
    assert [s.progress for s in manager.list_jobs()] == [before.progress]

    after = manager.record("job", [ItemEvent(3, "succeed", {"result": 3})])
    assert after.seq == before.seq + 1
    assert after.progress.done == 3
    state = finished(manager)
    assert state.phase == "completed"
    kinds = [event.kind for event in manager.get_state_history("job")]
    assert kinds.count("migrated") == 1
    assert dict(manager.results("job"))[ITEMS[0]] == {"of": 0}
    assert len(dict(manager.results("job"))) == len(ITEMS)
    assert [v.problems for v in manager.verify()] == [()]


@pytest.mark.parametrize("text", [COMPATIBLE, MIGRATED], ids=["compatible", "migrated"])
def test_once_recorded_the_old_tables_are_not_needed(store: StateStore, text: str) -> None:
    """The change carries the state: nothing before it has to be read again."""
    begun(store)
    version = compiled(text)
    taken = manager_of(store, version.lifecycle, version.first)
    taken.fire("job", "pause")
    later = manager_of(store, version.lifecycle)
    assert later.get_state("job") == taken.get_state("job")
    assert later.fire("job", "resume").phase == "map"
    assert manager_of(store, version.lifecycle).get_state("job").phase == "map"


def test_values_and_names_follow_the_migration(store: StateStore) -> None:
    """States by `was`, variables as the migration works them out from the old context."""
    version = compiled(MIGRATED)
    first = manager_of(store, mapreduce_v1.LIFECYCLE)
    first.create_job(ITEMS, job_id="new", config={"max_dead": 4})
    begun(store, max_attempts=2)
    manager = manager_of(store, version.lifecycle, version.first)
    assert manager.get_state("new").phase == "preparing"
    assert manager.get_state("new").context["notes"] == 5
    assert {one.id: one.phase for one in manager.list_jobs()} == {"new": "preparing", "job": "map"}
    state = manager.get_state("job")
    assert state.item(ITEMS[1]) == ("failed", {"max_attempts": 2, "attempts": 1, "tries_left": 1})
    assert state.item(ITEMS[5])[1]["tries_left"] == 2
    manager.fire("job", "pause")
    assert manager.fire("job", "resume").phase == "map", "what was left is remembered"
    manager.fire("new", "pause")
    assert manager.fire("new", "resume").phase == "preparing"


def test_what_the_old_program_writes_meanwhile_is_seen(store: StateStore) -> None:
    """Until the change is recorded, programs of the old version may go on writing."""
    begun(store)
    version = compiled(MIGRATED)
    old = manager_of(store, mapreduce_v1.LIFECYCLE)
    new = manager_of(store, version.lifecycle, version.first)
    assert new.get_state("job").progress.done == 2
    old.record("job", [ItemEvent(3, "succeed", {"result": 3})])
    assert new.get_state("job").progress.done == 3
    assert new.fire("job", "pause").progress.done == 3
    for again in (old, manager_of(store, mapreduce_v1.LIFECYCLE)):
        with pytest.raises(LifecycleChanged, match=r"later version \(2\) than this code's 1"):
            again.fire("job", "resume")
    assert new.fire("job", "resume").phase == "map"


def test_looking_back_and_going_back_cross_the_change(store: StateStore) -> None:
    """Older states are shown under the new version; a job may be taken back to one of them."""
    before = begun(store)
    old = manager_of(store, mapreduce_v1.LIFECYCLE)
    checkpoint = old.create_checkpoint("job")
    version = compiled(MIGRATED)
    manager = manager_of(store, version.lifecycle, version.first)
    assert manager.get_checkpoint("job").state.lifecycle is version.lifecycle
    taken = manager.create_checkpoint("job", reason="before anything is written")
    assert taken.state.lifecycle is version.lifecycle
    manager.record("job", [ItemEvent(3, "succeed", {"result": 3})])
    assert manager.state_at("job", 1).phase == "preparing"
    assert manager.state_at("job", checkpoint.seq).progress == before.progress

    plan = manager.recover_from_checkpoint(
        manager.get_checkpoint("job", checkpoint.seq), rewind=True
    )
    state = manager.apply(plan)
    assert state.lifecycle is version.lifecycle
    assert state.progress.done == 2
    assert len(dict(manager.results("job"))) == 2
    assert finished(manager).phase == "completed"
    assert [v.problems for v in manager.verify()] == [()]


def test_a_job_that_was_left_under_the_version_before_is_freed(store: StateStore) -> None:
    """Its lease has expired: it is stuck, and reaped, under the version that there is now."""
    clock = FakeClock()
    left = manager_of(store, mapreduce_v1.LIFECYCLE, clock=clock)
    left.create_job(ITEMS, job_id="job")
    held = left.lease("job", "worker", 5.0, renewed=False)
    held.__enter__()
    left.fire("job", "start_map")
    clock.advance(6)
    version = compiled(MIGRATED)
    manager = manager_of(store, version.lifecycle, version.first, clock=clock)
    (stuck,) = manager.stuck_jobs()
    assert (stuck.id, stuck.owner) == ("job", "worker")
    assert manager.reap("job").owner is None
    assert manager.stuck_jobs() == []
    assert [verification.problems for verification in manager.verify()] == [()]
    broken = compiled(BREAKING)
    assert manager_of(store, broken.lifecycle, clock=clock).stuck_jobs() == []
    with pytest.raises(LifecycleChanged):  # whoever held it cannot give it back any more
        held.__exit__(None, None, None)


def test_a_breaking_change_is_refused_with_the_report(store: StateStore) -> None:
    """Nothing is written, and what is said is what `milepost diff` says."""
    before = begun(store)
    version = compiled(BREAKING)
    for earlier in ([version.first], []):
        manager = manager_of(store, version.lifecycle, *earlier)
        with pytest.raises(LifecycleChanged) as refused:
            manager.get_state("job")
        assert "! stranded in paused" in refused.value.report
        assert refused.value.report[:1_000] in str(refused.value)
        assert len(str(refused.value)) < 2_000
        with pytest.raises(LifecycleChanged):
            manager.fire("job", "cancel")
        (listed,) = manager.list_jobs()
        assert (listed.phase, listed.progress, listed.at_hand) == ("map", before.progress, False)
    assert manager_of(store, mapreduce_v1.LIFECYCLE).get_state("job") == before


def test_a_state_that_the_new_version_refuses_is_not_made(store: StateStore) -> None:
    """A migration whose values break an invariant is refused, and says which."""
    before = begun(store)
    begun(store, "other", max_dead=1)
    version = compiled(REFUSED)
    manager = manager_of(store, version.lifecycle, version.first)
    with pytest.raises(LifecycleChanged, match="would break the invariant 'noted'"):
        manager.fire("job", "pause")
    assert manager.fire("other", "pause").context["notes"] == 0
    assert manager_of(store, mapreduce_v1.LIFECYCLE).get_state("job") == before


def test_verification_knows_where_the_change_should_have_led(store: StateStore) -> None:
    """A state under the new version that its upgrade does not give is a problem."""
    begun(store, max_dead=1)
    version, other = compiled(MIGRATED), compiled(REFUSED)
    assert other.lifecycle.digest == version.lifecycle.digest, "migrations are no part of it"
    manager_of(store, version.lifecycle, version.first).fire("job", "pause")
    sound, not_sound = (
        manager_of(store, one.lifecycle, one.first).verify("job")[0] for one in (version, other)
    )
    assert sound.sound
    (problem,) = not_sound.problems
    assert "otherwise than its upgrade says" in problem.message
    assert manager_of(store, version.lifecycle).verify("job")[0].sound, "the first tables are gone"


def test_the_message_says_what_is_missing(store: StateStore) -> None:
    """Tables that were compiled and not given, and a version that was not compiled in."""
    begun(store)
    version = compiled(COMPATIBLE)
    with pytest.raises(LifecycleChanged, match=r"earlier=\[mapreduce_v1.LIFECYCLE\]"):
        manager_of(store, version.lifecycle).get_state("job")
    stranger = Lifecycle(
        name="mapreduce",
        version=7,
        digest="0" * 32,
        doc="",
        enums={},
        machines=mapreduce_v1.LIFECYCLE.machines,
    )
    for earlier in ([], [version.first]):
        with pytest.raises(LifecycleChanged, match=r"'earlier' in \[tool.milepost\]"):
            manager_of(store, stranger, *earlier).get_state("job")


class Hidden(str):
    """A long text that a failing example need not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters>"


JOB_EVENTS = ("start_map", "pause", "resume", "finish_map", "retry", "recover", "cancel")
ITEM_EVENTS = ("start", "succeed", "fail", "release", "retry", "give_up", "requeue", "skip")
PAYLOADS = {
    "succeed": {"result": 1},
    "fail": {"cause": "timeout", "message": ""},
}
moves = st.lists(
    st.one_of(
        st.sampled_from(JOB_EVENTS),
        st.tuples(st.sampled_from(ITEM_EVENTS), st.integers(0, len(ITEMS) - 1)),
    ),
    max_size=25,
)


def attempt(manager: StateManager, move: str | tuple[str, int]) -> None:
    """Do what the job takes; leave the rest."""
    state = manager.get_state("job")
    if isinstance(move, str):
        if move in state.allowed():
            manager.fire("job", move)
    elif move[1] in state.takers(move[0]):
        manager.record("job", [ItemEvent(move[1], move[0], PAYLOADS.get(move[0]))])


@settings(max_examples=60, deadline=None)
@given(before=moves, after=moves, text=st.sampled_from([COMPATIBLE, MIGRATED]).map(Hidden))
def test_whatever_happened_before_and_after(
    before: list[str | tuple[str, int]], after: list[str | tuple[str, int]], text: Hidden
) -> None:
    """The change keeps where everything is, and the log folds to what was acknowledged."""
    version = compiled(str(text))
    store = open_store("memory:")
    first = manager_of(store, mapreduce_v1.LIFECYCLE)
    first.create_job(ITEMS, job_id="job")
    first.fire("job", "start_map")
    for move in before:
        attempt(first, move)
    left = first.get_state("job")
    manager = manager_of(store, version.lifecycle, version.first)
    seen = manager.get_state("job")
    for name in mapreduce_v1.ITEM.states:
        assert set(seen.keys_in(name)) == set(left.keys_in(name))
    assert seen.progress == left.progress
    for move in after:
        attempt(manager, move)
    last = manager.get_state("job")
    assert manager_of(store, version.lifecycle, version.first).get_state("job") == last
    assert [v.problems for v in manager.verify()] == [()]
    changes = [e for e in manager.get_state_history("job") if e.kind == "migrated"]
    assert len(changes) == (last.seq > left.seq)


def test_what_was_recorded_under_other_names_is_read(store: StateStore) -> None:
    """Each commit is read by the names of the version that wrote it; rewinds cross no version."""
    before = begun(store, max_attempts=1)
    version = compiled(RENAMED)
    manager = manager_of(store, version.lifecycle, version.first)

    assert list(manager.results("job")) == [(ITEMS[0], {"of": 0}), (ITEMS[2], 2)]
    assert [[f.cause for f in each] for each in manager.failures("job").values()] == [["error"]]
    manager.record("job", [ItemEvent(0, "finish", {"answer": {"of": 0}})])  # as before: no change
    assert manager.get_state("job").seq == before.seq
    with pytest.raises(RecordConflict):
        manager.record("job", [ItemEvent(0, "finish", {"answer": 1})])

    manager.record("job", [ItemEvent(3, "finish", {"answer": 3}), ItemEvent(4, "begin")])
    manager.record("job", [ItemEvent(4, "miss", {"cause": "timeout", "message": "late"})])
    assert dict(manager.results("job", order="recorded")) == {
        ITEMS[0]: {"of": 0},
        ITEMS[2]: 2,
        ITEMS[3]: 3,
    }
    assert manager.result_of("job", 0) == {"of": 0}
    causes = {key: [f.cause for f in each] for key, each in manager.failures("job").items()}
    assert causes == {ITEMS[1]: ["error"], ITEMS[4]: ["timeout"]}
    for cause, item in (("error", 1), ("timeout", 4)):
        plan = manager.recover_from_checkpoint("job", scope=Scope.causes(cause))
        assert list(plan.exhausted) == [ITEMS[item]]

    back = manager.apply(manager.plan_rewind("job", manager.get_state("job").seq - 1))
    assert back.progress.failed == 0
    assert list(manager.failures("job")) == [ITEMS[1]], "what is undone is not told of"
    assert len(dict(manager.results("job"))) == 3
    assert [v.problems for v in manager.verify()] == [()]
