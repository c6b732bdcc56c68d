"""What a function for items gets and can say, from one end of a run to the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from milepost import ArgumentInvalid, Item, NotesAbsent, StateManager, ValueInvalid
from milepost.executors import RunOutcome, Steps, Stop, Verdict, WorkItem, process_pool, run


@pytest.fixture
def manager() -> Iterator[StateManager]:
    with StateManager.open("memory:") as opened:
        yield opened


def create(manager: StateManager, *keys: str, **config: object) -> str:
    return manager.create_job([*keys], config=config).id


one = partial(ThreadPoolExecutor, 1)


def as_text(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.date) else sorted(value)  # type: ignore[call-overload]


def what(error: BaseException) -> Verdict | None:
    return Verdict(kind="mine", timeout=True) if isinstance(error, OSError) else None


@dataclass
class Answer:
    text: str
    at: dt.date


def dated(item: WorkItem) -> object:
    if item.key == "bad":
        raise OSError("gone")
    return Answer(item.key, dt.date(2024, 1, 2))


@pytest.mark.parametrize("executor", [one, partial(process_pool, 1)])
def test_hooks_of_the_caller_go_with_the_call(manager: StateManager, executor: object) -> None:
    """To threads and to processes: what is recorded is what the worker made of it."""
    job_id = create(manager, "a", "bad", max_attempts=1, max_dead=1)
    outcome = run(manager, job_id, dated, executor=executor, errors=what, encode=as_text)  # type: ignore[arg-type]
    assert outcome.done_count == 1
    assert dict(manager.results(job_id)) == {"a": {"text": "a", "at": "2024-01-02"}}
    (failure,) = manager.failures(job_id)["bad"]
    assert failure.cause == "timeout"


def test_hooks_that_cannot_be_sent_are_refused_before_anything_begins(
    manager: StateManager,
) -> None:
    job_id = create(manager, "a")
    executor = partial(process_pool, 1)
    with pytest.raises(TypeError, match="errors cannot be sent to another process"):
        run(manager, job_id, dated, executor=executor, errors=lambda error: None)
    with pytest.raises(TypeError, match="encode cannot be sent to another process"):
        run(manager, job_id, dated, executor=executor, encode=lambda value: None)
    with pytest.raises(ArgumentInvalid, match="errors"):
        run(manager, job_id, dated, executor=one, errors={OSError: "never"})  # type: ignore[dict-item]
    with pytest.raises(ArgumentInvalid, match="encode"):
        run(manager, job_id, dated, executor=one, encode=3)  # type: ignore[arg-type]
    assert manager.get_state(job_id).phase == "setup"


def test_an_item_tells_its_attempt_and_one_key_for_all_of_them(manager: StateManager) -> None:
    """The key is another for each item, and for another job with items of the same keys."""
    seen: list[WorkItem] = []

    def work(item: WorkItem) -> object:
        seen.append(item)
        if item.attempt < 3:
            raise ValueError("again")
        return item.attempt

    for job_id in ("j", "k"):
        manager.create_job(["a", "b"], job_id=job_id, config={"max_attempts": 3})
        run(manager, job_id, work, executor=one)
        assert dict(manager.results(job_id)) == {"a": 3, "b": 3}
    keys = [item.idempotency_key for item in seen]
    assert len(set(keys)) == 4
    assert all(len(key) == 32 and key.isalnum() for key in keys)
    assert len({item.token for item in seen}) == len(seen) == 12
    assert {item.job_id for item in seen} == {"j", "k"}
    assert sorted(i.attempt for i in seen if i.key == "a") == [1, 1, 2, 2, 3, 3]
    assert isinstance(seen[0], Item)


def test_a_key_outlives_the_run(manager: StateManager) -> None:
    """A run that takes the job up has the same items."""
    seen: list[str] = []
    job_id = create(manager, "a", max_attempts=3)
    stop = Stop()

    def first(item: WorkItem) -> object:
        seen.append(item.idempotency_key)
        stop.request("seen enough")
        raise SystemExit(3)

    def second(item: WorkItem) -> object:
        seen.append(item.idempotency_key)
        return item.attempt

    assert run(manager, job_id, first, executor=one, stop=stop).interrupted
    run(manager, job_id, second, executor=one)
    assert dict(manager.results(job_id)) == {"a": 2}
    assert len(seen) == 2
    assert len(set(seen)) == 1


def test_a_note_has_a_way_or_is_refused(manager: StateManager) -> None:
    """By a sentence that names the other way."""
    item = WorkItem(key="k", job_id="j")
    with pytest.raises(NotesAbsent, match="raise Later"):
        item.note("batch_7")
    with pytest.raises(ValueInvalid, match="the note"):
        item.note(object())


def test_an_interrupt_of_the_run_is_no_fault_of_the_item(manager: StateManager) -> None:
    """Ctrl-C reaches the processes of a pool too: their items are handed back, unharmed."""
    job_id = create(manager, "a", "b", "c", max_attempts=1)
    stop = Stop()

    def interrupted(item: WorkItem) -> object:
        stop.request("Ctrl-C")
        raise KeyboardInterrupt

    outcome = run(manager, job_id, interrupted, executor=one, stop=stop)
    assert outcome.interrupted
    assert manager.failures(job_id) == {}
    assert outcome.state.progress.pending == 3


def test_an_interrupt_of_its_own_is(manager: StateManager) -> None:
    """The control: where nobody stopped the run, it is an attempt that failed, and not for ever."""
    job_id = create(manager, "a", max_attempts=2)

    def interrupted(item: WorkItem) -> object:
        raise KeyboardInterrupt

    outcome = run(manager, job_id, interrupted, executor=one)
    assert (outcome.phase, outcome.failure_count) == ("failed", 2)


def test_phases_and_steps_take_what_items_do(manager: StateManager) -> None:
    def setup(state: object, steps: Steps) -> dict[str, object]:
        step = steps.step("dates", lambda: [Answer("s", dt.date(2024, 3, 4))])
        assert step == [{"text": "s", "at": "2024-03-04"}]
        return {"answer": Answer("v", dt.date(2024, 5, 6))}

    def reduce(results: Iterator[tuple[str, object]]) -> object:
        return (Answer("r", dt.date(2024, 1, 1)), len(list(results)))

    job_id = create(manager, "a")
    outcome: RunOutcome = run(
        manager, job_id, dated, reduce, setup_fn=setup, executor=one, encode=as_text
    )
    assert outcome.phase == "completed"
    assert manager.result(job_id) == [{"text": "r", "at": "2024-01-01"}, 1]
    assert outcome.state.variables["answer"] == {"text": "v", "at": "2024-05-06"}
