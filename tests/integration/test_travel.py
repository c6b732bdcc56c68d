"""Time travel: any two moments compared, any moment gone back to, any moment gone on from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost import ItemEvent, JobAbsent, JobExists, JobState, LeaseHeld, StateDiff, StateManager
from milepost.clock import instant
from milepost.errors import CommitAbsent, JobIdInvalid, LogCorrupt
from milepost.testing import FakeClock

JOB = "source"
STORES = ["memory", "sqlite"]
PAYLOADS: dict[str, dict[str, Any]] = {
    "start_map": {"variables": {"from": "setup"}},
    "set_variables": {"variables": {"n": True}},
    "fail": {"cause": "timeout", "message": "no answer"},
    "finish_reduce": {"result": {"all": 1}},
    "allow_dead": {"more": 2},
    "defer": {"until": 1_800_000_000_000_000},
    "note": {"note": {"batch": 7}},
}

choices = st.lists(st.integers(0, 10**6), min_size=3, max_size=25)


class Life:
    """A job that lives by random choices, and what was seen of it after each of them."""

    def __init__(self, manager: StateManager, clock: FakeClock, job_id: str = JOB) -> None:
        self.manager = manager
        self.clock = clock
        self.job_id = job_id
        self.seen: dict[int, tuple[JobState, dict[str, Any]]] = {}

    def create(self) -> None:
        items = {f"item-{n}": n for n in range(4)}
        self.manager.create_job(
            items, job_id=self.job_id, config={"max_attempts": 2}, variables={"n": 1}
        )
        self.look()

    def look(self) -> None:
        state = self.manager.get_state(self.job_id)
        self.seen[state.seq] = (state, dict(self.manager.results(self.job_id)))

    def live(self, picks: list[int]) -> None:
        with ExitStack() as leases:
            for pick in picks:
                options = list(self.options(leases, pick))
                options[pick % len(options)]()
                self.look()
        self.look()

    def options(self, leases: ExitStack, pick: int) -> Iterator[Callable[[], object]]:
        """What may be done now: the legal events, a lease, a checkpoint, going back, waiting."""
        state = self.manager.get_state(self.job_id)
        fire = partial(self.manager.fire, self.job_id)
        for event in state.allowed():
            yield partial(fire, event, PAYLOADS.get(event))
        for event in state.accepted:
            takers = list(state.takers(event))
            if takers:
                payload = {"succeed": {"result": {"n": pick}}, **PAYLOADS}.get(event)
                chosen = takers[: 1 + pick % len(takers)]
                events = [ItemEvent(ordinal, event, payload) for ordinal in chosen]
                yield partial(self.manager.record, self.job_id, events)
        yield partial(self.lease, leases)
        yield partial(self.manager.create_checkpoint, self.job_id)
        yield partial(self.go_back, 1 + pick % state.seq)
        yield partial(self.clock.advance, 1.5)

    def lease(self, leases: ExitStack) -> None:
        taken = self.manager.lease(self.job_id, "one", takeover="it hangs", renewed=False)
        leases.enter_context(taken)

    def go_back(self, seq: int) -> None:
        self.manager.apply(self.manager.plan_rewind(self.job_id, seq))


@contextmanager
def opened(kind: str) -> Iterator[tuple[StateManager, FakeClock]]:
    """A manager on a new store; its jobs' ids count up."""
    clock = FakeClock()
    with tempfile.TemporaryDirectory(prefix="milepost-travel-") as folder:
        url = "memory:" if kind == "memory" else f"{folder}/jobs.db"
        with StateManager.open(url, durability="process", clock=clock) as manager:
            yield manager, clock


def stands(state: JobState) -> dict[str, Any]:
    """What a fork has in common with the moment that it was forked at."""
    return {
        "phase": state.phase,
        "context": dict(state.context),
        "variables": dict(state.variables),
        "items": state.items,
        "fence": state.fence,
        "rewinds": state.rewinds,
        "rejected": state.rejected_count,
        "created": state.created,
    }


PROPERTY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


