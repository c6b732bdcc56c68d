"""A run from start to end: success, failure, retries, dead letters and what may come between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from milepost import Item, ItemEvent, JobState, StateManager
from milepost.errors import RecordConflict
from milepost.executors import run

Results = Iterator[tuple[str, Any]]


def double(item: Item) -> int:
    return 2 * item.value


def total(results: Results) -> int:
    return sum(value for _, value in results)


def numbered(count: int) -> list[Item]:
    return [Item(key=f"item-{number:04}", value=number) for number in range(count)]


def refuse(item: Item) -> object:
    raise ValueError(f"{item.key} is refused")


def create(manager: StateManager, count: int, **config: object) -> str:
    return manager.create_job(numbered(count), config=config).id


def test_a_job_is_mapped_and_reduced(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    job_id = create(manager, 500)
    outcome = run(manager, job_id, double, total, executor=pool)
    assert outcome.phase == "completed"
    assert not outcome.interrupted
    assert (outcome.done_count, outcome.failure_count) == (500, 0)
    assert (outcome.done_before_count, outcome.redone_count) == (0, 0)
    assert list(manager.results(job_id)) == [(i.key, 2 * i.value) for i in numbered(500)]
    assert manager.result(job_id) == sum(range(0, 1000, 2))
    assert outcome.state == manager.state_at(job_id, outcome.state.seq)
    assert manager.get_state(job_id).owner is None
    assert all(report.sound for report in manager.verify(job_id))


def nested(item: Item) -> object:
    return {"key": item.key, "parts": (1, 2.5, None, "é"), "deep": {"of": [[item.value]]}}


def test_a_result_of_a_run_is_the_value_that_is_recorded_by_hand(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 2)
    manager.fire(job_id, "start_map")
    run(manager, job_id, nested, executor=pool)
    seq = manager.get_state(job_id).seq
    by_hand = {"deep": {"of": [[1]]}, "parts": [1, 2.5, None, "é"], "key": "item-0001"}
    again = manager.record(job_id, [ItemEvent(1, "succeed", {"result": by_hand})])
    assert again.seq == seq
    assert manager.result_of(job_id, 1) == by_hand
    with pytest.raises(RecordConflict):
        manager.record(job_id, [ItemEvent(0, "succeed", {"result": by_hand})])


def test_a_completed_job_is_left_alone(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    job_id = create(manager, 3)
    run(manager, job_id, double, total, executor=pool)
    outcome = run(manager, job_id, refuse, refuse_to_reduce, executor=pool)
    assert outcome.phase == "completed"
    assert (outcome.done_count, outcome.done_before_count) == (0, 3)


def refuse_to_reduce(results: Results) -> object:
    raise AssertionError("nothing is reduced twice")


def test_results_are_streamed_in_item_order_whatever_order_they_came_in(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    last_has_ended = threading.Event()

    def map_fn(item: Item) -> int:
        if item.value == 0:
            assert last_has_ended.wait(30)
        if item.value == 7:
            last_has_ended.set()
        return item.value

    job_id = create(manager, 8)
    run(manager, job_id, map_fn, lambda results: [key for key, _ in results], executor=pool)
    assert manager.result(job_id) == [item.key for item in numbered(8)]


def test_each_item_is_durably_running_before_its_call_begins(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 40)
    seen: list[str] = []

    def map_fn(item: Item) -> int:
        seen.append(manager.get_state(job_id).item(item.key)[0])
        return 1

    run(manager, job_id, map_fn, total, executor=pool)
    assert seen == ["running"] * 40


def test_a_job_without_items(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    job_id = create(manager, 0)
    assert run(manager, job_id, refuse, total, executor=pool).phase == "completed"
    assert manager.result(job_id) == 0


def test_a_job_without_reduce(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    job_id = create(manager, 5, has_reduce=False)
    assert run(manager, job_id, double, executor=pool).phase == "completed"
    with pytest.raises(KeyError):
        manager.result(job_id)


def test_a_run_without_reduce_fn_ends_where_reduce_begins(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 5)
    assert run(manager, job_id, double, executor=pool).phase == "reduce"
    outcome = run(manager, job_id, refuse, total, executor=pool)
    assert (outcome.phase, outcome.done_count) == ("completed", 0)
    assert manager.result(job_id) == 20


def test_an_executor_that_the_run_makes_is_shut_down(manager: StateManager) -> None:
    made: list[ThreadPoolExecutor] = []

    def make() -> ThreadPoolExecutor:
        made.append(ThreadPoolExecutor(2))
        return made[-1]

    assert run(manager, create(manager, 5), double, total, executor=make).phase == "completed"
    (pool,) = made
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(int)


def test_setup_gives_variables(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    def setup(state: JobState) -> dict[str, object]:
        return {"count": state.items.count}

    job_id = create(manager, 5)
    outcome = run(manager, job_id, double, total, executor=pool, setup_fn=setup)
    assert outcome.state.variables == {"count": 5}


@pytest.mark.parametrize("answer", [["no mapping"], {"set": {1}}])
def test_a_setup_that_fails_is_tried_again_by_the_next_run(
    manager: StateManager, pool: ThreadPoolExecutor, answer: Any
) -> None:
    job_id = create(manager, 5)
    outcome = run(manager, job_id, double, total, executor=pool, setup_fn=lambda _: answer)
    assert (outcome.phase, outcome.state.context["failed_in"]) == ("failed", "setup")
    assert run(manager, job_id, double, total, executor=pool).phase == "completed"


def test_a_reduce_that_fails_is_tried_again_by_the_next_run(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    def reduce_fn(results: Results) -> object:
        raise LookupError(f"{len(list(results))} results and no sense")

    job_id = create(manager, 5)
    outcome = run(manager, job_id, double, reduce_fn, executor=pool)
    assert (outcome.phase, outcome.state.context["failed_in"]) == ("failed", "reduce")
    failed = [event for event in manager.get_state_history(job_id) if event.event == "fail"]
    where = "(phase reduce, function reduce_fn)"
    assert failed[0].payload["message"] == f"LookupError: 5 results and no sense {where}"
    outcome = run(manager, job_id, refuse, total, executor=pool)
    assert (outcome.phase, outcome.done_before_count) == ("completed", 5)


# Failures


def test_an_item_that_fails_at_first_is_tried_again(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    tried: set[str] = set()

    def map_fn(item: Item) -> int:
        if item.value % 3 == 0 and item.key not in tried:
            tried.add(item.key)
            raise ConnectionError("try later")
        return item.value

    job_id = create(manager, 30)
    outcome = run(manager, job_id, map_fn, total, executor=pool)
    assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("completed", 30, 10)
    failures = manager.failures(job_id)
    assert failures.keys() == tried
    assert {(f.cause, f.message) for found in failures.values() for f in found} == {
        ("error", "ConnectionError: try later")
    }


def test_an_item_that_always_fails_ends_in_the_dead_letter_queue(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    def map_fn(item: Item) -> object:
        return refuse(item) if item.value == 3 else item.value

    job_id = create(manager, 10, max_attempts=4, max_dead=1)
    outcome = run(manager, job_id, map_fn, total, executor=pool)
    assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("completed", 9, 4)
    assert outcome.state.failed_items == ("item-0003",)
    assert len(manager.failures(job_id)["item-0003"]) == 4
    assert manager.result(job_id) == sum(range(10)) - 3


def test_too_many_dead_fail_the_job_and_requeue_saves_it(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 10, max_attempts=2)
    outcome = run(
        manager,
        job_id,
        lambda item: refuse(item) if item.value < 2 else item.value,
        total,
        executor=pool,
    )
    assert (outcome.phase, outcome.state.progress.dead) == ("failed", 2)

    outcome = run(manager, job_id, refuse, total, executor=pool)
    assert outcome.phase == "failed", "nothing was left to try, and too many are dead still"

    manager.record(job_id, [ItemEvent(key, "requeue") for key in outcome.state.failed_items])
    outcome = run(manager, job_id, lambda item: item.value, total, executor=pool)
    assert (outcome.phase, outcome.done_count) == ("completed", 2)
    assert manager.result(job_id) == sum(range(10))


class UnreadableError(Exception):
    def __init__(self, first: object, second: object) -> None:
        self.first, self.second = first, second
        super().__init__()

    def __str__(self) -> str:
        raise RuntimeError("no text")


def leave() -> None:
    raise SystemExit(3)


def complain(error: BaseException) -> Callable[[], None]:
    def fails() -> None:
        raise error

    return fails


@pytest.mark.parametrize(
    ("fails", "cause", "said"),
    [
        (complain(UnreadableError(1, 2)), "error", "UnreadableError: <exception str() failed>"),
        (complain(ValueError("\ud800")), "error", r"ValueError: \ud800"),
        (complain(TimeoutError("slow")), "timeout", "TimeoutError: slow"),
        (complain(ExceptionGroup("both", [OSError("a")])), "error", "both (1 sub-exception)"),
        (leave, "error", "SystemExit: 3"),
        (lambda: {1, 2}, "error", "the result: $ is of type set, which is not JSON"),
        (lambda: {"a": [float("nan")]}, "error", "the result: $.a[0] is nan"),
        (lambda: {1: "a"}, "error", "JSON keys are text"),
        (lambda: "x" * (16 * 1024 * 1024), "error", "store a reference"),
    ],
)
def test_whatever_map_fn_does_is_a_failure_with_a_message(
    manager: StateManager,
    pool: ThreadPoolExecutor,
    fails: Callable[[], object],
    cause: str,
    said: str,
) -> None:
    job_id = create(manager, 3, max_attempts=1, max_dead=1)
    outcome = run(
        manager, job_id, lambda item: fails() if item.value == 1 else 1, total, executor=pool
    )
    assert (outcome.phase, outcome.done_count) == ("completed", 2)
    ((failure,),) = manager.failures(job_id).values()
    assert failure.cause == cause
    assert said in failure.message


def test_long_messages_are_cut(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    job_id = create(manager, 1, max_attempts=1)
    run(manager, job_id, lambda _: complain(ValueError("long " * 1000))(), executor=pool)
    ((failure,),) = manager.failures(job_id).values()
    assert failure.message.startswith("ValueError: long long")
    assert len(failure.message) == 2000


def test_results_that_are_large_together_go_into_more_than_one_commit(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    large = "x" * (15 * 1024 * 1024)
    all_there = threading.Barrier(4)

    def map_fn(item: Item) -> str:
        all_there.wait(30)
        return large

    job_id = create(manager, 4)
    outcome = run(
        manager,
        job_id,
        map_fn,
        lambda results: [len(json.dumps(value)) for _, value in results],
        executor=pool,
    )
    assert outcome.phase == "completed"
    assert manager.result(job_id) == [len(large) + 2] * 4


# Timeouts


def test_a_call_that_takes_too_long_fails_and_is_tried_again(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    enough = threading.Event()
    first = iter([True])

    def map_fn(item: Item) -> str:
        if item.value == 1 and next(first, False):
            assert enough.wait(30)
            return "too late"
        return "in time"

    def on_progress(state: JobState) -> None:
        if state.finished:
            enough.set()

    job_id = create(manager, 4)
    outcome = run(
        manager,
        job_id,
        map_fn,
        lambda results: [value for _, value in results],
        executor=pool,
        timeout_s=0.05,
        on_progress=on_progress,
    )
    assert (outcome.phase, outcome.failure_count) == ("completed", 1)
    assert manager.result(job_id) == ["in time"] * 4
    ((failure,),) = manager.failures(job_id).values()
    assert (failure.cause, failure.message) == ("timeout", "no result within 0.05 s")
