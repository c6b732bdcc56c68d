"""What a function says beside a result: never again, later, what it cost; and kinds in a policy."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from milepost import ArgumentInvalid, StateManager
from milepost.executors import (
    Backoff,
    Later,
    Limit,
    Permanent,
    RetryPolicy,
    RunOutcome,
    WorkItem,
    run,
)
from milepost.executors.deferring import Deferrals
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock


class Passing(FakeClock):
    """A clock by which a second passes whenever it is read."""

    def monotonic_us(self) -> int:
        self.advance(1)
        return super().monotonic_us()


def started(manager: StateManager) -> list[tuple[str, float]]:
    """Which items began, and when, in seconds since the job was created."""
    created = manager.get_state("j").created_at
    return [
        (key, (event.at - created).total_seconds())
        for event in manager.get_state_history("j")
        if event.event == "start"
        for key in event.items
    ]


def passing(work: Callable[[WorkItem], object], **given: object) -> tuple[StateManager, RunOutcome]:
    """A run of three items, one at a time, by a clock that passes by itself."""
    manager = StateManager(MemoryStore(), clock=Passing())
    config = {"has_reduce": False, "max_attempts": 2}
    manager.create_job(["a", "b", "c"], job_id="j", config=config)
    with ThreadPoolExecutor(1) as pool:
        outcome = run(manager, "j", work, executor=pool, look_every_s=0.001, **given)  # type: ignore[arg-type]
    return manager, outcome


def test_what_failed_for_good_is_not_called_again(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    calls: list[str] = []

    def work(item: WorkItem) -> int:
        calls.append(item.key)
        if item.key == "bad":
            raise Permanent("a 400")
        return 1

    config = {"max_attempts": 5, "max_dead": 1, "has_reduce": False}
    manager.create_job(["bad", "good"], job_id="j", config=config)
    outcome = run(manager, "j", work, executor=pool)
    assert outcome.phase == "completed"
    assert sorted(calls) == ["bad", "good"]
    [letter] = manager.dead_letters("j")
    assert (letter.key, len(letter.failures)) == ("bad", 1)
    by_event = {event.event: event.seq for event in manager.get_state_history("j")}
    assert by_event["fail"] == by_event["give_up"]


@pytest.mark.parametrize("rule", [Backoff(base_s=60), "at once"])
def test_no_policy_tries_again_what_failed_for_good(
    rule: Backoff, pool: ThreadPoolExecutor
) -> None:
    calls: list[str] = []

    def work(item: WorkItem) -> int:
        calls.append(item.key)
        raise ValueError("no")

    with StateManager(MemoryStore()) as manager:
        manager.create_job(["bad"], job_id="j", config={"max_attempts": 5})
        policy = RetryPolicy(default=rule)
        errors = {ValueError: "permanent"}
        run(manager, "j", work, executor=pool, retry=policy, errors=errors)
        assert len(calls) == 1


def test_what_can_never_be_kept_is_called_once(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    calls: list[str] = []

    def work(item: WorkItem) -> object:
        calls.append(item.key)
        return object()

    manager.create_job(["a"], job_id="j", config={"max_attempts": 3, "max_dead": 1})
    run(manager, "j", work, executor=pool)
    assert calls == ["a"]


def test_later_uses_no_attempt_and_holds_up_no_other() -> None:
    """Eight times put off, of two attempts; the others go on meanwhile."""
    put_off: list[int] = []

    def work(item: WorkItem) -> int:
        if item.key == "a" and len(put_off) < 8:
            put_off.append(item.attempt)
            raise Later("busy", after_s=100)
        return 1

    manager, outcome = passing(work)
    assert (outcome.phase, outcome.failure_count, outcome.deferred_count) == ("completed", 0, 8)
    assert put_off == [1] * 8
    begun = started(manager)
    assert [key for key, _ in begun[:3]] == ["a", "b", "c"]
    of_a = [at for key, at in begun if key == "a"]
    assert all(after - before >= 100 for before, after in pairwise(of_a))


def test_a_pause_is_for_every_item() -> None:
    said: list[str] = []

    def work(item: WorkItem) -> int:
        if item.key == "a" and not said:
            said.append(item.key)
            raise Later("too many", after_s=500, everyone=True)
        return 1

    manager, outcome = passing(work)
    assert outcome.phase == "completed"
    begun = started(manager)
    first, *others = [at for _, at in begun]
    assert len(others) == 3
    assert all(at - first >= 500 for at in others)


def test_without_a_pause_the_others_do_not_wait() -> None:
    """The negative control of the pause."""
    said: list[str] = []

    def work(item: WorkItem) -> int:
        if item.key == "a" and not said:
            said.append(item.key)
            raise Later("too many", after_s=500)
        return 1

    manager, _ = passing(work)
    (_, first), (_, second), *_ = started(manager)
    assert second - first < 500


def test_a_note_comes_back_at_the_next_attempt() -> None:
    noted: list[object] = []

    def work(item: WorkItem) -> object:
        noted.append(item.noted)
        if item.noted is None:
            raise Later(note={"batch": item.key}, after_s=10)
        return item.noted

    manager, outcome = passing(work, limit=Limit(concurrency=1))
    assert outcome.phase == "completed"
    assert noted[:3] == [None] * 3
    assert dict(manager.results("j")) == {key: {"batch": key} for key in "abc"}


def test_waits_without_a_time_grow() -> None:
    deferrals = Deferrals()
    waits = [deferrals.wait_us("j", "k", 0, 0) for _ in range(9)]
    assert waits[:6] == sorted(waits[:6])
    assert waits[-1] >= 48_000_000
    assert 800_000 <= waits[0] <= 1_000_000
    assert waits[-1] <= 60_000_000
    assert deferrals.wait_us("j", "k", 0, 2.5) == 2_500_000
    assert deferrals.wait_us("j", "k", 0, 0) <= 1_000_000


def test_a_kind_counts_before_a_cause_and_the_whole_kind_before_its_word() -> None:
    policy = RetryPolicy(
        default="give up",
        causes={"error": Backoff(base_s=9)},
        kinds={"HTTPStatusError": "at once", "HTTPStatusError 503": Backoff(base_s=5)},
    )
    assert policy.rule("error", "HTTPStatusError 503") == Backoff(base_s=5)
    assert policy.rule("error", "HTTPStatusError 500") == "at once"
    assert policy.rule("error", "ValueError") == Backoff(base_s=9)
    assert policy.rule("timeout", "ReadTimeout") == "give up"
    with pytest.raises(ArgumentInvalid, match="kinds"):
        RetryPolicy(kinds={"ValueError": "never"})  # type: ignore[dict-item]


def test_a_run_follows_the_rule_of_a_kind(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    calls: list[str] = []

    def work(item: WorkItem) -> int:
        calls.append(item.key)
        raise {"a": KeyError, "b": ValueError}[item.key]("no")

    manager.create_job(["a", "b"], job_id="j", config={"max_attempts": 3})
    policy = RetryPolicy(kinds={"KeyError": "give up"})
    run(manager, "j", work, executor=pool, retry=policy)
    assert (calls.count("a"), calls.count("b")) == (1, 3)


def test_costs_are_added_up_whether_calls_fail_or_not(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    def work(item: WorkItem) -> int:
        item.spent(0.5)
        item.spent(0.25)
        if item.key == "bad":
            raise ValueError("no")
        return 1

    config = {"max_attempts": 2, "max_dead": 1, "has_reduce": False}
    manager.create_job(["bad", "good"], job_id="j", config=config)
    assert run(manager, "j", work, executor=pool).cost == 3 * 0.75
