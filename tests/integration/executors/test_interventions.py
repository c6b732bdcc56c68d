"""A run and the world: operators, leases, progress, checkpoints and executors that break."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

from milepost import (
    CheckpointPolicy,
    Item,
    ItemEvent,
    JobState,
    LeaseHeld,
    LeaseLost,
    StateManager,
)
from milepost.executors import run, wait_until_expired

from .test_run import Results, create, double, refuse, total


def another(manager: StateManager) -> StateManager:
    """A manager of its own over the same store, as another process would have."""
    if manager.url == "memory:":
        return StateManager(manager._store)
    return StateManager.open(manager.url, create=False, durability="process")


# Operators


@pytest.mark.parametrize("event", ["pause", "fail"])
def test_a_run_stops_when_the_job_is_paused_or_failed(
    manager: StateManager, pool: ThreadPoolExecutor, event: str
) -> None:
    job_id = create(manager, 50)
    operator = another(manager)
    payload = {"cause": "error", "message": "the disk is full"} if event == "fail" else {}
    fired = threading.Event()

    def map_fn(item: Item) -> int:
        if item.value == 10:
            operator.fire(job_id, event, payload, operator=True)
            fired.set()
        elif item.value > 10:
            assert fired.wait(30)
        return item.value

    # few are held, and those after the tenth wait: the last ones have not begun when it happens
    outcome = run(manager, job_id, map_fn, total, executor=pool, ahead=0)
    assert outcome.phase == {"pause": "paused", "fail": "failed"}[event]
    assert not outcome.interrupted
    assert outcome.state.progress.running == 0
    assert 0 < outcome.state.progress.pending < 50
    if event == "pause":
        assert outcome.state.item("item-0010")[0] == "done", "paused jobs take what was under way"
    outcome = run(manager, job_id, lambda item: item.value, total, executor=pool)
    assert outcome.phase == "completed"
    assert manager.result(job_id) == sum(range(50))
    operator.close()


def test_a_run_stops_when_the_job_is_cancelled(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 50)
    operator = another(manager)

    def map_fn(item: Item) -> int:
        if item.value == 10:
            operator.fire(job_id, "cancel", {"reason": "wrong input"}, operator=True)
        return item.value

    outcome = run(manager, job_id, map_fn, total, executor=pool)
    assert outcome.phase == "cancelled"
    assert outcome.state.item("item-0010")[0] == "skipped"
    assert manager.get_state(job_id).owner is None
    assert manager.verify(job_id)[0].sound
    operator.close()


def test_a_pause_is_noticed_while_all_calls_take_long(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 50)
    operator = another(manager)
    let_go = threading.Event()

    def map_fn(item: Item) -> int:
        if item.value == 0:
            operator.fire(job_id, "pause", operator=True)
        assert let_go.wait(30)
        return item.value

    outcome = run(manager, job_id, map_fn, total, executor=pool, look_every_s=0.001, grace_s=0.01)
    let_go.set()
    assert (outcome.phase, outcome.done_count) == ("paused", 0)
    assert outcome.state.progress.pending == 50, "handed back unharmed"
    assert {
        c["attempts"] for _, c in map(outcome.state.item, outcome.state.keys_in("pending"))
    } == {0}
    operator.close()


def test_a_pause_during_reduce_ends_it(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    job_id = create(manager, 5)
    operator = another(manager)

    def reduce_fn(results: Results) -> int:
        next(results)
        operator.fire(job_id, "pause", operator=True)
        return total(results)

    outcome = run(manager, job_id, double, reduce_fn, executor=pool, look_every_s=0)
    assert outcome.phase == "paused"
    outcome = run(manager, job_id, double, total, executor=pool)
    assert (outcome.phase, outcome.done_before_count) == ("completed", 5)
    operator.close()


def test_a_pause_after_the_last_result_was_read_is_found_at_the_end(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 5)
    operator = another(manager)

    def reduce_fn(results: Results) -> int:
        found = total(results)
        operator.fire(job_id, "pause", operator=True)
        return found

    assert run(manager, job_id, double, reduce_fn, executor=pool).phase == "paused"
    operator.close()


def test_an_item_skipped_by_others_is_not_recorded(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 50)
    operator = another(manager)
    skipped = threading.Event()

    def map_fn(item: Item) -> int:
        if item.value == 10:
            events = [ItemEvent("item-0010", "skip"), ItemEvent("item-0049", "skip")]
            operator.record(job_id, events, operator=True)
            skipped.set()
        elif item.value > 10:
            assert skipped.wait(30)
        return item.value

    outcome = run(manager, job_id, map_fn, total, executor=pool, ahead=0)
    assert (outcome.phase, outcome.done_count) == ("completed", 48)
    assert list(outcome.state.keys_in("skipped")) == ["item-0010", "item-0049"]
    operator.close()


# Leases


def test_a_job_that_another_holds_is_refused(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 5)
    holder = another(manager)
    with holder.lease(job_id, "the other one"):
        with pytest.raises(LeaseHeld, match="the other one"):
            run(manager, job_id, double, total, executor=pool, wait="no")
        assert manager.get_state(job_id).owner == "the other one"
    holder.close()


def test_a_run_can_wait_for_another_to_end(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    job_id = create(manager, 5)
    holder = another(manager)
    waited: list[str] = []
    with holder.lease(job_id, "the other one"):

        def wait(held: LeaseHeld) -> None:
            waited.append(held.owner)
            with holder.lease(job_id, "a third one", takeover="to give it back"):
                pass

        assert run(manager, job_id, double, total, executor=pool, wait=wait).phase == "completed"
    assert waited == ["the other one"]
    holder.close()


def test_waiting_ends_when_the_lease_has_expired(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 5)
    holder = another(manager)
    with holder.lease(job_id, "a dead one", ttl_s=0.02, renewed=False):
        outcome = run(manager, job_id, double, total, executor=pool, wait=wait_until_expired)
    assert outcome.phase == "completed"
    leases = [e.payload for e in manager.get_state_history(job_id) if e.kind == "lease"]
    assert leases[1]["reason"] == "the lease of a dead one had expired"
    holder.close()


def test_a_takeover_says_why_and_recovers_what_was_running(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 5)
    holder = another(manager)
    with holder.lease(job_id, "a stalled one"):
        holder.fire(job_id, "start_map")
        holder.record(job_id, [ItemEvent(0, "start"), ItemEvent(1, "start")])
        outcome = run(manager, job_id, double, total, executor=pool, takeover="it is stalled")
        assert (outcome.phase, outcome.redone_count) == ("completed", 2)
        with pytest.raises(LeaseLost, match="stop working on the job"):
            holder.record(job_id, [ItemEvent(0, "succeed", {"result": "late"})])
    state = manager.get_state(job_id)
    assert (state.rejected_count, state.items.member(0)[1]["attempts"]) == (1, 1)
    holder.close()


def test_a_run_that_lost_its_lease_stops_at_once(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 50)
    usurper = another(manager)
    taken = threading.Event()
    with ExitStack() as usurped:

        def map_fn(item: Item) -> int:
            if item.value == 10:
                usurped.enter_context(usurper.lease(job_id, "usurper", takeover="test"))
                taken.set()
            return item.value

        with pytest.raises(LeaseLost) as caught:
            run(manager, job_id, map_fn, total, executor=pool)
        taken.wait()  # the run is told before the call that took the job returns
        assert caught.value.current_owner == "usurper"
        written = manager.get_state_history(job_id)
        takeover = next(n for n, e in enumerate(written) if e.payload.get("owner") == "usurper")
        assert [event.kind for event in written[takeover + 1 :]] == ["rejected"]
        assert manager.get_state(job_id).owner == "usurper"
    usurper.close()


def test_a_run_that_lost_its_lease_while_it_reduced_stops_at_once(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 5)
    usurper = another(manager)

    with ExitStack() as usurped:

        def reduce_fn(results: Results) -> int:
            usurped.enter_context(usurper.lease(job_id, "usurper", takeover="test"))
            return total(results)

        with pytest.raises(LeaseLost):
            run(manager, job_id, double, reduce_fn, executor=pool, look_every_s=0)
        assert manager.get_state(job_id).phase == "reduce"
    usurper.close()


# Progress and checkpoints


def test_progress_is_told_after_each_commit(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    told: list[JobState] = []
    job_id = create(manager, 20)
    outcome = run(manager, job_id, double, total, executor=pool, on_progress=told.append)
    assert [state.seq for state in told] == sorted({state.seq for state in told})
    assert told[0].phase == "map"
    assert told[-1] == outcome.state
    settled = [state.progress.settled for state in told]
    assert settled == sorted(settled)


def test_checkpoints_follow_the_policy_by_items(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 100)
    run(manager, job_id, double, total, executor=pool, policy=CheckpointPolicy(items=10))
    reasons = [checkpoint.reason for checkpoint in manager.list_checkpoints(job_id)][::-1]
    assert reasons[0] == "phase map"
    assert reasons[-2:] == ["phase reduce", "phase completed"]
    assert 2 <= reasons.count("policy") <= 10
    assert set(reasons[1:-2]) == {"policy"}


def test_checkpoints_follow_the_policy_by_time(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 40)
    now_s = [0.0]

    def on_progress(state: JobState) -> None:
        if state.progress.settled >= 20:
            now_s[0] = 61.0

    run(
        manager,
        job_id,
        double,
        total,
        executor=pool,
        policy=CheckpointPolicy(seconds=60),
        clock=lambda: now_s[0],
        on_progress=on_progress,
    )
    reasons = [checkpoint.reason for checkpoint in manager.list_checkpoints(job_id)][::-1]
    assert reasons == ["phase map", "policy", "phase reduce", "phase completed"]


def test_checkpoints_follow_the_policy_by_time_where_nothing_ends(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """One call takes long: what ended before it is put aside at a look, not when that ends."""
    job_id = create(manager, 4)
    others, looked, readings = threading.Event(), threading.Event(), count()

    def clock() -> float:
        reading = next(readings) if others.is_set() else 0
        if reading > 1_000:
            looked.set()
        return 61.0 if reading > 100 else 0.0

    def on_progress(state: JobState) -> None:
        if state.progress.settled == 3:
            others.set()

    run(
        manager,
        job_id,
        lambda item: item.value or looked.wait(30),
        total,
        executor=pool,
        policy=CheckpointPolicy(seconds=60),
        clock=clock,
        on_progress=on_progress,
        look_every_s=0.001,
    )
    taken = [one.seq for one in manager.list_checkpoints(job_id) if one.reason == "policy"]
    ended = [one.seq for one in manager.get_state_history(job_id) if one.event == "succeed"]
    assert len(taken) == 1
    assert ended[-2] <= taken[0] < ended[-1]


def test_a_checkpoint_is_no_reason_for_another(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """It is a commit too; a run that waits would take one at each look."""
    job_id = create(manager, 1)
    looked, readings = threading.Event(), count()

    def clock() -> float:
        if next(readings) > 1_000:
            looked.set()
        return 0.0

    run(
        manager,
        job_id,
        lambda item: looked.wait(30),
        len,
        executor=pool,
        policy=CheckpointPolicy(commits=1),
        clock=clock,
        look_every_s=0.001,
    )
    history = manager.get_state_history(job_id)
    assert len([one for one in history if not one.items]) < 20


# Executors that break


class Breaking(ThreadPoolExecutor):
    """Takes `calls` calls, then breaks: that one, and every later one, are lost."""

    def __init__(self, calls: int) -> None:
        super().__init__(2)
        self.left = calls

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.left -= 1
        if self.left >= 0:
            return super().submit(fn, *args, **kwargs)
        if self.left < -1:
            raise BrokenExecutor("it broke before")
        lost: Future[Any] = Future()
        lost.set_exception(BrokenExecutor("a worker was killed"))
        return lost


def test_a_broken_executor_of_the_caller_ends_the_run(manager: StateManager) -> None:
    job_id = create(manager, 20)
    with Breaking(5) as pool, pytest.raises(BrokenExecutor) as caught:
        run(manager, job_id, double, total, executor=pool, ahead=0)
    assert "have used no attempt" in caught.value.__notes__[0]
    state = manager.get_state(job_id)
    assert (state.progress.done, state.progress.running, state.owner) == (5, 0, None)
    with ThreadPoolExecutor(2) as fresh:
        outcome = run(manager, job_id, double, total, executor=fresh)
    assert (outcome.phase, outcome.done_count) == ("completed", 15)


def test_an_executor_of_the_run_that_breaks_is_replaced(manager: StateManager) -> None:
    job_id = create(manager, 20)
    sizes = iter([5, 0, 3, 100])
    outcome = run(manager, job_id, double, total, executor=lambda: Breaking(next(sizes)))
    assert (outcome.phase, outcome.done_count) == ("completed", 20)


def test_an_executor_that_was_shut_down_is_reported(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 5)
    pool.shutdown()
    with pytest.raises(BrokenExecutor, match="shutdown"):
        run(manager, job_id, refuse, total, executor=pool)
    assert manager.get_state(job_id).progress.pending == 5