def check_forks(kind: str, picks: list[int], more: list[int]) -> None:
    """Fork at every seq of a random log; each stands as the source did, verifies, and goes on."""
    with opened(kind) as (manager, clock):
        source = Life(manager, clock)
        source.create()
        source.live(picks)
        last = manager.get_state(JOB)
        for seq in range(1, last.seq + 1):
            then = manager.state_at(JOB, seq)
            forked = manager.fork(JOB, seq, f"fork-{seq}", reason="a test")
            assert stands(forked) == stands(then)
            assert (forked.seq, forked.owner, forked.checkpoint) == (seq + 1, None, None)
            assert forked.orphaned == (then.orphaned or then.owner is not None)
            if seq in source.seen:
                state, results = source.seen[seq]
                assert stands(state) == stands(then)
                assert dict(manager.results(forked.id)) == results
            history = manager.get_state_history(forked.id, upto=seq)
            assert [(e.seq, e.at, e.event, e.fence, e.payload) for e in history] == [
                (e.seq, e.at, e.event, e.fence, e.payload)
                for e in manager.get_state_history(JOB, upto=seq)
            ]
            (verified,) = manager.verify(forked.id)
            assert verified.sound, verified.problems
        assert manager.get_state(JOB) == last
        other = Life(manager, clock, f"fork-{1 + more[0] % last.seq}")
        other.live(more)
        assert manager.get_state(JOB) == last
        then = manager.get_state(other.job_id)
        source.live(more)
        assert manager.get_state(other.job_id) == then
        assert all(verified.sound for verified in manager.verify())


@pytest.mark.parametrize("kind", STORES)
@PROPERTY
@given(picks=choices, more=choices)
def test_a_fork_stands_as_its_source_stood_and_goes_its_own_way(
    kind: str, picks: list[int], more: list[int]
) -> None:
    """State, results, history and soundness at every seq; then neither moves the other."""
    check_forks(kind, picks, more)


def test_a_fork_that_kept_the_source_s_snapshots_would_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: a rewind copied without its snapshot made the fork's own."""
    monkeypatch.setattr("milepost.state.writing.forking._renamed", lambda *_: None)

    def after_a_rewind() -> None:
        with opened("memory") as (manager, clock):
            life = Life(manager, clock)
            life.create()
            manager.fire(JOB, "start_map")
            life.go_back(1)
            manager.fork(JOB, 3, "fork")

    with pytest.raises(LogCorrupt, match="not of seq 1 of this job"):
        after_a_rewind()


def overlaid(change: StateDiff) -> dict[str, Any]:
    """What `before` becomes by what the diff says, and by nothing else."""
    before = change.before
    items: dict[str, tuple[str, Any]] = {}
    for ordinal in range(before.items.count):
        items[before.inputs.key(ordinal)] = before.items.member(ordinal)
    for (source, target), keys in change.moved.items():
        for key in keys:
            assert items[key][0] == source
            items[key] = (target, items[key][1])
    for name, pairs in change.item_context.items():
        for (was, became), keys in pairs.items():
            for key in keys:
                assert items[key][1][name] == was
                items[key] = (items[key][0], {**items[key][1], name: became})
    variables = {k: v for k, v in before.variables.items() if k not in change.variables_removed}
    return {
        "phase": change.phase[1],
        "context": {**before.context, **{k: v for k, (_, v) in change.context.items()}},
        "variables": typed(
            {
                **variables,
                **change.variables_added,
                **{k: v for k, (_, v) in change.variables_changed.items()},
            }
        ),
        "items": items,
    }


def typed(variables: Mapping[str, Any]) -> dict[str, str]:
    """As JSON, in which 1 and true differ."""
    return {name: json.dumps(value) for name, value in variables.items()}


def told(state: JobState) -> dict[str, Any]:
    keys = [state.inputs.key(ordinal) for ordinal in range(state.items.count)]
    return {
        "phase": state.phase,
        "context": dict(state.context),
        "variables": typed(state.variables),
        "items": {key: state.item(key) for key in keys},
    }


