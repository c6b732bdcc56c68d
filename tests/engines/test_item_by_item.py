"""Several items in one call of a thread: each is recorded as it ends, and waits for no other."""

from __future__ import annotations

import pickle
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import Item, JobState, StateManager
from milepost.executors import Stop, run
from milepost.executors.calls import Calls
from milepost.executors.window import Window
from milepost.stores.memory import MemoryStore
from milepost.worker.attempts import Terms
from milepost.worker.chunks import Chunk
from milepost.worker.items import WorkItem
from tests.integration.executors.lifecycles import REVIEW, compiled, edited

from .test_together import ENDLESS, names, recorded

LONGEST_S = 60.0
"""What hangs here ends once it is seen that nobody waited for it, or fails the test then."""


class Hanging:
    """A function of which some calls hang, each until `enough` is true of what was seen so far."""

    def __init__(self, hanging: frozenset[int], enough: Callable[[Hanging], bool]) -> None:
        self.calls: list[str] = []
        self.state: JobState | None = None
        self.in_vain = 0
        self._hanging = hanging
        self._enough = enough
        self._changed = threading.Condition()

    def __call__(self, item: Item) -> int:
        with self._changed:
            self.calls.append(item.key)
            self._changed.notify_all()
            if item.value in self._hanging:
                seen = self._changed.wait_for(lambda: self._enough(self), LONGEST_S)
                self.in_vain += not seen
        return int(item.value)

    def recorded(self, state: JobState) -> None:
        """Called by the run after each commit."""
        with self._changed:
            self.state = state
            self._changed.notify_all()

    @property
    def called(self) -> set[str]:
        return set(self.calls)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls take no time, as far as workers can tell: as many go together as may."""
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)


@pytest.mark.usefixtures("still")
def test_what_ended_before_one_that_hangs_is_recorded() -> None:
    def all_before(hanging: Hanging) -> bool:
        return hanging.state is not None and hanging.state.progress.done == len(hanging.calls) - 1

    hanging = Hanging(frozenset(range(100, 200, 9)), all_before)
    with StateManager.open("memory:") as manager, ThreadPoolExecutor(1) as pool:
        job_id = manager.create_job(names(300)).id
        outcome = run(manager, job_id, hanging, executor=pool, on_progress=hanging.recorded)
        assert hanging.in_vain == 0
        assert outcome.done_count == 300
        assert Counter(hanging.calls) == recorded(manager, outcome.state)


@pytest.mark.usefixtures("still")
def test_what_is_behind_one_that_hangs_is_called_elsewhere() -> None:
    hanging = Hanging(frozenset([100]), lambda seen: len(seen.called) == 400)
    with StateManager.open("memory:") as manager, ThreadPoolExecutor(2) as pool:
        job_id = manager.create_job(names(400)).id
        outcome = run(manager, job_id, hanging, executor=pool, look_every_s=3600)
        assert hanging.in_vain == 0
        assert dict(manager.results(job_id)) == {item.key: item.value for item in names(400)}
        taken_back = [e.count for e in manager.get_state_history(job_id) if e.event == "release"]
        assert sum(taken_back) > 0
        assert Counter(hanging.calls) == recorded(manager, outcome.state)
        assert len(hanging.calls) == 400


@pytest.mark.usefixtures("still")
def test_a_stop_takes_back_what_is_behind_the_one_under_way() -> None:
    """It may still end within the grace; none is begun behind it."""
    stop = Stop()

    def alone(seen: Hanging) -> bool:
        if not stop.requested:  # asked again, it would wait for none
            stop.request()
        return seen.state is not None and seen.state.progress.running == 1

    hanging = Hanging(frozenset([100]), alone)
    with StateManager.open("memory:") as manager, ThreadPoolExecutor(1) as pool:
        job_id = manager.create_job(names(400)).id
        outcome = run(
            manager, job_id, hanging, executor=pool, stop=stop, on_progress=hanging.recorded
        )
        assert hanging.in_vain == 0
        assert outcome.interrupted
        assert hanging.calls[-1] == "item-100"
        assert outcome.done_count == len(hanging.calls)
        assert Counter(hanging.calls) == +recorded(manager, outcome.state)


@pytest.mark.usefixtures("still")
def test_a_run_that_waits_no_longer_records_what_has_ended() -> None:
    """And its worker, once the one that hung has ended, begins none of those behind it."""
    stop, over = Stop(), threading.Event()

    def until_over(seen: Hanging) -> bool:
        del seen
        stop.request()
        return over.is_set()

    hanging = Hanging(frozenset([100]), until_over)
    with StateManager.open("memory:") as manager:
        with ThreadPoolExecutor(1) as pool:
            job_id = manager.create_job(names(400)).id
            outcome = run(manager, job_id, hanging, executor=pool, stop=stop, grace_s=0)
            over.set()
            hanging.recorded(outcome.state)
        *before, last = hanging.calls
        assert last == "item-100"
        assert Counter(before) == +recorded(manager, outcome.state)
        assert outcome.done_count == len(before)
        assert outcome.state.progress.running == 0


@pytest.mark.usefixtures("still")
def test_nothing_is_held_ahead_of_workers_whose_calls_hang() -> None:
    """The log has it for begun: all of it would be suspected if the run died meanwhile."""

    def alone(seen: Hanging) -> bool:
        return seen.state is not None and seen.state.progress.running <= 2

    hanging = Hanging(frozenset([100, 101]), alone)
    with StateManager.open("memory:") as manager, ThreadPoolExecutor(2) as pool:
        job_id = manager.create_job(names(400)).id
        outcome = run(
            manager,
            job_id,
            hanging,
            executor=pool,
            on_progress=hanging.recorded,
            look_every_s=3600,
        )
        assert hanging.in_vain == 0
        assert outcome.done_count == 400
        assert Counter(hanging.calls) == recorded(manager, outcome.state)


class Sending(ThreadPoolExecutor):
    """A pool that sends calls on by pickle, as one of interpreters does."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(unpacked, pickle.dumps((fn, args, kwargs)))


