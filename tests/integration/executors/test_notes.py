"""Notes of work begun outside: durable before they are acknowledged, and given back ever after."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from milepost import ItemEvent, JobState, NoteRefused, NotesAbsent, Scope, StateManager
from milepost.executors import (
    CoroutineExecutor,
    Later,
    Permanent,
    Stop,
    WorkItem,
    process_pool,
    run,
)
from milepost.executors.notes import Notes
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from milepost.worker.notes import HostWay

CONFIG = {"has_reduce": False, "max_dead": 100}


def notes_and_fails_once(item: WorkItem) -> object:
    """A function of the top of a module, as processes need it."""
    if item.noted is None:
        item.note({"batch": item.key})
        raise ConnectionError("gone before it was done")
    return item.noted


async def anotes_and_fails_once(item: WorkItem) -> object:
    if item.noted is None:
        await item.anote({"batch": item.key})
        raise ConnectionError("gone before it was done")
    return item.noted


@pytest.mark.parametrize(
    ("made", "function"),
    [
        (partial(ThreadPoolExecutor, 3), notes_and_fails_once),
        (partial(process_pool, 2), notes_and_fails_once),
        (partial(CoroutineExecutor, 8), anotes_and_fails_once),
    ],
)
def test_a_note_is_given_back_at_the_next_attempt(
    made: Callable[[], Executor], function: Callable[[WorkItem], object]
) -> None:
    with StateManager(MemoryStore()) as manager:
        manager.create_job(["a", "b", "c", "d"], job_id="j", config=CONFIG)
        outcome = run(manager, "j", function, executor=made)
        assert (outcome.phase, outcome.failure_count) == ("completed", 4)
        assert dict(manager.results("j")) == {key: {"batch": key} for key in "abcd"}
        assert manager.notes("j") == {key: {"batch": key} for key in "abcd"}


def test_a_note_is_durable_when_the_call_goes_on(
    manager: StateManager, pool: ThreadPoolExecutor
) -> None:
    seen: list[object] = []

    def work(item: WorkItem) -> int:
        item.note(1)
        item.note([2])
        seen.append(manager.notes("j")["a"])
        return 1

    manager.create_job(["a"], job_id="j", config=CONFIG)
    run(manager, "j", work, executor=pool)
    assert seen == [[2]]


_PROGRAM = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from milepost import StateManager
from milepost.executors import run

def work(item):
    if item.noted is None:
        with open(sys.argv[2], "a") as service:
            service.write("submitted\\n")
        item.note("batch_42")
        os.kill(os.getpid(), 9)
    return item.noted

with StateManager.open(sys.argv[1]) as m:
    if not m.job_ids("j"):
        m.create_job(["chunk"], job_id="j", config={"has_reduce": False})
    run(m, "j", work, executor=partial(ThreadPoolExecutor, 1), takeover="restart")
"""


def test_a_note_outlives_the_process(tmp_path: Path) -> None:
    """Submitted once, however often the process is killed."""
    url, service = tmp_path / "jobs.db", tmp_path / "service"
    command = [sys.executable, "-c", _PROGRAM, str(url), str(service)]
    codes = [subprocess.run(command, check=False).returncode for _ in range(2)]
    assert codes == [-signal.SIGKILL, 0]
    assert service.read_text() == "submitted\n"
    with StateManager.open(url, read_only=True) as manager:
        assert dict(manager.results("j")) == {"chunk": "batch_42"}


def test_where_there_is_no_way_back_the_call_is_told(pool: ThreadPoolExecutor) -> None:
    """An item outside a run, and one that was sent elsewhere."""
    item = WorkItem(key="a", job_id="j")
    with pytest.raises(NotesAbsent, match="Later"):
        item.note(1)


def test_an_attempt_that_is_over_notes_nothing() -> None:
    items: list[WorkItem] = []

    def work(item: WorkItem) -> int:
        items.append(item)
        return 1

    with StateManager(MemoryStore()) as manager, ThreadPoolExecutor(1) as pool:
        manager.create_job(["a"], job_id="j", config=CONFIG)
        run(manager, "j", work, executor=pool)
        with pytest.raises(NoteRefused, match="the run has ended"):
            items[0].note(1)
        assert manager.notes("j") == {}