@pytest.mark.parametrize("kind", STORES)
@PROPERTY
@given(picks=choices, data=st.data())
def test_a_diff_is_what_leads_from_one_moment_to_the_other(
    kind: str, picks: list[int], data: st.DataObject
) -> None:
    """before + diff = after, for any two; commits and events add up; nothing leads to itself."""
    with opened(kind) as (manager, clock):
        life = Life(manager, clock)
        life.create()
        life.live(picks)
        last = manager.get_state(JOB).seq
        moments = st.lists(st.integers(1, last), min_size=3, max_size=3).map(sorted)
        for first, middle, second in (data.draw(moments) for _ in range(4)):
            whole = manager.diff(JOB, first, second)
            assert overlaid(whole) == told(manager.state_at(JOB, second))
            parts = [manager.diff(JOB, first, middle), manager.diff(JOB, middle, second)]
            assert sum(part.commits for part in parts) == whole.commits == second - first
            assert sum(part.events for part in parts) == whole.events
            assert (*parts[0].rewinds, *parts[1].rewinds) == whole.rewinds
            assert manager.diff(JOB, first, first).empty
            assert whole.empty == (told(whole.before) == told(whole.after))


def test_a_diff_that_left_something_out_would_be_found() -> None:
    """Negative control: without what moved, the overlay is another state."""
    with opened("memory") as (manager, clock):
        life = Life(manager, clock)
        life.create()
        manager.fire(JOB, "start_map", PAYLOADS["start_map"])
        manager.record(JOB, [ItemEvent("item-0", "start")])
        change = manager.diff(JOB, 1, 3)
        after = told(manager.get_state(JOB))
        assert overlaid(change) == after
        for part in ("moved", "item_context", "variables_added"):
            assert overlaid(replace(change, **{part: {}})) != after  # type: ignore[arg-type]  # emptied on purpose


def begun(manager: StateManager, clock: FakeClock) -> None:
    """Commits 1 to 5, a second apart: created, started, three items begun, one done, one failed."""
    manager.create_job({"a": 1, "b": 2, "c": 3}, job_id="j", config={"max_attempts": 2})
    for step in (
        partial(manager.fire, "j", "start_map", {"variables": {"day": 1}}),
        partial(manager.record, "j", [ItemEvent(key, "start") for key in "abc"]),
        partial(manager.record, "j", [ItemEvent("a", "succeed", {"result": "A"})]),
        partial(manager.record, "j", [ItemEvent("b", "fail", PAYLOADS["fail"])]),
    ):
        clock.advance(1)
        step()


def test_what_a_diff_says() -> None:
    """Phase, variables, items by state and by attempts, as sets of keys with their counts."""
    with opened("memory") as (manager, clock):
        begun(manager, clock)
        change = manager.diff("j", 1, 5)
        assert (change.job_id, change.phase) == ("j", ("setup", "map"))
        assert (change.commits, change.events) == (4, 6)
        assert {pair: list(keys) for pair, keys in change.moved.items()} == {
            ("pending", "running"): ["c"],
            ("pending", "done"): ["a"],
            ("pending", "failed"): ["b"],
        }
        assert {pair: len(keys) for pair, keys in change.item_context["attempts"].items()} == {
            (0, 1): 3
        }
        assert dict(change.variables_added) == {"day": 1}
        manager.fire("j", "set_variables", {"variables": {"day": True}})
        assert manager.diff("j", 5, 6).variables_changed == {"day": (1, True)}
        with pytest.raises(ValueError, match="give the earlier one first"):
            manager.diff("j", 5, 1)
        with pytest.raises(CommitAbsent, match="no commit 9, only 1 to 6"):
            manager.diff("j", 1, 9)


