"""What a run adds to an item, counted in calls of Python functions: no clock is asked."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from types import FrameType
from typing import Any

import pytest

from milepost import Item, StateManager
from milepost.executors import CoroutineExecutor, run

COUNT = 2_000
ON_THREADS = 30
ON_COROUTINES = 50


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls take no time, however busy the machine is: how many go together depends on it."""
    monkeypatch.setattr(time, "perf_counter", repeat(0.0).__next__)


def plain(item: Item) -> int:
    del item
    return 1


async def awaited(item: Item) -> int:
    del item
    return 1


def nothing() -> None:
    pass


async def roundabout(item: Item) -> int:
    for _ in range(ON_COROUTINES):
        nothing()
    return await awaited(item)


def calls_an_item(function: Callable[[Item], Any], executor: Callable[[], Any]) -> float:
    """How many Python functions are called for one item, in all threads together."""
    counts = [0]

    def count(frame: FrameType, event: str, argument: object) -> None:
        del frame, argument
        if event == "call":
            counts[0] += 1

    with StateManager.open("memory:") as manager:
        first_id = manager.create_job(["a"]).id
        run(manager, first_id, function, executor=executor)  # what is loaded once counts for none
        job_id = manager.create_job([f"item-{number}" for number in range(COUNT)]).id
        threading.setprofile(count)
        sys.setprofile(count)
        try:
            outcome = run(manager, job_id, function, executor=executor)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        assert outcome.done_count == COUNT
    return counts[0] / COUNT


@pytest.mark.parametrize(
    ("function", "executor", "most"),
    [
        (plain, partial(ThreadPoolExecutor, 8), ON_THREADS),
        (awaited, partial(CoroutineExecutor, 64), ON_COROUTINES),
    ],
)
def test_an_item_costs_few_calls(
    function: Callable[[Item], Any], executor: Callable[[], Any], most: int
) -> None:
    """What is asked for each item is little: the rest is asked once for all of a turn."""
    assert calls_an_item(function, executor) <= most


def test_what_an_item_costs_too_much_is_seen() -> None:
    """The negative control: a function that makes as many calls as there may be."""
    assert calls_an_item(roundabout, partial(CoroutineExecutor, 64)) > ON_COROUTINES