def unpacked(packed: bytes) -> Any:
    fn, args, kwargs = pickle.loads(packed)
    return fn(*args, **kwargs)


_SENT: list[str] = []


def noted_here(item: Item) -> int:
    _SENT.append(item.key)
    return int(item.value)


class Weighing(ThreadPoolExecutor):
    """A pool that pickles calls to see how much they are, and makes them here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert pickle.dumps((fn, args, kwargs))
        return super().submit(fn, *args, **kwargs)


class WeighingAndSending(Sending):
    """A pool that pickles calls twice."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert pickle.dumps((fn, args, kwargs))
        return super().submit(fn, *args, **kwargs)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("kind", [Sending, Weighing, WeighingAndSending])
def test_what_a_pool_sends_on_is_called_there_alone(
    kind: type[ThreadPoolExecutor], late: Stop
) -> None:
    _SENT.clear()
    with StateManager.open("memory:") as manager, kind(2) as pool:
        job_id = manager.create_job(names(500)).id
        outcome = run(manager, job_id, noted_here, executor=pool, stop=late)
        assert dict(manager.results(job_id)) == {item.key: item.value for item in names(500)}
        assert Counter(_SENT) == recorded(manager, outcome.state)
        assert len(_SENT) == 500


class Failing(ThreadPoolExecutor):
    """A pool whose calls of several items fail after the last of them has ended."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def failing() -> object:
            given = fn(*args, **kwargs)
            if isinstance(args[0], Chunk):
                raise OSError("too much for the wire")
            return given

        return super().submit(failing)


@pytest.mark.usefixtures("still")
def test_what_was_told_stays_so_if_the_call_fails_as_a_whole() -> None:
    hanging = Hanging(frozenset(), lambda seen: True)
    with StateManager.open("memory:") as manager, Failing(2) as pool:
        job_id = manager.create_job(names(400)).id
        outcome = run(manager, job_id, hanging, executor=pool)
        assert (outcome.done_count, outcome.failure_count, outcome.death_count) == (400, 0, 0)
        assert Counter(hanging.calls) == recorded(manager, outcome.state)
        assert len(hanging.calls) == 400


class Lingering(ThreadPoolExecutor):
    """A pool whose worker has something to do after the last item, until the pool is shut down."""

    def __init__(self) -> None:
        super().__init__(1)
        self.last = threading.Event()
        self.waited: list[bool] = []
        self._shut = threading.Event()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def lingering() -> object:
            given = fn(*args, **kwargs)
            if self.last.is_set():
                assert self._shut.wait(LONGEST_S)
            return given

        return super().submit(lingering)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.waited.append(wait)
        self._shut.set()
        super().shutdown(wait, cancel_futures=cancel_futures)


@pytest.mark.usefixtures("still")
def test_the_workers_have_ended_when_the_run_has() -> None:
    """Those of a pool that it made, and whose items were all heard of."""
    pool = Lingering()

    def work(item: Item) -> int:
        if item.value == 399:
            pool.last.set()
        return int(item.value)

    with StateManager.open("memory:") as manager:
        job_id = manager.create_job(names(400), config={"has_reduce": False}).id
        assert run(manager, job_id, work, executor=lambda: pool).done_count == 400
    assert pool.waited == [True]


class AtOnce(ThreadPoolExecutor):
    """A pool that makes its calls as it gets them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_items_are_heard_of_in_the_order_in_which_they_ended() -> None:
    function = Hanging(frozenset(), lambda seen: True)
    items = {number: WorkItem(key=f"{number}", value=number) for number in range(8)}
    terms = Terms(most_bytes=1000)
    with AtOnce(1) as pool:
        calls = Calls(
            pool, [function], workers=None, timeout_s=None, clock=time.monotonic, terms=terms
        )
        for first, after in ((0, 1), (1, 4), (4, 5), (5, 8)):
            part = {number: items[number] for number in range(first, after)}
            calls.begin(function, part, typed=False, most=after - first)
        assert [one.ordinal for one in calls.wait(0)] == list(range(8))
        calls.close()