@pytest.mark.parametrize("kind", STORES)
def test_a_moment_is_found_by_its_time(kind: str) -> None:
    """The newest commit that is not after it, to the microsecond."""
    with opened(kind) as (manager, clock):
        created = instant(clock.now_us())
        begun(manager, clock)
        found = [manager.seq_at("j", created + timedelta(seconds=n)) for n in range(6)]
        assert found == [1, 2, 3, 4, 5, 5]
        assert manager.seq_at("j", created + timedelta(microseconds=999_999)) == 1
        with pytest.raises(CommitAbsent, match="there was no commit yet at 2023"):
            manager.seq_at("j", created - timedelta(microseconds=1))
        with pytest.raises(ValueError, match="a datetime with a time zone is wanted"):
            manager.seq_at("j", created.replace(tzinfo=None))


@pytest.mark.parametrize("kind", STORES)
def test_any_commit_can_be_gone_back_to(kind: str) -> None:
    """No checkpoint is needed; what is undone stays in the history, and the work can go on."""
    with opened(kind) as (manager, clock):
        begun(manager, clock)
        plan = manager.plan_rewind("j", 3, reason="the model was wrong")
        assert (plan.rewinds_to, plan.events, list(plan.in_flight)) == (3, ("recover",), [*"abc"])
        state = manager.apply(plan)
        assert (state.progress.pending, state.rewinds) == (3, ((6, 3),))
        assert dict(manager.results("j")) == {}
        assert manager.diff("j", 5, 6).rewinds == ((6, 3),)
        assert manager.plan_rewind("j", 6).rewinds_to is None
        with pytest.raises(CommitAbsent):
            manager.plan_rewind("j", 7)
        manager.record("j", [ItemEvent("a", "start")])
        manager.record("j", [ItemEvent("a", "succeed", {"result": "another"})])
        assert dict(manager.results("j")) == {"a": "another"}
        assert manager.verify("j")[0].sound


def test_a_fork_outlives_its_source(tmp_path: Path) -> None:
    """With the source's rows and items gone, the fork has results and values, and is sound."""
    clock = FakeClock()
    with StateManager.open(tmp_path / "jobs.db", clock=clock) as manager:
        begun(manager, clock)
        clock.advance(60)
        manager.fork("j", 4, "other")
    connection = apsw.Connection(str(tmp_path / "jobs.db"))
    for table, column in (("commits", "id >> 40"), ("inputs", "id >> 40"), ("jobs", "number")):
        connection.execute(f"DELETE FROM {table} WHERE {column} = 1")
    connection.close()
    with StateManager.open(tmp_path / "jobs.db", clock=clock) as manager:
        assert manager.job_ids() == ["other"]
        assert dict(manager.results("other")) == {"a": "A"}
        plan = manager.recover_from_checkpoint("other")
        assert [(item.key, item.value) for item in plan.pending_items()] == [("b", 2), ("c", 3)]
        manager.apply(plan)
        state = manager.get_state("other")
        assert state.created_at == instant(clock.now_us())
        assert manager.list_jobs()[0].created_at == state.created_at
        forked = manager.get_state_history("other", after=4, upto=5)[0]
        assert forked.kind == "forked"
        assert forked.payload == {"from_job": "j", "from_seq": 4, "reason": ""}
        assert manager.verify("other")[0].sound


def test_a_fork_is_held_by_nobody(tmp_path: Path) -> None:
    """The source's holder keeps the source; the fork is anybody's, with fences of its own."""
    with StateManager.open(tmp_path / "jobs.db", clock=FakeClock()) as manager:
        manager.create_job(["a"], job_id="j")
        other = StateManager(manager._store, clock=FakeClock())
        with other.lease("j", "holder", renewed=False) as held:
            with pytest.raises(LeaseHeld):
                manager.fire("j", "start_map")
            forked = manager.fork("j", 2, "fork")
            assert (forked.owner, forked.fence, forked.orphaned) == (None, held.fence, True)
            with manager.lease("fork", "me", renewed=False) as mine:
                assert mine.fence == held.fence + 1
                assert manager.fire("fork", "start_map").phase == "map"
            other.fire("j", "start_map")
        assert all(one.sound for one in manager.verify())


