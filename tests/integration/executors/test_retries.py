"""Retries: waits by cause that a restart does not begin anew, and failures that end an item."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost import ArgumentInvalid, Item, ItemEvent, JobState, Scope, StateManager
from milepost.executors import Backoff, RetryPolicy, run
from milepost.executors.resolving import Asked, vocabulary
from milepost.executors.retries import Now, Waiting, longest_wait_s
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock

STEADY = Backoff(base_s=10, factor=3, max_s=60, jitter=0)


class Passing(FakeClock):
    """A clock that moves on by a second whenever it is read."""

    def now_us(self) -> int:
        self.advance(1)
        return super().now_us()


def total(results: Iterator[tuple[str, Any]]) -> int:
    return sum(result for _, result in results)


def waiting_of(manager: StateManager, state: JobState) -> Waiting:
    """What a run that begins at `state` knows of the items that failed."""
    policy = RetryPolicy(default=STEADY)
    asked = Asked(map_fn=refuse, setup_fn=None, reduce_fn=None, phases={}, retry=policy)
    return Waiting(policy, partial(manager.failed_attempts, state.id), vocabulary(state, asked))


def times(manager: StateManager, event: str) -> list[float]:
    """When `event` was recorded, in seconds since the first start."""
    history = manager.get_state_history("j")
    begun = next(e.at for e in history if e.event == "start")
    return [(e.at - begun).total_seconds() for e in history if e.event == event]


def test_a_failed_item_waits_longer_each_time(pool: ThreadPoolExecutor) -> None:
    """By the clock of the store: 10 s, then 30 s, never more than 60 s, then it is dead."""
    with StateManager(MemoryStore(), clock=Passing()) as manager:
        manager.create_job(["a"], job_id="j", config={"max_attempts": 4, "max_dead": 1})
        policy = RetryPolicy(default=STEADY)
        outcome = run(manager, "j", refuse, total, executor=pool, retry=policy, look_every_s=0.001)
        assert (outcome.phase, outcome.failure_count) == ("completed", 4)
        waits = [
            begun - ended
            for ended, begun in zip(times(manager, "fail"), times(manager, "retry"), strict=False)
        ]
        for wait, least in zip(waits, (10, 30, 60), strict=True):
            assert least <= wait < least + 10
        assert manager.get_state("j").progress.dead == 1


def test_a_failed_item_waits_for_no_other_call(pool: ThreadPoolExecutor) -> None:
    """Where there is a worker for it: it is not left until the run looks at the job again."""
    calls: list[str] = []
    tried = threading.Event()

    def map_fn(item: Item) -> bool:
        calls.append(item.key)
        if item.key == "long":
            return tried.wait(60)
        if calls.count(item.key) < 4:
            raise ValueError("not yet")
        tried.set()
        return True

    with StateManager.open("memory:") as manager:
        manager.create_job(["long", "often"], job_id="j", config={"max_attempts": 4})
        run(manager, "j", map_fn, executor=pool, look_every_s=3600)
        assert dict(manager.results("j")) == {"long": True, "often": True}
        assert Counter(calls) == {"long": 1, "often": 4}


@pytest.mark.parametrize("retry", [None, RetryPolicy(default="give up")])
def test_a_dead_letter_waits_for_no_other_call(retry: RetryPolicy | None) -> None:
    """Nor where no worker is free, since another item has begun in its place."""
    dead = threading.Event()

    def map_fn(item: Item) -> bool:
        if item.key == "bad":
            raise ValueError("for ever")
        return dead.wait(60)

    def look(state: JobState) -> None:
        if state.progress.dead:
            dead.set()

    config = {"max_attempts": 1 if retry is None else 9, "max_dead": 1}
    with StateManager.open("memory:") as manager, ThreadPoolExecutor(2) as two:
        manager.create_job(["long", "bad", "next"], job_id="j", config=config)
        run(
            manager,
            "j",
            map_fn,
            executor=two,
            ahead=0,
            retry=retry,
            on_progress=look,
            look_every_s=3600,
        )
        assert dict(manager.results("j")) == {"long": True, "next": True}


def test_a_failed_item_that_finds_no_worker_free_costs_no_commit_of_its_own() -> None:
    """It is tried again by the commit that records what ends next."""
    calls: list[str] = []
    over = threading.Event()

    def map_fn(item: Item) -> bool:
        calls.append(item.key)
        if item.key == "long":
            return over.wait(60)
        if calls.count(item.key) == 1:
            raise ValueError("not yet")
        if len(calls) == 1 + 2 * 20:
            over.set()
        return True

    with StateManager.open("memory:") as manager, ThreadPoolExecutor(2) as two:
        manager.create_job(["long", *map(str, range(20))], job_id="j", config={"has_reduce": False})
        run(manager, "j", map_fn, executor=two, ahead=0)
        assert manager.get_state("j").progress.done == 21
        seqs = {event.seq for event in manager.get_state_history("j") if event.items}
    assert len(seqs) <= 1 + 2 * 20 + 4  # one for each that ends, beside the first and the last ones


def now(clock: FakeClock) -> Now:
    return Now(clock.now_us(), clock.monotonic_us())


@pytest.mark.parametrize("stepped_s", [-86_400, -3_600, -5, 5, 3_600, 86_400])
def test_no_clock_makes_a_wait_longer_than_it_is(stepped_s: float) -> None:
    """In a run nobody can set its time; after a restart the whole wait is the most there is."""
    clock = FakeClock()
    manager = StateManager(MemoryStore(), clock=clock)
    manager.create_job(["a"], job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent("a", "start")])
    fail = {"cause": "error", "message": "no"}
    state = manager.record("j", [ItemEvent("a", "fail", fail)])
    in_run = waiting_of(manager, state)
    in_run.failed(state, 0, "error", "", now(clock))
    clock.step(stepped_s)
    restarted = waiting_of(manager, state)
    assert not in_run.decide(state, now(clock)).due
    assert in_run.next_due_us == clock.monotonic_us() + 10_000_000
    due_at_once = list(restarted.decide(state, now(clock)).due) == [0]
    assert due_at_once == (stepped_s >= 10)
    if not due_at_once:
        assert restarted.next_due_us is not None
        assert restarted.next_due_us <= clock.monotonic_us() + 10_000_000
    clock.step(-7 * stepped_s)  # and again while it waits
    clock.advance(10)
    for waiting in (in_run, restarted):
        assert list(waiting.decide(state, now(clock)).due) == [0]


def test_a_run_whose_clock_was_ahead_waits_no_longer(pool: ThreadPoolExecutor) -> None:
    """The job was created an hour ahead; the wait of 10 s is one of 10 s all the same."""
    clock = Passing()
    with StateManager(MemoryStore(), clock=clock) as manager:
        clock.step(3_600)
        manager.create_job(["a"], job_id="j", config={"max_attempts": 2, "max_dead": 1})
        clock.step(-3_600)
        began_us = clock.monotonic_us()
        policy = RetryPolicy(default=STEADY)
        outcome = run(manager, "j", refuse, total, executor=pool, retry=policy, look_every_s=0.001)
        assert outcome.failure_count == 2
        assert 10e6 <= clock.monotonic_us() - began_us < 60e6
        at = [event.at for event in manager.get_state_history("j")]
        assert at == sorted(at)


def refuse(item: Item) -> object:
    raise TimeoutError(item.key) if item.key.startswith("slow") else ValueError(item.key)


def test_a_restart_does_not_begin_a_wait_anew() -> None:
    """Half of it before the crash, half of it after; the attempts are those that were."""
    clock = FakeClock()
    manager = StateManager(MemoryStore(), clock=clock)
    manager.create_job(["a", "b"], job_id="j")
    manager.fire("j", "start_map")
    fail = {"cause": "error", "message": "no"}
    manager.record("j", [ItemEvent("a", "start"), ItemEvent("a", "fail", fail)])
    clock.advance(6)
    again = StateManager(manager._store, clock=clock)
    state = again.get_state("j")
    waiting = waiting_of(again, state)
    assert not waiting.decide(state, now(clock)).due
    assert waiting.next_due_us == clock.monotonic_us() + 4_000_000
    clock.advance(3.9)
    assert not waiting.decide(state, now(clock)).due
    clock.advance(0.1)
    assert list(waiting.decide(state, now(clock)).due) == [0]
    assert waiting.next_due_us is None
    assert state.item("a")[1]["attempts"] == 1


def test_a_run_takes_up_the_waits_of_the_run_before(pool: ThreadPoolExecutor) -> None:
    """Its recovery leaves what failed where it is; what was in flight is not waited for."""
    clock = Passing()
    manager = StateManager(MemoryStore(), clock=clock)
    manager.create_job(["failed", "flying"], job_id="j")
    manager.fire("j", "start_map")
    fail = {"cause": "error", "message": "no"}
    manager.record(
        "j",
        [
            ItemEvent("failed", "start"),
            ItemEvent("flying", "start"),
            ItemEvent("failed", "fail", fail),
        ],
    )
    outcome = run(
        manager,
        "j",
        lambda item: 1,
        total,
        executor=pool,
        retry=RetryPolicy(default=STEADY),
        look_every_s=0.001,
    )
    assert outcome.phase == "completed"
    assert list(outcome.plan.in_flight) == ["flying"]
    assert list(outcome.plan.outside) == ["failed"]
    (failed,), (retried,) = times(manager, "fail"), times(manager, "retry")
    assert 10 <= retried - failed < 20


def test_a_cause_may_end_an_item_at_once(pool: ThreadPoolExecutor) -> None:
    """It is dead after one call, counts as such, and its cause is the one that it had."""
    with StateManager(MemoryStore(), clock=FakeClock()) as manager:
        manager.create_job(
            ["slow-1", "bad", "slow-2"], job_id="j", config={"max_attempts": 3, "max_dead": 3}
        )
        policy = RetryPolicy(causes={"timeout": "give up"})
        outcome = run(manager, "j", refuse, total, executor=pool, retry=policy)
        assert outcome.phase == "completed"
        assert outcome.failure_count == 2 * 1 + 3
        slow, bad, _ = manager.dead_letters("j")
        assert [f.message for f in bad.failures] == ["ValueError: bad"] * 3
        assert [f.message for f in slow.failures] == ["TimeoutError: slow-1"]
        timeouts = manager.dead_letters("j", Scope.causes("timeout"))
        assert [letter.key for letter in timeouts] == ["slow-1", "slow-2"]
        assert manager.verify("j")[0].sound


def test_without_a_policy_items_are_tried_again_at_once(pool: ThreadPoolExecutor) -> None:
    """No time passes at all."""
    with StateManager(MemoryStore(), clock=FakeClock()) as manager:
        manager.create_job(["a"], job_id="j", config={"max_dead": 1})
        assert run(manager, "j", refuse, total, executor=pool).failure_count == 3
        assert times(manager, "retry") == [0, 0]


def test_a_run_that_waits_sleeps(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for a wait as long as it may be, never for none, while an item is not due."""
    from milepost.executors.calls import Calls

    asked: list[float] = []
    clock = FakeClock()

    def wait(calls: Calls, longest_s: float, enough: int = 1) -> list[object]:
        del enough
        if calls.busy:
            return list(real(calls, 60.0))
        asked.append(longest_s)
        clock.advance(longest_s)
        return []

    real = Calls.wait
    monkeypatch.setattr(Calls, "wait", wait)
    with StateManager(MemoryStore(), clock=clock) as manager:
        manager.create_job(["a"], job_id="j", config={"max_attempts": 2, "max_dead": 1})
        policy = RetryPolicy(default=Backoff(base_s=2.5, jitter=0))
        run(manager, "j", refuse, total, executor=pool, retry=policy, look_every_s=1.0)
    assert asked == [1.0, 1.0, 0.5]


