"""Items that go to an engine several in one call: each is called as often as the log says."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import Item, JobState, StateManager
from milepost.executors import Later, Stop, process_pool, run
from milepost.executors.arrivals import Arrivals
from milepost.executors.calls import Calls
from milepost.executors.window import Window
from milepost.worker.attempts import Terms
from milepost.worker.items import WorkItem

End = Literal["well", "lost", "error", "back", "refused", "twice"]
ENDLESS = {"max_attempts": 100, "max_crashes": 100}


class Scripted(Executor):
    """Makes its calls at once, and ends them as the script says that all of its kind share."""

    def __init__(self, slots: int, script: Iterable[End], sizes: list[int]) -> None:
        self._slots = slots
        self._script = iter(script)
        self._sizes = sizes
        self._broken = False

    def slots(self) -> int:
        return self._slots

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        end: End = "refused" if self._broken else next(self._script)
        if end == "refused":
            raise RuntimeError("no more")
        future: Future[Any] = Future()
        if end == "back":
            future.cancel()
            future.set_running_or_notify_cancel()
            return future
        given = fn(*args, **kwargs)
        self._sizes.append(len(given))
        if end == "twice":
            fn(*args, **kwargs)
        if end == "lost":
            self._broken = True
            future.set_exception(BrokenExecutor("its worker is gone"))
        elif end == "error":
            future.set_exception(OSError("too much for the wire"))
        else:
            future.set_result(given)
        return future


def names(count: int) -> list[Item]:
    return [Item(key=f"item-{number}", value=number) for number in range(count)]


def noted(calls: list[str], failing: frozenset[int], item: Item) -> int:
    """Notes the call; some fail at first."""
    calls.append(item.key)
    if item.value in failing and calls.count(item.key) == 1:
        raise ValueError(item.key)
    return int(item.value)


def recorded(manager: StateManager, state: JobState) -> Counter[str]:
    """How often each item was called, as the log tells: begun, and not taken back as it was."""
    counts: Counter[str] = Counter()
    for event in manager.get_state_history(state.id):
        if event.event == "start":
            counts.update(event.items)
        if event.event == "release":
            counts.subtract(event.items)
    return counts


def worked(
    slots: int, count: int, script: Iterable[End], failing: frozenset[int] = frozenset()
) -> list[int]:
    """A job of `count` items, worked on by the script and looked at; how many went in each call.

    Workers' time stands still: a lost call that took long may have left items that the log says
    were begun.
    """
    calls: list[str] = []
    sizes: list[int] = []
    shared = chain(script, repeat("well"))
    with pytest.MonkeyPatch.context() as patch, StateManager.open("memory:") as manager:
        patch.setattr(time, "perf_counter", lambda: 0.0)
        job_id = manager.create_job(names(count), config=ENDLESS).id
        make = partial(Scripted, slots, shared, sizes)
        function = partial(noted, calls, failing)
        outcome = run(manager, job_id, function, executor=make, probe_s=None)
        assert dict(manager.results(job_id)) == {item.key: item.value for item in names(count)}
        assert outcome.done_count == count
        assert Counter(calls) == recorded(manager, outcome.state)
    return sizes


@st.composite
def scripts(draw: st.DrawFn) -> list[End]:
    """Trouble, and calls that end well between, without which a run calls its executor unfit."""
    trouble: st.SearchStrategy[End] = st.sampled_from(["lost", "error", "back", "refused"])
    every = draw(st.lists(st.tuples(st.integers(1, 4), trouble), max_size=6))
    return [end for wells, bad in every for end in (*["well"] * wells, bad)]


@settings(deadline=None, max_examples=50)
@given(
    slots=st.integers(1, 4),
    count=st.integers(1, 500),
    script=scripts(),
    failing=st.frozensets(st.integers(0, 300), max_size=5),
)
def test_each_item_is_called_as_often_as_the_log_says(
    slots: int, count: int, script: list[End], failing: frozenset[int]
) -> None:
    """And ends with its own result, whatever becomes of the calls that it goes in."""
    worked(slots, count, script, failing)


def test_an_engine_that_calls_twice_is_found_out() -> None:
    """The negative control: what looks at all this sees a call too many."""
    with pytest.raises(AssertionError):
        worked(2, 200, ["well", "well", "well", "twice"])


def test_short_calls_go_together() -> None:
    sizes = worked(2, 3_000, [])
    assert len(sizes) < 1_000
    assert sizes[0] == 1
    assert max(sizes) <= 64


def test_calls_with_a_time_limit_go_alone() -> None:
    calls: list[str] = []
    sizes: list[int] = []
    with StateManager.open("memory:") as manager:
        job_id = manager.create_job(names(300)).id
        executor = Scripted(2, repeat("well"), sizes)
        work = partial(noted, calls, frozenset())
        assert (
            run(manager, job_id, work, executor=executor, timeout_s=60, probe_s=None).done_count
            == 300
        )
    assert set(sizes) == {1}


class Handed(ThreadPoolExecutor):
    """A pool that takes calls for running as soon as it has them, as one of processes may."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self.futures.append(future)
        return future


