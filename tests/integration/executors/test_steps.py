"""Durable steps: what setup and reduce have recorded is not done again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from milepost import Item, JobState, LeaseLost, Scope, StateManager
from milepost.executors import Steps, run

Results = Iterator[tuple[str, Any]]


def one(item: Item) -> int:
    return 1


def test_a_resumed_reduce_gets_what_its_steps_gave(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """The first step is called once, though reduce is run three times."""
    calls: list[str] = []
    failing = ["upload", "upload"]

    def merge(results: Results) -> dict[str, Any]:
        calls.append("merge")
        return {"total": sum(value for _, value in results), "pair": (1, 2)}

    def upload() -> str:
        calls.append("upload")
        if failing:
            raise ConnectionError(failing.pop())
        return "s3://there"

    def reduce_fn(results: Results, steps: Steps) -> list[Any]:
        merged = steps.step("merge", lambda: merge(results))
        assert merged == {"total": 3, "pair": [1, 2]}  # as JSON gives it back, from the first time
        merged["total"] = 0  # the caller's own
        return [steps.step("merge", lambda: 1 / 0)["total"], steps.step("upload", upload)]

    job_id = manager.create_job(["a", "b", "c"], job_id="j").id
    for phase in ("failed", "failed", "completed"):
        assert run(manager, job_id, one, reduce_fn, executor=pool).phase == phase
    assert calls == ["merge", "upload", "upload", "upload"]
    assert manager.result(job_id) == [3, "s3://there"]
    assert manager.get_state(job_id).variables["reduce/merge"] == {"total": 3, "pair": [1, 2]}


def test_reduce_again_makes_its_steps_again(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """Going back to before the phase undoes what it recorded."""
    calls: list[int] = []

    def reduce_fn(results: Results, steps: Steps) -> int:
        return int(steps.step("count", lambda: calls.append(1) or len(calls)))

    manager.create_job(["a"], job_id="j")
    run(manager, "j", one, reduce_fn, executor=pool)
    plan = manager.recover_from_checkpoint("j", scope=Scope.again("reduce"))
    assert plan.undone_variables == ("reduce/count",)
    manager.apply(plan)
    run(manager, "j", one, reduce_fn, executor=pool)
    assert manager.result("j") == 2


def test_a_resumed_setup_gets_what_its_steps_gave(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """And its variables are those that it gives in the end."""
    calls: list[str] = []

    def setup_fn(state: JobState, steps: Steps) -> dict[str, object]:
        table = steps.step("table", lambda: calls.append("table") or "t1")
        if len(calls) == 1:
            calls.append("crash")
            raise OSError("no space")
        return {"table": table}

    manager.create_job(["a"], job_id="j", config={"has_reduce": False})
    assert run(manager, "j", one, executor=pool, setup_fn=setup_fn).phase == "failed"
    outcome = run(manager, "j", one, executor=pool, setup_fn=setup_fn)
    assert outcome.phase == "completed"
    assert calls == ["table", "crash"]
    assert outcome.state.variables == {"setup/table": "t1", "table": "t1"}


def test_names_of_steps_are_kept_for_them(manager: StateManager, pool: ThreadPoolExecutor) -> None:
    """A variable of setup cannot stand for the output of a step."""
    manager.create_job(["a"], job_id="j")
    outcome = run(manager, "j", one, executor=pool, setup_fn=lambda state: {"reduce/x": 1})
    assert outcome.phase == "failed"
    (failed,) = (event for event in manager.get_state_history("j") if event.event == "fail")
    assert "kept for the outputs of steps" in failed.payload["message"]


@pytest.mark.parametrize("output", [object(), float("nan")])
def test_an_output_that_is_no_json_fails_the_phase(
    manager: StateManager, pool: ThreadPoolExecutor, output: object
) -> None:
    """It is the fault of the step, not of the run."""
    manager.create_job(["a"], job_id="j")

    def reduce_fn(results: Results, steps: Steps) -> object:
        return steps.step("odd", lambda: output)

    assert run(manager, "j", one, reduce_fn, executor=pool).phase == "failed"
    assert "reduce/odd" not in manager.get_state("j").variables


def test_a_step_that_is_paused_ends_the_run_with_its_output(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """The output is kept; the rest of reduce waits for the next run."""
    calls: list[str] = []

    def pause() -> int:
        manager.fire("j", "pause", operator=True)
        return 5

    def reduce_fn(results: Results, steps: Steps) -> int:
        kept = steps.step("first", pause)
        calls.append("after")
        return int(kept)

    manager.create_job(["a"], job_id="j")
    assert run(manager, "j", one, reduce_fn, executor=pool).phase == "paused"
    assert not calls
    assert run(manager, "j", one, reduce_fn, executor=pool).phase == "completed"
    assert manager.result("j") == 5


def test_a_step_that_is_cancelled_or_fenced_off_is_not_recorded(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """No `except Exception` of the user's takes the end of the run for its own."""

    def cancel() -> int:
        manager.fire("j", "cancel", operator=True)
        return 1

    def swallowing(call: Any) -> Any:
        def reduce_fn(results: Results, steps: Steps) -> object:
            try:
                return steps.step("s", call)
            except Exception:  # noqa: BLE001 as users do
                return "swallowed"

        return reduce_fn

    manager.create_job(["a"], job_id="j")
    assert run(manager, "j", one, swallowing(cancel), executor=pool).phase == "cancelled"
    manager.create_job(["a"], job_id="k")
    other = StateManager(manager._store)

    def take_over() -> int:
        with other.lease("k", "another", takeover="to see"):
            pass
        return 1

    with pytest.raises(LeaseLost):
        run(manager, "k", one, swallowing(take_over), executor=pool)
    assert "reduce/s" not in manager.get_state("k").variables


def test_the_trouble_of_the_run_is_no_failure_of_reduce(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """What `on_progress` raises in the middle of a step ends the run; the step is recorded."""

    def on_progress(state: JobState) -> None:
        if "reduce/s" in state.variables:
            raise RuntimeError("the screen is gone")

    def reduce_fn(results: Results, steps: Steps) -> object:
        try:
            return steps.step("s", lambda: 1)
        except Exception:  # noqa: BLE001 as users do
            return "swallowed"

    manager.create_job(["a"], job_id="j")
    with pytest.raises(RuntimeError, match="the screen is gone"):
        run(manager, "j", one, reduce_fn, executor=pool, on_progress=on_progress)
    assert manager.get_state("j").phase == "reduce"
    assert run(manager, "j", one, reduce_fn, executor=pool).phase == "completed"
    assert manager.result("j") == 1


def test_a_function_with_a_default_gets_no_steps(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """Nor does a builtin that takes an option there."""
    manager.create_job(["a"], job_id="j")
    outcome = run(manager, "j", one, lambda results, kind="sum": kind, executor=pool)
    assert outcome.phase == "completed"
    assert manager.result("j") == "sum"
    manager.create_job(["a"], job_id="k")
    run(manager, "k", one, list, executor=pool)
    assert manager.result("k") == [["a", 1]]