def test_a_note_of_an_item_that_was_taken_away_is_refused(manager: StateManager) -> None:
    told: list[Exception] = []

    def work(item: WorkItem) -> int:
        manager.record("j", [ItemEvent("a", "skip")], operator=True)
        try:
            item.note(1)
        except NoteRefused as error:
            told.append(error)
        return 1

    manager.create_job(["a"], job_id="j", config=CONFIG)
    with ThreadPoolExecutor(1) as pool:
        run(manager, "j", work, executor=pool)
    assert len(told) == 1
    assert manager.notes("j") == {}


def test_no_worker_waits_for_a_run_that_has_ended() -> None:
    asked = threading.Event()
    notes = Notes(asked.set)
    item = WorkItem(key="a", identity="j 0", begun="1 2")
    notes.began({0: item})
    told: list[str] = []
    asking = threading.Thread(target=lambda: told.append(notes.ask(item.token, 1)))
    asking.start()
    assert asked.wait(10)
    notes.close()
    asking.join(10)
    assert told == ["the run has ended"]
    assert notes.ask(item.token, 2) == "the run has ended"


def test_attempts_that_begin_and_end_after_the_first_note_are_known() -> None:
    """Which attempts there are is looked up by token from the first note on."""
    first, second = (WorkItem(key=key, identity=f"j {key}", begun="1 2") for key in "ab")
    notes = Notes(lambda: [asked.answer() for asked in notes.take()] and None)
    notes.began({0: first})
    assert notes.ask(second.token, 1) == "the attempt is over"
    notes.began({1: second})
    assert [notes.ask(each.token, 1) for each in (first, second)] == ["", ""]
    notes.ended([0])
    told = [notes.ask(each.token, 1) for each in (first, second)]
    assert told == ["the attempt is over", ""]


class Passing(FakeClock):
    """A clock by which ten seconds pass whenever the steady one is read, once they are to."""

    passing = False

    def monotonic_us(self) -> int:
        if self.passing:
            self.advance(10)
        return super().monotonic_us()


def test_a_restart_begins_no_wait_anew_and_gives_the_note_back(pool: ThreadPoolExecutor) -> None:
    """Of 600 s, 500 had passed; the wall clock that was set back makes it no longer than 600."""
    clock = Passing()
    stop = Stop()

    def submits(item: WorkItem) -> int:
        stop.request("restart")
        raise Later("not yet", note="batch_7", after_s=600)

    with StateManager(MemoryStore(), clock=clock) as manager:
        manager.create_job(["a"], job_id="j", config=CONFIG)
        run(manager, "j", submits, executor=pool, stop=stop)
        waiting = manager.deferred("j")["a"]
        assert (waiting.until - waiting.since).total_seconds() == 600
        assert manager.notes("j") == {"a": "batch_7"}
        assert not manager.stuck_jobs()
        clock.advance(500)
        clock.passing = True
        before_us = clock.now_us()
        outcome = run(manager, "j", lambda item: item.noted, executor=pool, look_every_s=0.001)
        assert outcome.phase == "completed"
        assert manager.result_of("j", "a") == "batch_7"
        [begun] = [e.at for e in manager.get_state_history("j") if e.event == "start"][1:]
        waited_s = begun.timestamp() - before_us / 1_000_000
        assert 100 <= waited_s < 500
        assert manager.deferred("j") == {}


def test_a_requeue_takes_the_note_away_while_the_run_goes_on(pool: ThreadPoolExecutor) -> None:
    seen: list[object] = []
    dead, again = threading.Event(), threading.Event()

    def look(state: JobState) -> None:
        if state.progress.dead:
            dead.set()

    def work(item: WorkItem) -> object:
        if item.key == "other":
            assert dead.wait(30)
            manager.requeue("j", Scope())
            assert again.wait(30)
            return 0
        seen.append(item.noted)
        if len(seen) == 1:
            item.note("a batch that failed")
            raise Permanent("so it is of no use")
        again.set()
        return 1

    with StateManager(MemoryStore()) as manager:
        manager.create_job(["a", "other"], job_id="j", config=CONFIG)
        run(manager, "j", work, executor=pool, on_progress=look, look_every_s=0.05)
        assert seen == [None, None]