def test_the_time_of_a_call_begins_when_a_worker_is_free_for_it() -> None:
    """What waits behind a call that hangs has no part in that, and has its whole time later."""
    now_s = [0.0]
    pool = Handed(1)
    function = partial(noted, [], frozenset())
    calls = Calls(
        pool,
        [function],
        workers=None,
        timeout_s=10,
        clock=lambda: now_s[0],
        terms=Terms(most_bytes=1000),
    )

    def ended_at(at_s: float) -> list[int]:
        now_s[0] = at_s
        return [one.ordinal for one in calls.wait(0)]

    assert calls.ahead
    items = {number: WorkItem(key=f"{number}", value=number) for number in range(3)}
    calls.begin(function, items, typed=False)
    assert ended_at(0) == []
    assert ended_at(9) == []
    assert ended_at(10) == [0]  # and its worker hangs still
    assert ended_at(99) == []
    pool.futures[0].set_result([])
    assert ended_at(100) == []  # it is seen that the worker is free
    assert ended_at(109) == []
    assert ended_at(110) == [1]
    calls.close()


def test_calls_wait_at_a_pool_under_a_time_limit_too() -> None:
    """One in order, which begins them one after the other: a commit records many."""
    with StateManager.open("memory:") as manager, ThreadPoolExecutor(2) as pool:
        job_id = manager.create_job(names(1_000)).id
        work = partial(noted, [], frozenset())
        outcome = run(manager, job_id, work, executor=pool, timeout_s=60)
        assert outcome.done_count == 1_000
        assert outcome.state.seq < 250


@pytest.mark.parametrize(
    ("took_s", "held", "together"),
    [
        (0.000_01, 258, 64),  # as many as there may be
        (0.001, 258, 5),  # 5 ms of work
        (0.006, 258, 1),
        (0.000_01, 36, 9),  # two calls for each worker
        (0.000_01, 3, 1),
    ],
)
def test_a_call_is_short_and_leaves_work_for_every_worker(
    took_s: float, held: int, together: int
) -> None:
    window = Window(lambda: 2, 256)
    assert window.together(held) == 1  # nothing is known yet
    window.learn([took_s], 0.0)
    assert window.together(held) == together


@pytest.mark.parametrize(
    ("took_s", "ahead", "held", "gather"),
    [
        (0.000_01, 256, 258, 128),  # half of what the workers need not wait for
        (0.019, 256, 258, 128),
        (0.021, 256, 258, 1),  # dear: recorded as soon as it is heard of
        (0.000_01, 256, 3, 1),
        (0.000_01, 0, 2, 1),  # a run with a time limit, say
    ],
)
def test_results_of_short_calls_wait_for_one_another(
    took_s: float, ahead: int, held: int, gather: int
) -> None:
    window = Window(lambda: 2, ahead)
    assert window.gather(held) == 1  # nothing is known yet
    window.learn([took_s], 0.0)
    assert window.gather(held) == gather


def test_what_arrives_is_taken_in_lots() -> None:
    """Once enough is there, or else what is there once the time is over, or at a wake."""
    arrivals: Arrivals[int] = Arrivals()
    for number in range(4):
        arrivals.put(number)
    assert arrivals.take(60, enough=3, gather_s=60) == [0, 1, 2, 3]
    arrivals.put(4)
    assert arrivals.take(60, enough=3, gather_s=0) == [4]
    arrivals.put(5)
    arrivals.wake()
    assert arrivals.take(60, enough=3, gather_s=60) == [5]
    assert arrivals.take(0) == []
    putting = threading.Thread(target=lambda: [arrivals.put(number) for number in range(200)])
    putting.start()
    assert arrivals.take(60, enough=200, gather_s=60) == list(range(200))
    putting.join()