@given(
    st.floats(0, 100), st.floats(1, 10), st.floats(0, 1), st.integers(1, 100), st.text(min_size=1)
)
def test_waits_are_bounded_and_the_same_each_time(
    base_s: float, factor: float, jitter: float, attempts: int, key: str
) -> None:
    """No longer than the longest, no shorter than jitter allows, and no matter when it is asked."""
    backoff = Backoff(base_s=base_s, factor=factor, max_s=200, jitter=jitter)
    wait_us = backoff.wait_us("j", key, attempts)
    full_s = min(base_s * factor ** (attempts - 1), 200)
    assert full_s * (1 - jitter) * 1e6 - 1 <= wait_us <= full_s * 1e6
    assert wait_us == backoff.wait_us("j", key, attempts)


def test_items_that_failed_together_do_not_come_back_together() -> None:
    """Jitter spreads them."""
    waits = {Backoff(base_s=100).wait_us("j", f"k{n}", 1) for n in range(100)}
    assert len(waits) == 100
    assert max(waits) - min(waits) > 10_000_000


def test_what_makes_no_policy_is_refused() -> None:
    """Waits below nothing, and causes that there are not."""
    for wrong in ({"base_s": -1}, {"factor": 0.5}, {"jitter": 2}, {"base_s": 400}):
        with pytest.raises(ArgumentInvalid, match=next(iter(wrong))):
            Backoff(**wrong)
    with pytest.raises(ArgumentInvalid, match="a Backoff, or 'at once' or 'give up'"):
        RetryPolicy(causes={"error": "never"})  # type: ignore[dict-item]


def test_causes_that_the_lifecycle_does_not_know_are_refused(pool: ThreadPoolExecutor) -> None:
    """By the run, which knows the lifecycle, before it touches the job."""
    with StateManager(MemoryStore()) as manager:
        manager.create_job(["a"], job_id="j")
        policy = RetryPolicy(causes={"bad luck": "give up"})
        with pytest.raises(ArgumentInvalid, match=r"error or timeout or executor_lost.*'bad luck'"):
            run(manager, "j", refuse, total, executor=pool, retry=policy)
        assert manager.get_state("j").seq == 1


def test_a_sleep_ends_when_an_item_is_due_or_it_is_time_to_look() -> None:
    """Whatever comes first."""
    assert longest_wait_s(1.0, None, 0) == 1.0
    assert longest_wait_s(1.0, 300_000, 100_000) == 0.2
    assert longest_wait_s(1.0, 9_000_000, 0) == 1.0
    assert longest_wait_s(1.0, 0, 5) == 0
