"""What `run` takes for an engine: by type, by what it can be asked, by what was registered."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from milepost import Item, StateManager
from milepost.errors import ArgumentInvalid
from milepost.executors import run
from milepost.executors.engines import Engine, Lost, register

_T = TypeVar("_T")


class Wrapper(Executor):
    """An executor as clusters have them: it says nothing of how many calls it runs at once."""

    def __init__(self, workers: int) -> None:
        self.pool = ThreadPoolExecutor(workers)

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        return self.pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.pool.shutdown(wait=wait, cancel_futures=cancel_futures)


class Telling(Wrapper):
    """The same, that tells: more at each look, up to the workers that it has."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.workers = workers
        self.told = 0

    def slots(self) -> int:
        self.told = min(self.told + 1, self.workers)
        return self.told


class Grid:
    """No executor at all."""

    def __init__(self, workers: int) -> None:
        self.pool = ThreadPoolExecutor(workers)
        self.tokens: list[str] = []
        self.closed = 0


class GridEngine(Engine):
    def __init__(self, grid: Grid, *, owned: bool = False) -> None:
        self.name = "the grid"
        self.notes = "here"
        self.grid = grid
        self.owned = owned

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        self.grid.tokens.append(token)
        return self.grid.pool.submit(call, *args)

    def slots(self) -> int:
        return 3

    def lost(self, error: BaseException) -> Lost | None:
        return None

    def close(self, *, wait: bool) -> None:
        self.grid.closed += 1
        if self.owned:
            self.grid.pool.shutdown(wait=wait)


class Together:
    """A function for items that holds each call until `wanted` of them are under way at once."""

    def __init__(self, wanted: int) -> None:
        self.barrier = threading.Barrier(wanted, timeout=60)

    def __call__(self, item: Item) -> int:
        self.barrier.wait()
        return int(item.key)


def value(item: Item) -> object:
    return item.value


@contextmanager
def job(count: int) -> Iterator[StateManager]:
    with StateManager.open("memory:") as manager:
        config = {"has_reduce": False}
        manager.create_job([str(n) for n in range(count)], job_id="j", config=config)
        yield manager


def test_an_executor_that_says_nothing_is_refused_with_what_helps() -> None:
    with job(3) as manager, Wrapper(2) as wrapper:
        with pytest.raises(ArgumentInvalid, match="give workers=, or give the executor") as refused:
            run(manager, "j", value, executor=wrapper)
        assert "how many calls Wrapper runs at once" in str(refused.value)
        assert manager.get_state("j").phase == "setup"
        assert run(manager, "j", value, executor=wrapper, workers=2).phase == "completed"


def test_one_that_tells_is_used_whole_as_it_grows() -> None:
    """All twelve calls have to be under way at once for any of them to end."""
    with job(24) as manager, Telling(12) as telling:
        outcome = run(manager, "j", Together(12), executor=telling, look_every_s=0.01)
    assert outcome.phase == "completed"


def test_an_engine_may_be_given_itself_and_gets_a_token_for_each_call() -> None:
    grid = Grid(3)
    with job(30) as manager, grid.pool:
        assert run(manager, "j", value, executor=GridEngine(grid), ahead=0).phase == "completed"
    assert len(set(grid.tokens)) == len(grid.tokens) == 30
    assert grid.closed == 0


def test_an_adapter_is_registered_for_a_type_and_its_subclasses() -> None:
    class Registered(Grid):
        pass

    class Derived(Registered):
        pass

    register(Registered, GridEngine)
    grid = Derived(3)
    with job(6) as manager, grid.pool:
        assert run(manager, "j", Together(3), executor=grid).phase == "completed"
    made: list[Grid] = []

    def make() -> Grid:
        made.append(Derived(3))
        return made[0]

    with job(6) as manager:
        assert run(manager, "j", Together(3), executor=make).phase == "completed"
    with pytest.raises(RuntimeError, match="after shutdown"):
        made[0].pool.submit(int)


def test_what_is_no_engine_is_refused_with_what_to_give_instead() -> None:
    with job(1) as manager:
        with multiprocessing.get_context("spawn").Pool(1) as given:
            with pytest.raises(ArgumentInvalid, match=r"give partial\(process_pool, workers\)"):
                run(manager, "j", value, executor=given)  # type: ignore[arg-type]
            given.close()
            given.join()
        with pytest.raises(ArgumentInvalid, match="an executor, or something that makes one"):
            run(manager, "j", value, executor=object())  # type: ignore[arg-type]
        with pytest.raises(ArgumentInvalid, match="something that makes an executor"):
            run(manager, "j", value, executor=object)
        with pytest.raises(ArgumentInvalid, match="a type"):
            register(3, GridEngine)  # type: ignore[arg-type]


def test_a_class_of_engines_makes_one_for_each_run() -> None:
    """It has every name that an engine has, and is none."""
    made: list[Grid] = []

    class Made(GridEngine):
        def __init__(self) -> None:
            made.append(Grid(3))
            super().__init__(made[-1], owned=True)

    for count in (1, 2):
        with job(6) as manager:
            assert run(manager, "j", Together(3), executor=Made).phase == "completed"
        assert [grid.closed for grid in made] == [1] * count