def test_more_is_held_ahead_where_turns_take_long() -> None:
    """As many as are done with in three turns, up to `ahead`: no slot waits for a slow disk."""
    window = Window(lambda: 32, 256)
    window.learn([0.2], 0.0)
    assert window.size == 32 + 8  # 50 ms
    for _ in range(100):
        window.turned(0.04)
    assert window.size == 32 + 19
    for _ in range(100):
        window.turned(30.0)
    assert window.size == 32 + 160  # a second's


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of workers, in seconds: it stands still until a test adds to it."""
    passed = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: sum(passed))
    return passed


def at_length(calls: list[str], passed: list[float], item: Item) -> int:
    calls.append(item.key)
    if item.value == 100:
        passed.append(3.0)
    return int(item.value)


def test_what_a_long_call_holds_up_is_handed_back(still: list[float]) -> None:
    """The items behind it in the same call are not called there, and none of them twice."""
    calls: list[str] = []
    sizes: list[int] = []
    with StateManager.open("memory:") as manager:
        job_id = manager.create_job(names(1_000)).id
        work = partial(at_length, calls, still)
        outcome = run(manager, job_id, work, executor=Scripted(2, repeat("well"), sizes))
        assert outcome.done_count == 1_000
        events = [e for e in manager.get_state_history(job_id) if e.event == "release"]
        assert sum(event.count for event in events) > 0
        assert Counter(calls) == recorded(manager, outcome.state) == Counter(set(calls))
        assert sizes.count(1) > 500, "after it they go alone for a while: another may be long"


def pausing(calls: list[str], item: Item) -> int:
    calls.append(item.key)
    if item.value == 100 and calls.count(item.key) == 1:
        raise Later("busy", everyone=True)
    return int(item.value)


def test_nobody_behind_it_is_called_once_a_call_asks_everyone_to_wait(still: list[float]) -> None:
    calls: list[str] = []
    sizes: list[int] = []
    with StateManager.open("memory:") as manager:
        job_id = manager.create_job(names(400)).id
        executor = Scripted(2, repeat("well"), sizes)
        assert run(manager, job_id, partial(pausing, calls), executor=executor).done_count == 400
        events = [e for e in manager.get_state_history(job_id) if e.event == "release"]
        assert sum(event.count for event in events) > 0
    assert still == [0.0]


def stopping(calls: list[str], stop: Stop, item: Item) -> int:
    calls.append(item.key)
    if item.value == 200:
        stop.request()
    return int(item.value)


def test_calls_that_have_not_begun_are_taken_back_whole() -> None:
    calls: list[str] = []
    stop = Stop()
    with StateManager.open("memory:") as manager, ThreadPoolExecutor(1) as executor:
        job_id = manager.create_job(names(5_000)).id
        work = partial(stopping, calls, stop)
        outcome = run(manager, job_id, work, executor=executor, stop=stop)
        assert outcome.interrupted
        assert Counter(calls) == +recorded(manager, outcome.state)
        assert outcome.done_count == len(calls) < 5_000


def deadly(folder: Path, item: Item) -> int:
    with (folder / item.key).open("ab", buffering=0) as file:
        file.write(b".")
        if item.value == 150 and file.tell() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return int(item.value)


def test_a_worker_that_dies_takes_no_attempt_from_its_neighbours(tmp_path: Path) -> None:
    with StateManager.open("memory:") as manager:
        job_id = manager.create_job(names(300)).id
        work = partial(deadly, tmp_path)
        outcome = run(manager, job_id, work, executor=partial(process_pool, 1))
        assert outcome.done_count == 300
        assert outcome.failure_count == 0
        lost = [e.count for e in manager.get_state_history(job_id) if e.event == "interrupt"]
        assert 1 <= sum(lost) <= 64
        counts = Counter({path.name: path.stat().st_size for path in tmp_path.iterdir()})
        begun = recorded(manager, outcome.state)
        assert counts.keys() == begun.keys()
        assert all(counts[key] <= begun[key] for key in counts)  # some were not come to
