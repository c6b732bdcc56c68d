"""Jobs of several lifecycles in one store, each by its own tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from milepost import AsyncStateManager, JobState, RetentionPolicy, StateManager, StateStore
from milepost.errors import ArgumentInvalid, LifecycleChanged, LifecycleUnfit, LifecycleUnknown
from milepost.executors import run
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.integration.many.orders import ORDERS_1, ORDERS_2, ORDERS_3, compiled

ITEMS = ["a", "b", "c"]
BOTH = "mapreduce", "orders"
OWN = {item: item for item in ITEMS}
BUILT_IN = mapreduce.LIFECYCLE.version


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StateStore:
    return open_store("memory:" if request.param == "memory" else tmp_path / "jobs.db")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def manager_of(
    store: StateStore, *lifecycles: Lifecycle, clock: FakeClock | None = None
) -> StateManager:
    return StateManager(store, lifecycles=lifecycles, clock=clock or FakeClock())


def finish(manager: StateManager, job_id: str) -> JobState:
    with ThreadPoolExecutor(2) as pool:
        return run(manager, job_id, lambda item: item.key, executor=pool, workers=2).state


def begun(store: StateStore, clock: FakeClock | None = None) -> StateManager:
    """A job of each lifecycle, of which orders is the default."""
    manager = manager_of(store, compiled(ORDERS_1), clock=clock)
    manager.create_job(ITEMS, job_id="o", config={"has_reduce": False})
    manager.create_job(ITEMS, job_id="m", config={"has_reduce": False}, lifecycle="mapreduce")
    return manager


def test_each_job_runs_by_its_own_lifecycle(store: StateStore) -> None:
    """The first that was given is the default; the built-in one is there in any case."""
    manager = begun(store)
    assert tuple(one.name for one in manager.lifecycles) == ("orders", "mapreduce")
    states = {job_id: finish(manager, job_id) for job_id in ("o", "m")}
    assert states["o"].lifecycle is compiled(ORDERS_1)
    assert states["m"].lifecycle is mapreduce.LIFECYCLE
    assert [dict(manager.results(job_id)) for job_id in states] == [
        {item: item for item in ITEMS}
    ] * 2
    assert [(one.sound, one.problems) for one in manager.verify()] == [(True, ())] * 2
    listed = [(one.id, one.lifecycle, one.version) for one in manager.list_jobs()]
    assert listed == [("m", "mapreduce", BUILT_IN), ("o", "orders", 1)]


def test_jobs_are_listed_by_lifecycle(store: StateStore) -> None:
    """By its name, in whichever version; together with the other filters."""
    manager = begun(store)
    assert [one.id for one in manager.list_jobs(lifecycle="orders")] == ["o"]
    assert [one.id for one in manager.list_jobs(lifecycle="mapreduce", phase="setup")] == ["m"]
    assert manager.list_jobs(lifecycle="order") == []
    later = manager_of(store, compiled(ORDERS_2, ORDERS_1))
    later.create_job(ITEMS, job_id="o2")
    listed = [(one.id, one.version) for one in later.list_jobs(lifecycle="orders")]
    assert listed == [("o2", 2), ("o", 1)]


async def _awaited(path: Path) -> list[str]:
    async with await AsyncStateManager.open(path, lifecycles=[compiled(ORDERS_1)]) as manager:
        await manager.create_job(ITEMS, job_id="o")
        await manager.create_job(ITEMS, job_id="m", lifecycle="mapreduce")
        return [one.lifecycle for one in await manager.list_jobs()]


def test_the_awaited_manager_takes_them_too(tmp_path: Path) -> None:
    """`open`, `create_job` and `list_jobs` have the same parameters."""
    import asyncio

    assert asyncio.run(_awaited(tmp_path / "jobs.db")) == [*BOTH]


def test_a_lifecycle_that_was_not_given_is_refused(store: StateStore) -> None:
    """To begin a job by it, and to go on with one; the others go on."""
    begun(store)
    manager = manager_of(store)
    with pytest.raises(ArgumentInvalid, match="'mapreduce'"):
        manager.create_job(ITEMS, lifecycle="orders")
    with pytest.raises(LifecycleUnknown) as refused:
        manager.get_state("o")
    error, orders = refused.value, compiled(ORDERS_1)
    assert isinstance(error, LifecycleChanged), "who caught this before catches it now"
    assert (error.lifecycle, error.version, error.digest) == ("orders", 1, orders.digest)
    assert f"orders version 1 ({orders.digest:.12})" in str(error)
    assert "lifecycles=[…]" in str(error)
    with pytest.raises(LifecycleUnknown):
        manager.fire("o", "start_map")
    assert finish(manager, "m").finished
    named = {one.id: (one.lifecycle, one.version, one.at_hand) for one in manager.list_jobs()}
    assert named == {"o": ("orders", 1, False), "m": ("mapreduce", BUILT_IN, True)}


def test_two_of_one_name_are_refused(store: StateStore) -> None:
    """But not one of them twice, and not in the place of the built-in one."""
    first, second = compiled(ORDERS_1), compiled(ORDERS_2, ORDERS_1)
    with pytest.raises(LifecycleUnfit, match="two of that name, orders version 1"):
        manager_of(store, first, second)
    with pytest.raises(ArgumentInvalid, match="None where lifecycles are given"):
        StateManager(store, lifecycle=first, lifecycles=[first])
    assert tuple(one.name for one in manager_of(store, first, first).lifecycles) == BOTH[::-1]
    own = Lifecycle(
        name="mapreduce", version=9, digest="9" * 32, doc="", enums={}, machines=first.machines
    )
    assert manager_of(store, first, own).lifecycles == (first, own)


def test_each_goes_on_under_its_own_current_version(store: StateStore) -> None:
    """`earlier` is for all: what is stored under it goes on under the version of its name."""
    begun(store)
    first, second = compiled(ORDERS_1), compiled(ORDERS_2, ORDERS_1)
    manager = StateManager(
        store, lifecycles=[mapreduce.LIFECYCLE, second], earlier=[first], clock=FakeClock()
    )
    assert manager.get_state("o").lifecycle is second
    assert finish(manager, "o").lifecycle is second
    assert finish(manager, "m").lifecycle is mapreduce.LIFECYCLE
    assert {(one.id, one.version) for one in manager.list_jobs()} == {("o", 2), ("m", BUILT_IN)}


def test_a_later_version_is_told_from_an_earlier_one(store: StateStore) -> None:
    """It is the code that has to be updated, not the store."""
    manager_of(store, compiled(ORDERS_3)).create_job(ITEMS, job_id="o")
    second = compiled(ORDERS_2, ORDERS_1)
    with pytest.raises(LifecycleChanged, match=r"later version \(3\) than this code's 2: update"):
        manager_of(store, second).get_state("o")
    both = StateManager(store, lifecycles=[second], earlier=[compiled(ORDERS_3)])
    with pytest.raises(LifecycleChanged, match=r"later version \(3\) than this code's 2: update"):
        both.get_state("o")
    manager_of(store, compiled(ORDERS_1)).create_job(ITEMS, job_id="first")
    with pytest.raises(LifecycleChanged, match="name its definition as 'earlier'"):
        manager_of(store, compiled(ORDERS_3)).get_state("first")


def test_jobs_are_kept_by_the_policy_of_their_lifecycle(
    store: StateStore, clock: FakeClock
) -> None:
    """The one that is named for it, else that for all; other lifecycles are left alone."""
    manager = begun(store, clock)
    for job_id in ("o", "m"):
        finish(manager, job_id)
    clock.advance(3 * 86_400)
    day = timedelta(days=1)
    policy = RetentionPolicy(lifecycles={"orders": RetentionPolicy(completed=day)})
    plan = manager.plan_retention(policy)
    assert {one.job_id: (one.lifecycle, one.goes) for one in plan.verdicts} == {
        "o": ("orders", True),
        "m": ("mapreduce", False),
    }
    assert manager.collect(plan).deleted == ("o",)
    nested = RetentionPolicy(lifecycles={"orders": RetentionPolicy()})
    with pytest.raises(ArgumentInvalid, match="name no lifecycles themselves"):
        RetentionPolicy(lifecycles={"orders": nested})


def test_jobs_of_an_unknown_lifecycle_are_never_deleted(
    store: StateStore, clock: FakeClock
) -> None:
    """Nothing here knows whether they have ended, however old they are."""
    manager = begun(store, clock)
    for job_id in ("o", "m"):
        finish(manager, job_id)
    clock.advance(10_000 * 86_400)
    other = manager_of(store, clock=clock)
    plan = other.plan_retention()
    kept = next(one for one in plan.verdicts if one.job_id == "o")
    assert (kept.goes, str(kept.why), kept.checkpoints) == (False, "unknown", ())
    assert "orders version 1" in kept.reason
    assert other.collect(plan).deleted == ("m",)
    assert manager.get_state("o").finished


def test_stuck_jobs_of_an_unknown_lifecycle_are_said(store: StateStore, clock: FakeClock) -> None:
    """They are left out, as they cannot be freed, and whoever asks is told."""
    manager = begun(store, clock)
    with ExitStack() as held:
        for job_id in ("o", "m"):
            held.enter_context(manager.lease(job_id, "worker", 5.0, renewed=False))
            manager.fire(job_id, "start_map")
        clock.advance(60)
        other = manager_of(store, clock=clock)
        told: list[Exception] = []
        assert [one.id for one in other.stuck_jobs(on_unknown=told.append)] == ["m"]
        (unknown,) = told
        assert isinstance(unknown, LifecycleUnknown)
        assert unknown.job_id == "o"
        assert [one.id for one in other.stuck_jobs()] == ["m"]

        manager.fire("o", "cancel", operator=True)
        assert other.stuck_jobs(on_unknown=told.append)
        assert told == [unknown], "the store says that it has ended"
