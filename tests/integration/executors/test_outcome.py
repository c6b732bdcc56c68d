"""What a run returns: phase, why, counts, what to do next; and JobFailed where it is asked for."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from milepost import ArgumentInvalid, Item, JobFailed, StateManager
from milepost.executors import Stop, run


def work(item: Item) -> int:
    if item.key == "bad":
        raise KeyError("words")
    return 1


def total(results: Iterator[tuple[str, Any]]) -> int:
    return sum(result for _, result in results)


def test_one_bad_item_is_told_and_not_a_key_error(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    manager.create_job(["good", "bad", "fine"], job_id="words")
    outcome = run(manager, "words", work, total, executor=pool)
    assert (outcome.phase, outcome.succeeded) == ("failed", False)
    assert outcome.why == "1 dead, 0 allowed"
    assert "milepost requeue words --apply or milepost allow-dead words 1 --apply" in outcome.advice
    told = str(outcome)
    assert told.startswith("job words is failed: 1 dead, 0 allowed; 2 done, 1 dead of 3 items")
    assert outcome.advice in told
    assert "1 dead, 0 allowed" in repr(outcome)
    assert len(repr(outcome)) <= 200
    [group] = outcome.failures
    assert (group.count, group.example_key) == (3, "bad")


def test_a_run_that_is_to_check_raises_what_happened(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    manager.create_job(["good", "bad"], job_id="words")
    with pytest.raises(JobFailed) as raised:
        run(manager, "words", work, total, executor=pool, check=True)
    error = raised.value
    assert (error.job_id, error.phase, error.why) == ("words", "failed", "1 dead, 0 allowed")
    assert error.counts == "1 done, 1 dead of 2 items"
    assert "milepost dead words --details" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert manager.get_state("words").phase == "failed"


def test_what_succeeds_has_no_why(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    manager.create_job(["good", "bad"], job_id="j", config={"max_dead": 1})
    outcome = run(manager, "j", work, total, executor=pool, check=True)
    assert (outcome.succeeded, outcome.why) == (True, "")
    assert outcome.advice == "milepost dead j tells of the 1 item that has no result"
    assert run(manager, "j", work, total, executor=pool, check=True).failure_count == 0


def test_a_function_of_a_phase_that_raises_is_named(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    def bring_together(results: object) -> int:
        raise KeyError("words")

    manager.create_job(["good"], job_id="j")
    outcome = run(manager, "j", work, bring_together, executor=pool)
    assert outcome.phase == "failed"
    assert outcome.why.startswith("reduce failed: ")
    assert "KeyError: 'words' (phase reduce, function bring_together)" in outcome.why
    assert (
        outcome.advice == "mend what failed, and run it again: it goes on in the phase that failed"
    )
    again = run(manager, "j", work, total, executor=pool, check=True)
    assert (again.phase, again.why) == ("completed", "")


def test_a_run_that_cannot_go_on_says_why(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    manager.create_job(["good"], job_id="j")
    outcome = run(manager, "j", work, executor=pool)
    assert outcome.why == outcome.halt_reason == "no function was given for phase 'reduce'"
    assert outcome.halt_reason in repr(outcome)
    with pytest.raises(JobFailed, match="no function was given"):
        run(manager, "j", work, executor=pool, check=True)


def test_a_run_that_was_stopped_is_no_failure(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    stop = Stop()
    manager.create_job(["good"], job_id="j")
    stop.request("that will do")
    outcome = run(manager, "j", work, total, executor=pool, stop=stop, check=True)
    assert outcome.interrupted
    assert outcome.why == "the run was stopped (that will do)"
    assert outcome.advice == "run it again: it goes on where it was left"


def test_paused_and_cancelled_jobs_say_so(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    def pauses(item: Item) -> int:
        manager.fire("j", "pause", operator=True)
        return 1

    manager.create_job(["good"], job_id="j")
    outcome = run(manager, "j", pauses, total, executor=pool)
    assert outcome.why == "no work is done in 'paused'"
    assert outcome.advice == "run it again when it is to go on: that resumes it"
    manager.fire("j", "cancel", {"reason": "a mistake"})
    outcome = run(manager, "j", work, total, executor=pool)
    assert outcome.why == "paused was cancelled: a mistake"
    assert outcome.advice.startswith("it has ended for good")


def test_whether_to_check_is_yes_or_no(manager: StateManager) -> None:
    manager.create_job(["good"], job_id="j")
    with pytest.raises(ArgumentInvalid, match="check"):
        run(manager, "j", check="yes")  # type: ignore[arg-type]