@pytest.mark.parametrize("kind", STORES)
def test_a_fork_that_cannot_be_leaves_nothing(kind: str) -> None:
    """An id that is taken or no id, a commit that is not there, a job that is not."""
    with opened(kind) as (manager, clock):
        begun(manager, clock)
        with pytest.raises(JobExists):
            manager.fork("j", 2, "j")
        with pytest.raises(CommitAbsent, match="no commit 6, only 1 to 5"):
            manager.fork("j", 6, "other")
        with pytest.raises(CommitAbsent):
            manager.fork("j", 0, "other")
        with pytest.raises(JobAbsent):
            manager.fork("nobody", 1, "other")
        with pytest.raises(JobIdInvalid):
            manager.fork("j", 1, "no id")
        assert manager.job_ids() == ["j"]
        named = manager.fork("j", 5)
        assert manager.job_ids() == sorted(["j", named.id])


def test_a_fork_of_a_fork() -> None:
    """Each says where it is from; what was before the first is in both."""
    with opened("memory") as (manager, clock):
        begun(manager, clock)
        manager.fork("j", 4, "one")
        two = manager.fork("one", 5, "two")
        assert dict(manager.results("two")) == {"a": "A"}
        kinds = [e.payload for e in manager.get_state_history("two") if e.kind == "forked"]
        assert [(p["from_job"], p["from_seq"]) for p in kinds] == [("j", 4), ("one", 5)]
        assert (two.seq, manager.verify("two")[0].sound) == (6, True)


def test_damage_in_the_source_is_not_laundered(tmp_path: Path) -> None:
    """A result that does not match its digest does not match in the fork either."""
    clock = FakeClock()
    with StateManager.open(tmp_path / "jobs.db", clock=clock) as manager:
        begun(manager, clock)
    connection = apsw.Connection(str(tmp_path / "jobs.db"))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute(
        "UPDATE commits SET body = CAST(replace(body, 'A', 'B') AS BLOB) WHERE seq = 4"
    )
    connection.close()
    with StateManager.open(tmp_path / "jobs.db", clock=clock) as manager:
        manager.fork("j", 5, "fork")
        (source,), (forked,) = manager.verify("j"), manager.verify("fork")
        assert [p.seq for p in source.problems] == [p.seq for p in forked.problems] == [4]


def test_travel_is_awaited_too(tmp_path: Path) -> None:
    """The same by AsyncStateManager."""
    import asyncio

    from milepost import AsyncStateManager

    async def run() -> None:
        async with await AsyncStateManager.open(tmp_path / "jobs.db") as manager:
            await manager.create_job(["a"], job_id="j")
            state = await manager.fire("j", "start_map")
            assert await manager.seq_at("j", state.updated_at) == 2
            assert (await manager.diff("j", 1, 2)).phase == ("setup", "map")
            assert (await manager.fork("j", 1, "other")).phase == "setup"
            await manager.apply(await manager.plan_rewind("j", 1))
            assert (await manager.get_state("j")).phase == "setup"

    asyncio.run(run())


@pytest.mark.parametrize("goes_back", [True, False])
def test_what_was_in_flight_at_the_moment_gone_back_to_is_no_suspect(*, goes_back: bool) -> None:
    """Nobody died of it then. What is in flight now counts as left by a death: nobody says more."""
    manager = StateManager.open("memory:", clock=FakeClock())
    manager.create_job(["a", "b"], job_id="j")
    manager.fire("j", "start_map")
    moment = manager.record("j", [ItemEvent("a", "start")])
    manager.record("j", [ItemEvent("a", "succeed", {"result": 1}), ItemEvent("b", "start")])
    plan = (
        manager.plan_rewind("j", moment.seq) if goes_back else manager.recover_from_checkpoint("j")
    )
    assert dict(plan.item_events) == {"release" if goes_back else "interrupt": 1}
    state = manager.apply(plan)
    in_what, context = state.item("a" if goes_back else "b")
    assert (in_what, context["attempts"]) == ("pending", 0)
    assert context["suspect"] is not goes_back
    assert manager.verify("j")[0].problems == ()
