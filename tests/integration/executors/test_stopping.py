"""Stops: by a handle, by closing the manager, by cancelling what awaits the run, by one Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from milepost import Item, JobState, StateManager
from milepost.executors import CoroutineExecutor, Stop, run, run_async
from milepost.state.writing.lease import Lease

from .beside_a_loop import HOWS
from .test_run import create, double, total


class Gate:
    """A map function whose calls wait until they are let through, and tell that they began."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, item: Item) -> int:
        self.begun.release()
        assert self.opened.wait(30)
        return item.value

    async def awaited(self, item: Item) -> int:
        self.begun.release()
        await asyncio.Event().wait()
        return item.value


@pytest.fixture
def gate() -> Gate:
    return Gate()


def left_in_order(state: JobState, done: int) -> None:
    """Nobody holds the job, nothing is in flight, and no attempt is used up."""
    assert (state.owner, state.phase) == (None, "map")
    assert (state.progress.running, state.progress.done) == (0, done)
    waiting = state.items.members("pending")
    assert {state.items.member(n)[1]["attempts"] for n in waiting} == {0}
    assert not state.suspects
    assert state.checkpoint is not None
    assert state.checkpoint.reason == "shutdown"


def test_a_handle_stops_a_run_in_order(
    manager: StateManager, pool: ThreadPoolExecutor, gate: Gate
) -> None:
    """From another thread; what is under way ends, and is recorded."""
    job_id = create(manager, 20)
    stop = Stop()

    def end() -> None:
        for _ in range(4):
            assert gate.begun.acquire(timeout=30)
        stop.request("enough")
        gate.opened.set()

    thread = threading.Thread(target=end)
    thread.start()
    outcome = run(manager, job_id, gate, total, executor=pool, stop=stop)
    thread.join()
    assert outcome.interrupted
    assert (outcome.stop_reason, outcome.stopped_by) == ("enough", None)
    assert outcome.done_count == 4
    left_in_order(manager.get_state(job_id), done=4)
    assert run(manager, job_id, double, total, executor=pool).phase == "completed"


def test_a_second_request_waits_for_no_call(
    manager: StateManager, pool: ThreadPoolExecutor, gate: Gate
) -> None:
    job_id = create(manager, 20)
    stop = Stop()

    def end() -> None:
        assert gate.begun.acquire(timeout=30)
        stop.request("enough")
        stop.request("at once")

    thread = threading.Thread(target=end)
    thread.start()
    outcome = run(manager, job_id, gate, total, executor=pool, stop=stop, grace_s=3600)
    thread.join()
    gate.opened.set()
    assert (outcome.stop_reason, outcome.done_count) == ("enough", 0)
    left_in_order(manager.get_state(job_id), done=0)


