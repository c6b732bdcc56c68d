"""What a function has said holds for the run that takes the job up; and a run that lost its job."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from milepost import JobState, LeaseLost, NoteRefused, StateManager
from milepost.executors import CoroutineExecutor, Later, Permanent, WorkItem, process_pool, run
from milepost.executors.engines import Engine
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from tests.integration.executors.lifecycles import RENAMED, compiled, edited

CONFIG = {"has_reduce": False, "max_dead": 100}


class Passing(FakeClock):
    """A clock by which ten seconds pass whenever the steady one is read."""

    def monotonic_us(self) -> int:
        self.advance(10)
        return super().monotonic_us()


# A pause for all items


_PROGRAM = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from milepost import StateManager
from milepost.executors import Later, run

def work(item):
    raise Later("busy", after_s=600, everyone=True)

def dies(state):
    if m.deferred(state.id):
        os.kill(os.getpid(), 9)

with StateManager.open(sys.argv[1]) as m:
    m.create_job(["a", "b", "c"], job_id="j", config={"has_reduce": False})
    run(m, "j", work, executor=partial(ThreadPoolExecutor, 1), ahead=0, on_progress=dies)
"""


@pytest.mark.parametrize(
    ("since_s", "least_s", "most_s"),
    [
        (400, 200, 600),  # what is left
        (-90_000, 600, 1_200),  # the clock was set back: no longer than was said
        (601, 0, 300),  # the time has passed while nothing ran
    ],
)
def test_a_pause_for_all_is_kept_after_a_kill(
    tmp_path: Path, since_s: float, least_s: float, most_s: float
) -> None:
    """Nobody calls before the time that was said, those that never ran neither."""
    url = tmp_path / "jobs.db"
    command = [sys.executable, "-c", _PROGRAM, str(url)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with StateManager.open(url, read_only=True) as manager:
        (since,) = {told.since for told in manager.deferred("j").values() if told.everyone}
    begins_us = int(since.timestamp() * 1_000_000) + int(since_s * 1_000_000)
    calls_us: list[int] = []
    clock = Passing(begins_us)

    def work(item: WorkItem) -> int:
        calls_us.append(clock.now_us())
        return 1

    with (
        StateManager.open(url, clock=clock, durability="process") as manager,
        ThreadPoolExecutor(1) as pool,
    ):
        given: dict[str, Any] = {"takeover": "it was killed", "look_every_s": 0.001}
        outcome = run(manager, "j", work, executor=pool, **given)
    assert (outcome.phase, len(calls_us)) == ("completed", 3)
    first_s = (min(calls_us) - begins_us) / 1_000_000
    assert least_s <= first_s <= most_s


# A job that was lost


def notes(item: WorkItem) -> object:
    """Tells in a file what became of its note: whoever began it is gone by then."""
    try:
        item.note(1)
    except NoteRefused as error:
        Path(item.value).write_text(str(error))
    return None


async def anotes(item: WorkItem) -> object:
    try:
        await item.anote(1)
    except NoteRefused as error:
        Path(item.value).write_text(str(error))
    except asyncio.CancelledError:  # the run ends what it has begun and cannot record
        Path(item.value).write_text("a coroutine was cancelled")
        raise
    return None


@pytest.mark.parametrize(
    ("made", "function"),
    [
        (partial(ThreadPoolExecutor, 1), notes),
        (partial(process_pool, 1), notes),
        (partial(CoroutineExecutor, 1), anotes),
    ],
)
def test_a_note_of_a_run_that_lost_its_job_is_refused(
    tmp_path: Path, made: Callable[[], Executor], function: Callable[[WorkItem], object]
) -> None:
    """Neither the worker nor the run waits for ever, and the log has no such note."""
    told, store = tmp_path / "told", MemoryStore()
    with StateManager(store) as manager, StateManager(store) as other, ExitStack() as taken:
        manager.create_job({"a": str(told)}, job_id="j", config=CONFIG)

        def usurped(state: JobState) -> None:
            if state.progress.running:
                taken.enter_context(other.lease("j", "usurper", takeover="test"))

        with made() as executor, pytest.raises(LeaseLost):
            run(manager, "j", function, executor=executor, on_progress=usurped)
        assert "a" in told.read_text()
        assert manager.notes("j") == {}


# A failure for good that the job could only take half


def paused_by(manager: StateManager, calls: list[str]) -> Callable[[WorkItem], int]:
    def refused(item: WorkItem) -> int:
        calls.append(item.key)
        if len(calls) == 1:
            manager.fire("j", "pause")
            raise Permanent("a 400")
        return 1

    return refused


def test_a_failure_for_good_is_given_up_by_the_run_that_comes_next(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """The job was paused as it came, so that it could be recorded and nothing could follow."""
    calls: list[str] = []
    manager.create_job(["a"], job_id="j", config={**CONFIG, "max_attempts": 5})
    work = paused_by(manager, calls)
    outcome = run(manager, "j", work, executor=pool)
    assert (outcome.phase, outcome.state.progress.failed) == ("paused", 1)
    outcome = run(manager, "j", work, executor=pool)
    assert (outcome.phase, outcome.state.progress.dead) == ("completed", 1)
    assert calls == ["a"]


_SAYS_FOR_GOOD = (
    "permanent: {type: bool, default: false, doc: No other attempt would end otherwise}"
)

_FORGETS = edited(
    RENAMED,
    (", permanent: event.permanent}}", "}}"),
    (" and not permanent, partial: true", ", partial: true"),
    ("crashes: 0, permanent: false, noted: false", "crashes: 0, noted: false"),
    ("      permanent:    {type: bool, initial: false, doc: Its last failure was for good}\n", ""),
    (f"          {_SAYS_FOR_GOOD}\n", ""),
    ("      permanent_is_over: {in: [x_pending, x_running, x_done], holds: not permanent}\n", ""),
    ("        permanent: permanent\n", ""),
)
"""A lifecycle that cannot say that a failure is for good."""


def test_where_no_role_says_for_good_the_next_run_tries_again() -> None:
    """What only the run knew is gone with it; while it goes on, nothing is called twice."""
    calls: list[str] = []
    lifecycle = compiled(_FORGETS)
    with StateManager(MemoryStore(), lifecycle=lifecycle) as manager, ThreadPoolExecutor(1) as pool:
        manager.create_job(["a", "b"], job_id="j", config={**CONFIG, "max_attempts": 5})

        def refused(item: WorkItem) -> int:
            calls.append(item.key)
            if item.key == "a" and len(calls) == 1:
                raise Permanent("a 400")
            if item.key == "b":
                manager.fire("j", "x_pause")
            return 1

        outcome = run(manager, "j", refused, executor=pool)
        assert (outcome.state.progress.dead, calls) == (1, ["a", "b"])
        calls.clear()
        manager.create_job(["a"], job_id="k", config={**CONFIG, "max_attempts": 5})

        def paused(item: WorkItem) -> int:
            calls.append(item.key)
            if len(calls) == 1:
                manager.fire("k", "x_pause")
                raise Permanent("a 400")
            return 1

        assert run(manager, "k", paused, executor=pool).state.progress.failed == 1
        assert run(manager, "k", paused, executor=pool).phase == "x_completed"
        assert calls == ["a", "a"]


# Workers that are elsewhere


class Elsewhere(Engine):
    """An engine from whose workers nothing comes back but what a call gives."""

    name = "elsewhere"

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def submit(
        self, call: Callable[..., Any], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[Any]:
        del token, timeout_s
        return self._pool.submit(call, *args)

    def slots(self) -> int:
        return 1


def test_where_workers_are_elsewhere_a_note_names_the_other_way(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    """And by that way it is given back."""

    def tells(item: WorkItem) -> object:
        item.note("batch_7")
        return 1

    def raises(item: WorkItem) -> object:
        if item.noted is None:
            raise Later("submitted", note="batch_7", after_s=0.001)
        return item.noted

    manager.create_job(["a"], job_id="j", config={**CONFIG, "max_attempts": 1})
    run(manager, "j", tells, executor=Elsewhere(pool))
    (failure,) = manager.failures("j")["a"]
    assert failure.kind == "NotesAbsent"
    assert "raise Later(note=" in failure.message
    manager.create_job(["a"], job_id="k", config=CONFIG)
    assert run(manager, "k", raises, executor=Elsewhere(pool)).phase == "completed"
    assert manager.result_of("k", "a") == "batch_7"