COUNTED = edited(
    REVIEW,
    ("release: lay_down", "lost: lay_down"),
    (
        "lay_down, to: submitted, set: {readings: readings - 1}}",
        """lay_down, to: submitted, when: may_read}
      - {from: reading, on: lay_down, to: returned, when: otherwise}""",
    ),
)
"""What leaves the hands has used an attempt, whyever."""

ELSEWHERE = edited(REVIEW, ("lay_down, read_again]", "read_again], printing: [lay_down]"))
"""Nothing is handed back while papers are read."""


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("definition", [COUNTED, ELSEWHERE])
def test_items_go_alone_where_nothing_takes_them_back_as_they_were(
    definition: str, late: Stop
) -> None:
    """Else what waits behind one that hangs would use an attempt, or be in nobody's hands."""
    hanging = Hanging(frozenset([100]), lambda seen: len(seen.called) == 300 or late.requested)
    store = MemoryStore()
    with StateManager(store, lifecycle=compiled(definition)) as manager:
        with ThreadPoolExecutor(2) as pool:
            job_id = manager.create_job(names(300), config={"most": 1}).id
            outcome = run(manager, job_id, hanging, lambda results: 1, executor=pool, stop=late)
        assert (outcome.phase, outcome.done_count) == ("printed", 300)
        assert len(hanging.calls) == 300


class Doubling(ThreadPoolExecutor):
    """A pool that makes one call of several items twice: the negative control."""

    doubled = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if not self.doubled and isinstance(args[0], Chunk):
            self.doubled += 1
            super().submit(fn, list(args[0].left))
        return super().submit(fn, *args, **kwargs)


def worked(
    make: Callable[[int], ThreadPoolExecutor], workers: int, count: int, hanging: frozenset[int]
) -> None:
    """A job of `count` items, of which some hang until all the others were called; looked at."""
    some = Hanging(hanging, lambda seen: len(seen.called) >= count - len(hanging))
    with pytest.MonkeyPatch.context() as patch, StateManager.open("memory:") as manager:
        patch.setattr(time, "perf_counter", lambda: 0.0)
        job_id = manager.create_job(names(count), config=ENDLESS).id
        outcome = run(manager, job_id, some, executor=partial(make, workers), look_every_s=3600)
        assert some.in_vain == 0
        assert dict(manager.results(job_id)) == {item.key: item.value for item in names(count)}
        assert outcome.done_count == count
        assert Counter(some.calls) == recorded(manager, outcome.state)


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_each_item_is_called_as_often_as_the_log_says(data: st.DataObject) -> None:
    """Whichever hang, as long as there is a worker for the others."""
    workers = data.draw(st.integers(1, 5), label="workers")
    count = data.draw(st.integers(1, 400), label="count")
    which = st.frozensets(st.integers(0, count - 1), max_size=min(workers, count) - 1)
    worked(ThreadPoolExecutor, workers, count, data.draw(which, label="hanging"))


def test_a_pool_that_calls_twice_is_found_out() -> None:
    with pytest.raises(AssertionError):
        worked(Doubling, 2, 400, frozenset([100]))


def test_after_a_long_call_they_go_one_by_one_for_a_while() -> None:
    """Where workers tell of all items of a call at its end: another long one may be among them."""
    window = Window(lambda: 2, 256)
    window.learn([0.000_01] * 50, now_s=0.0)
    assert window.together(258, now_s=0.0) == 64
    window.learn([0.04], now_s=1.0)
    window.learn([0.000_01] * 200, now_s=1.0)
    assert window.together(258, now_s=1.0) == 64  # no longer than a busy machine makes any
    window.learn([3.0], now_s=5.0)
    window.learn([0.000_01] * 200, now_s=5.1)
    assert window.together(258, now_s=34.9) == 1
    assert window.together(258) == 64  # where each is heard of as it ends
    assert window.together(258, now_s=35.0) == 64


@pytest.mark.parametrize(("took_s", "patience_s"), [(0.000_01, 0.1), (0.02, 0.1), (0.15, 0.6)])
def test_what_is_held_ahead_has_its_time(took_s: float, patience_s: float) -> None:
    """Calls of one length that began together end together: nothing is held in vain by that."""
    window = Window(lambda: 8, 256)
    assert window.patience_s(9) is None  # nothing is known yet
    window.learn([took_s], now_s=0.0)
    assert window.patience_s(8) is None  # none is held ahead
    assert window.patience_s(9) == patience_s
    window.hold_none_ahead()
    assert (window.patience_s(9), window.size) == (None, 8)
    window.learn([], now_s=1.0)
    assert window.size == 8
    window.learn([took_s], now_s=1.0)
    assert window.size > 8
