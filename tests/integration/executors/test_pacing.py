"""Pacing: no more calls than were allowed, in any window and at any time; fewer when told so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ArgumentInvalid, Item, StateManager
from milepost.executors import Limit, run
from milepost.executors.pacing import Pace, is_throttled
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock

SECOND_US = 1_000_000


class RateLimitError(Exception):
    """What the libraries of services raise."""


class Passing(FakeClock):
    """A clock by which a tenth of a second passes whenever it is read."""

    def now_us(self) -> int:
        self.advance(0.1)
        return super().now_us()

    def monotonic_us(self) -> int:
        self.advance(0.1)
        return super().monotonic_us()


def most_begun(begun_us: list[int], window_us: int) -> int:
    """The most calls that began in any window that long. The oracle: counted one by one."""
    return max(
        (sum(start <= at < start + window_us for at in begun_us) for start in begun_us), default=0
    )


@settings(max_examples=60, deadline=None)
@given(
    per_s=st.floats(0.5, 500),
    steps=st.lists(
        st.tuples(
            st.integers(0, 300_000), st.integers(1, 30), st.sampled_from(["well", "too soon"])
        ),
        min_size=1,
        max_size=60,
    ),
    window_us=st.integers(1, 3 * SECOND_US),
)
def test_no_window_has_more_than_the_rate_and_a_burst(
    per_s: float, steps: list[tuple[int, int, str]], window_us: int
) -> None:
    """Whatever it adapts to meanwhile, and whoever asks how often."""
    pace = Pace(Limit(per_s=per_s))
    now_us, begun_us, number = 0, [], 0
    for passed_us, wanted, told in steps:
        now_us += passed_us
        count = int(min(pace.room(0, now_us), wanted))
        ordinals = range(number, number + count)
        number += count
        pace.began(ordinals, now_us)
        begun_us += [now_us] * count
        for ordinal in ordinals:
            pace.ended(ordinal, "well" if told == "well" else "too soon", now_us)
    most = per_s * window_us / SECOND_US + max(per_s / 10, 1)
    assert most_begun(begun_us, window_us) <= most


def test_a_window_that_has_more_is_seen() -> None:
    """The negative control of the count above."""
    assert most_begun([0, 1, 2, 900_000], 10) == 3


@given(per_s=st.floats(0.5, 500), asked=st.integers(1, 40))
def test_it_wakes_when_the_next_may_begin_and_not_before(per_s: float, asked: int) -> None:
    """At the time that is named there is room, and a microsecond before there is none."""
    pace = Pace(Limit(per_s=per_s))
    now_us, number = 5, 0
    for _ in range(asked):
        count = int(pace.room(0, now_us))
        pace.began(range(number, number + count), now_us)
        number += count
        due_us = pace.next_us(0, now_us)
        assert due_us is not None
        assert due_us > now_us
        assert pace.room(0, due_us - 1) == 0
        assert pace.room(0, due_us) >= 1
        now_us = due_us
    assert number >= asked


def test_a_pause_is_for_all_and_the_latest_counts() -> None:
    pace = Pace(None)
    assert pace.room(7, 0) == float("inf")
    pace.pause(500)
    pace.pause(300)
    assert (pace.room(0, 499), pace.next_us(0, 499)) == (0, 500)
    assert (pace.room(0, 500), pace.next_us(0, 500)) == (float("inf"), None)


def told(pace: Pace, answer: str, ordinal: int, busy: int, now_us: int) -> None:
    """One call of `busy` and one that begin now is answered; the others end and say nothing."""
    others = range(ordinal + 1_000_000, ordinal + 1_000_000 + busy)
    pace.began([ordinal, *others], now_us)
    pace.ended(ordinal, "well" if answer == "well" else "too soon", now_us + 1)
    for other in others:
        pace.ended(other, "otherwise", now_us + 1)


def test_it_falls_by_half_and_rises_again_up_to_what_was_given() -> None:
    pace = Pace(Limit(per_s=100, concurrency=16))
    told(pace, "too soon", 0, 15, 10)
    assert (pace.per_s, pace.at_once) == (50, 8)
    for at_us in range(20, 20_000, 10):
        told(pace, "well", at_us, 8, at_us)
    assert (pace.per_s, pace.at_once) == (100, 16)


def test_calls_that_were_under_way_when_it_fell_do_not_make_it_fall_again() -> None:
    pace = Pace(Limit(concurrency=16))
    pace.began(range(16), 10)
    for ordinal in range(16):
        pace.ended(ordinal, "too soon", 20)
    assert pace.at_once == 8
    told(pace, "too soon", 20, 7, 30)
    assert pace.at_once == 4


def test_there_is_always_one_call_at_a_time() -> None:
    pace = Pace(Limit(per_s=1, concurrency=4))
    for at_us in range(10, 1_000, 10):
        told(pace, "too soon", at_us, 3, at_us)
    assert pace.at_once == 1
    assert pace.per_s == 1 / 64


def test_what_does_not_adapt_does_not() -> None:
    pace = Pace(Limit(per_s=100, concurrency=16, adapt=False))
    told(pace, "too soon", 0, 15, 10)
    assert (pace.per_s, pace.at_once) == (100, 16)


@pytest.mark.parametrize(
    ("kind", "throttled"),
    [
        ("HTTPStatusError 429", True),
        ("openai.RateLimitError", True),
        ("ThrottlingException", True),
        ("TooManyRequests", True),
        ("ResourceExhausted", True),
        ("HTTPStatusError 503", False),
        ("ValueError", False),
        ("Error 4290", False),
    ],
)
def test_which_kinds_say_that_calls_come_too_fast(kind: str, throttled: bool) -> None:
    assert is_throttled(kind) == throttled


@pytest.mark.parametrize(
    "make",
    [
        lambda: Limit(per_s=0),
        lambda: Limit(per_s=-1),
        lambda: Limit(per_s=float("nan")),
        lambda: Limit(concurrency=0),
        lambda: Limit(concurrency=1.5),  # type: ignore[arg-type]
        lambda: Limit(adapt="no"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_limit(make: Callable[[], object]) -> None:
    with pytest.raises(ArgumentInvalid):
        make()


def test_no_more_calls_run_at_once_than_the_limit() -> None:
    """Of eight threads three are used, and three really are."""
    under_way, most, lock = 0, 0, threading.Lock()
    three = threading.Barrier(3, timeout=10)

    def work(item: Item) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        three.wait()
        with lock:
            under_way -= 1
        return 1

    with StateManager(MemoryStore()) as manager, ThreadPoolExecutor(8) as pool:
        manager.create_job(range(30), job_id="j", config={"has_reduce": False})
        outcome = run(manager, "j", work, executor=pool, limit=Limit(concurrency=3))
        assert outcome.phase == "completed"
    assert most == 3


def test_calls_begin_no_faster_than_the_limit(pool: ThreadPoolExecutor) -> None:
    """Two a second, by the clock of the store; a run that waits for its pace is not stuck."""
    with StateManager(MemoryStore(), clock=Passing()) as manager:
        manager.create_job(range(12), job_id="j", config={"has_reduce": False})
        limit = Limit(per_s=2)
        outcome = run(manager, "j", lambda item: 1, executor=pool, limit=limit, look_every_s=0.001)
        assert (outcome.phase, outcome.halt_reason) == ("completed", "")
        begun = [e.at for e in manager.get_state_history("j") if e.event == "start"]
    apart = [(b - a).total_seconds() for a, b in pairwise(begun)]
    assert len(apart) == 11
    assert min(apart) >= 0.5 - 0.2  # a commit is dated some readings of the clock before its calls


def test_a_call_that_may_begin_while_that_is_looked_at_is_not_left(
    pool: ThreadPoolExecutor,
) -> None:
    """By a clock by which the next may begin when it is read once more; each waits for all."""
    four = threading.Barrier(4, timeout=60)
    with StateManager(MemoryStore(), clock=Passing()) as manager:
        manager.create_job(range(4), job_id="j", config={"has_reduce": False})
        limit = Limit(per_s=9)
        outcome = run(
            manager, "j", lambda item: four.wait(), executor=pool, limit=limit, look_every_s=3600
        )
        assert (outcome.done_count, outcome.failure_count) == (4, 0)


def test_calls_that_come_too_fast_slow_the_run_down() -> None:
    """Eight at once are told that they came too soon: the next are four."""
    eight, four = threading.Barrier(8, timeout=10), threading.Barrier(4, timeout=10)
    calls, under_way, most_after, lock = 0, 0, 0, threading.Lock()

    def work(item: Item) -> int:
        nonlocal calls, under_way, most_after
        with lock:
            calls += 1
            call = calls
            if call > 8:
                under_way += 1
                most_after = max(most_after, under_way)
        if call <= 8:
            eight.wait()
            raise RateLimitError("slow down")
        four.wait()
        with lock:
            under_way -= 1
        return 1

    with StateManager(MemoryStore()) as manager, ThreadPoolExecutor(8) as pool:
        manager.create_job(range(8), job_id="j", config={"has_reduce": False})
        outcome = run(manager, "j", work, executor=pool, limit=Limit(concurrency=8))
        assert (outcome.phase, outcome.failure_count) == ("completed", 8)
    assert most_after == 4