def test_a_handle_that_was_asked_before_begins_nothing_in_any_run(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    stop = Stop()
    stop.request("not today")
    for _ in range(2):
        job_id = create(manager, 3)
        before = manager.get_state(job_id)
        outcome = run(manager, job_id, double, total, executor=pool, stop=stop)
        assert outcome.interrupted
        assert outcome.stop_reason == "not today"
        assert manager.get_state(job_id) == before
    assert repr(stop) == "<stop, asked: not today>"


def test_one_handle_stops_several_runs(manager: StateManager, gate: Gate) -> None:
    stop = Stop()
    jobs = [create(manager, 5) for _ in range(2)]
    with ThreadPoolExecutor(2) as runs:
        ends = [
            runs.submit(
                run, manager, job, gate, total, executor=partial(ThreadPoolExecutor, 1), stop=stop
            )
            for job in jobs
        ]
        for _ in jobs:
            assert gate.begun.acquire(timeout=30)
        stop.request()
        gate.opened.set()
        assert [end.result().stop_reason for end in ends] == ["asked to stop"] * 2
    for job in jobs:
        left_in_order(manager.get_state(job), done=1)


@pytest.mark.parametrize("reason", ["", 7, None])
def test_a_reason_says_something(reason: object) -> None:
    with pytest.raises(ValueError, match="argument 'reason': text of 1 to"):
        Stop().request(reason)  # type: ignore[arg-type]


def test_a_handle_ends_the_wait_for_a_holder(manager: StateManager) -> None:
    """Nothing of the job is changed, and the run says why it did not begin."""
    job_id = create(manager, 3)
    stop = Stop()
    with (
        manager.lease(job_id, "another") as held,
        ThreadPoolExecutor(1) as pool,
        ThreadPoolExecutor(1) as other,
    ):
        end = other.submit(
            run,
            manager,
            job_id,
            double,
            total,
            executor=pool,
            owner="late",
            wait="for ever",
            stop=stop,
            on_wait=lambda held: stop.request(f"{held.owner} has it"),
        )
        assert end.result(30).stop_reason == "another has it"
        assert isinstance(held, Lease)
        assert manager.get_state(job_id).owner == "another"


def test_a_handle_ends_reduce_at_its_next_result(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    job_id = create(manager, 10)
    stop = Stop()

    def reduce_fn(results: object) -> object:
        for _ in results:  # type: ignore[attr-defined]
            stop.request("enough")
        raise AssertionError("it went on to the end")

    outcome = run(manager, job_id, double, reduce_fn, executor=pool, stop=stop)
    assert (outcome.phase, outcome.interrupted) == ("reduce", True)


def test_a_stop_at_the_last_item_leaves_nothing_undone(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """What had ended is recorded; the run after finds a map that is over."""
    job_id = create(manager, 1)
    stop = Stop()

    def map_fn(item: Item) -> int:
        stop.request("at the last moment")
        return item.value

    outcome = run(manager, job_id, map_fn, total, executor=pool, stop=stop)
    assert (outcome.done_count, outcome.state.progress.running) == (1, 0)
    assert run(manager, job_id, double, total, executor=pool).phase == "completed"


# Closing the manager


@pytest.mark.parametrize("closers", [1, 2])
def test_closing_the_manager_ends_its_runs_in_order(
    tmp_path: Path, gate: Gate, closers: int
) -> None:
    """By `with`, by an error that leaves it, from two threads at once, and twice."""
    path = tmp_path / "jobs.db"
    manager = StateManager.open(path)
    job_id = create(manager, 20)
    present, asked = threading.Event(), threading.Event()

    def ask(*, hurried: bool) -> None:
        assert not hurried
        gate.opened.set()  # the run was asked before: it began before this was present
        asked.set()

    def be_present() -> None:
        with manager.users.present(ask, 30):
            present.set()
            assert asked.wait(30)

    with ThreadPoolExecutor(2 + closers) as threads:
        ended = threads.submit(
            run, manager, job_id, gate, total, executor=partial(ThreadPoolExecutor, 2)
        )
        assert gate.begun.acquire(timeout=30)
        other = threads.submit(be_present)
        assert present.wait(30)
        with pytest.raises(KeyError), manager:
            closed = [threads.submit(manager.close) for _ in range(closers)]
            raise KeyError("something else went wrong")
        other.result(30)
        for each in closed:
            each.result(30)
        assert ended.result(30).stop_reason == "its manager is closed"
    manager.close()
    with StateManager.open(path) as again:
        state = again.get_state(job_id)
        assert (state.owner, state.progress.running) == (None, 0)
        assert 0 < state.progress.done < 20
        assert again.verify(job_id)[0].sound


def test_an_interrupt_while_a_manager_waits_for_its_runs_hurries_them(
    tmp_path: Path, gate: Gate
) -> None:
    """The second Ctrl-C, as often as not: what is held is handed back before the store closes."""
    path = tmp_path / "jobs.db"
    manager = StateManager.open(path)
    job_id = create(manager, 20)
    present, left = threading.Event(), threading.Event()
    asked: list[bool] = []

    def ask(*, hurried: bool) -> None:
        asked.append(hurried)
        if not hurried:
            signal.raise_signal(signal.SIGINT)  # in the thread that closes
        left.set()

    def be_present() -> None:
        with manager.users.present(ask, 30):
            present.set()
            assert left.wait(30)

    with ThreadPoolExecutor(2) as threads:
        two = partial(ThreadPoolExecutor, 2)
        ended = threads.submit(run, manager, job_id, gate, total, executor=two, grace_s=60)
        assert gate.begun.acquire(timeout=30)
        other = threads.submit(be_present)
        assert present.wait(30)
        try:
            with pytest.raises(KeyboardInterrupt):
                manager.close()
            with StateManager.open(path) as again:
                left_in_order(again.get_state(job_id), done=0)
        finally:
            gate.opened.set()
        assert ended.result(30).stop_reason == "its manager is closed"
        other.result(30)
    assert asked == [False, True]


def test_a_manager_that_its_own_run_closes_does_not_wait_for_it(tmp_path: Path) -> None:
    """`on_progress` is called in the thread of the run, which could not end meanwhile."""
    manager = StateManager.open(tmp_path / "jobs.db")
    job_id = create(manager, 4)
    with ThreadPoolExecutor(1) as pool, pytest.raises(Exception, match="closed"):
        run(manager, job_id, double, total, executor=pool, on_progress=lambda _: manager.close())


# Cancelling


def test_cancelling_the_future_of_a_run_stops_it(manager: StateManager, gate: Gate) -> None:
    job_id = create(manager, 5)
    with ThreadPoolExecutor(1) as threads:
        ended: Future[object] = threads.submit(
            run, manager, job_id, gate.awaited, total, executor=CoroutineExecutor, grace_s=0
        )
        assert gate.begun.acquire(timeout=30)
        ended.cancel()
        ended.result(30)
        after = threads.submit(lambda: "the thread works on")
        assert after.result(30)
    left_in_order(manager.get_state(job_id), done=0)


@pytest.mark.parametrize("how", ["run_async", "to_thread"])
def test_a_cancelled_task_has_handed_back_what_had_not_ended(
    manager: StateManager, gate: Gate, how: str
) -> None:
    job_id = create(manager, 5)
    call: Callable[..., object] = (
        run_async if how == "run_async" else partial(asyncio.to_thread, run)
    )

    async def main() -> None:
        task = asyncio.ensure_future(
            call(manager, job_id, gate.awaited, total, executor=CoroutineExecutor, grace_s=0)  # type: ignore[arg-type]
        )
        await asyncio.to_thread(gate.begun.acquire)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    left_in_order(manager.get_state(job_id), done=0)


def test_an_awaited_run_gives_its_outcome_and_raises_its_errors(manager: StateManager) -> None:
    job_id = create(manager, 30)

    async def map_fn(item: Item) -> int:
        await asyncio.sleep(0)
        return item.value

    async def main() -> None:
        outcome = await run_async(manager, job_id, map_fn, total)
        assert (outcome.phase, outcome.done_count, outcome.stop_reason) == ("completed", 30, "")
        with pytest.raises(LookupError):
            await run_async(manager, "no-such-job", map_fn, total)

    asyncio.run(main())


def test_an_awaited_run_has_a_handle_too(manager: StateManager) -> None:
    """Cancelling one task asks no other run that has the same handle."""
    gates = {create(manager, 5): Gate() for _ in range(2)}
    stop = Stop()

    async def main() -> None:
        tasks = [
            asyncio.ensure_future(
                run_async(manager, job, gate.awaited, total, stop=stop, grace_s=0)
            )
            for job, gate in gates.items()
        ]
        for gate in gates.values():
            await asyncio.to_thread(gate.begun.acquire)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        assert not tasks[1].done()
        assert not stop.requested
        stop.request("both")
        assert (await tasks[1]).stop_reason == "both"

    asyncio.run(main())
    for job in gates:
        left_in_order(manager.get_state(job), done=0)


@pytest.mark.parametrize("how", HOWS)
def test_one_ctrl_c_beside_an_event_loop_ends_it(tmp_path: Path, how: str) -> None:
    path = tmp_path / "jobs.db"
    with StateManager.open(path) as manager:
        manager.create_job([f"k{n}" for n in range(50)], job_id="j")
    command = [sys.executable, "-m", f"{__package__}.beside_a_loop", str(path), how]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        for _ in range(4):  # as many as its executor works on
            assert program.stdout.readline() == "at work\n"
        program.send_signal(signal.SIGINT)
        _, told = program.communicate(timeout=60)
    assert program.returncode != 0
    assert "KeyboardInterrupt" in told
    with StateManager.open(path) as manager:
        left_in_order(manager.get_state("j"), done=1)