def test_an_item_can_be_copied_and_sent_on_where_it_takes_no_note(pool: ThreadPoolExecutor) -> None:
    found: list[str] = []

    def work(item: WorkItem) -> object:
        sent: WorkItem = pickle.loads(pickle.dumps(item))
        assert (sent.key, sent.token) == (item.key, item.token)
        with pytest.raises(NotesAbsent):
            sent.note("from another process")
        copy.copy(item).note("from a copy")
        copy.deepcopy(item).note("from a deep copy")
        found.append(item.key)
        return 1

    with StateManager(MemoryStore()) as manager:
        manager.create_job(["a"], job_id="j", config=CONFIG)
        outcome = run(manager, "j", work, executor=pool)
        assert (found, outcome.state.progress.done) == (["a"], 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_is_told_at_once_that_it_cannot_note(pool: ThreadPoolExecutor) -> None:
    def work(item: WorkItem) -> object:
        child = os.fork()
        if child == 0:
            try:
                item.note("of a child")
            except NotesAbsent:
                os._exit(7)
            finally:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with StateManager(MemoryStore()) as manager:
        manager.create_job(["a"], job_id="j", config=CONFIG)
        run(manager, "j", work, executor=pool)
        assert dict(manager.results("j")) == {"a": 7}


def test_an_item_in_a_log_shows_no_key() -> None:
    way = HostWay("somewhere", b"a secret")
    assert "secret" not in repr(WorkItem(key="a", way=way))
    assert "somewhere" in repr(way)


@pytest.mark.parametrize("how", ["note", "later"])
def test_a_note_that_is_no_json_is_not_tried_again(how: str, pool: ThreadPoolExecutor) -> None:
    calls: list[int] = []

    def work(item: WorkItem) -> None:
        calls.append(item.attempt)
        if how == "later":
            raise Later("submitted", note={1, 2})
        item.note({1, 2})

    with StateManager(MemoryStore()) as manager:
        manager.create_job(["a"], job_id="j", config=CONFIG)
        run(manager, "j", work, executor=pool)
        (letter,) = manager.dead_letters("j")
        assert calls == [1]
        assert letter.failures[-1].permanent


@pytest.mark.parametrize("asked", ["errors", "encode"])
def test_nobody_awaits_what_is_asked_on_workers(asked: str, pool: ThreadPoolExecutor) -> None:
    async def gives_a_coroutine(given: object) -> None:
        raise AssertionError(given)

    with StateManager(MemoryStore()) as manager:
        manager.create_job(["a"], job_id="j", config=CONFIG)
        with pytest.raises(TypeError, match=f"{asked} gives a coroutine"):
            run(manager, "j", str, executor=pool, **{asked: gives_a_coroutine})
        assert manager.get_state("j").progress.pending == 1


def notes_a_set(item: WorkItem) -> object:
    """Noted, and given back, by a function that may be sent on with its item."""
    if item.noted is None:
        assert pickle.loads(pickle.dumps(item)).key == copy.deepcopy(item).key == item.key
        item.note({"parts": {item.key}})
        raise ConnectionError("gone before it was done")
    return item.noted


async def anotes_a_set(item: WorkItem) -> object:
    if item.noted is None:
        await item.anote({"parts": {item.key}})
        raise ConnectionError("gone before it was done")
    return item.noted


@pytest.mark.parametrize(
    ("made", "function", "encode"),
    [
        (partial(ThreadPoolExecutor, 3), notes_a_set, lambda value: sorted([*value])),
        (partial(process_pool, 2), notes_a_set, sorted),
        (partial(CoroutineExecutor, 8), anotes_a_set, sorted),
    ],
)
def test_a_note_is_converted_as_a_result_is(
    made: Callable[[], Executor],
    function: Callable[[WorkItem], object],
    encode: Callable[..., object],
) -> None:
    """By `encode=` of the run, wherever the function runs."""
    with StateManager(MemoryStore()) as manager:
        manager.create_job(["a", "b"], job_id="j", config=CONFIG)
        outcome = run(manager, "j", function, executor=made, encode=encode)
        assert (outcome.phase, outcome.failure_count) == ("completed", 2)
        assert dict(manager.results("j")) == {key: {"parts": [key]} for key in "ab"}
        assert manager.notes("j") == {key: {"parts": [key]} for key in "ab"}
