"""Functions that no executor can get a result from are refused before an item begins."""

# ruff: noqa: PLW0108, RET504  the lambdas, and what stands between, are what is tested

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from milepost import ArgumentInvalid, StateManager
from milepost.executors import CoroutineExecutor, WorkItem, process_pool, run

from .test_run import create, total


async def ask(item: WorkItem, **_: object) -> object:
    return item.value


def generate(item: WorkItem) -> Iterator[object]:
    yield item.value


async def stream(item: WorkItem) -> AsyncIterator[object]:
    yield item.value


class Client:
    async def ask(self, item: WorkItem, *, model: object = None) -> object:
        return item.value

    async def __call__(self, item: WorkItem) -> object:
        return item.value

    def plain(self, item: WorkItem) -> object:
        return item.value


class Reader:
    def __call__(self, item: WorkItem) -> Iterator[object]:
        yield item.value


client = Client()
module = SimpleNamespace(client=client)


def one_line(item: WorkItem) -> object:
    return ask(item, model=[1, {"a": f"{item.value}"}])


def named(item: WorkItem) -> object:
    answer = client.ask(item, model="large")
    return answer


def closure() -> Callable[[WorkItem], object]:
    inner = ask
    return lambda item: inner(item)


COROUTINES: list[Any] = [
    ask,
    partial(ask, model="large"),
    partial(partial(ask)),
    client,
    client.ask,
    partial(client.ask),
    one_line,
    named,
    closure(),
    lambda item: ask(item),
    lambda item: one_line(item),
    lambda item: client.ask(item, model="large"),
    lambda item: module.client.ask(item),
    lambda item, function=ask: function(item),
    lambda item: ask(*[item], model="large"),
]
GENERATORS: list[Any] = [
    generate,
    stream,
    partial(generate),
    Reader(),
    lambda item: generate(item),
    lambda item: stream(item),
    lambda item: (part for part in item.value),
]
FIT: list[Any] = [
    lambda item: asyncio.run(ask(item)),
    lambda item: next(generate(item)),
    lambda item: client.plain(item),
    lambda item: sum(part for part in (1, 2, item.value)),
    lambda item: [item.value, str(ask)][0],
    lambda item: {"value": item.value}.get("value"),
    client.plain,
]


@pytest.fixture
def manager() -> Iterator[StateManager]:
    """Of a store in memory: where jobs are kept makes no difference here."""
    with StateManager.open("memory:") as opened:
        yield opened


def begun(manager: StateManager, job_id: str) -> int:
    state = manager.get_state(job_id)
    return len(manager.failures(job_id)) + state.progress.running + (state.phase != "setup")


@pytest.mark.parametrize("place", range(len(COROUTINES)))
def test_a_coroutine_is_refused_where_none_is_awaited(manager: StateManager, place: int) -> None:
    """By itself, in a partial, a method, an object, and behind a function of one line."""
    job_id = create(manager, 3)
    with pytest.raises(TypeError, match="ThreadPoolExecutor awaits none: give executor=Corou"):
        run(manager, job_id, COROUTINES[place], total, executor=ThreadPoolExecutor)
    assert begun(manager, job_id) == 0


@pytest.mark.parametrize("place", range(len(COROUTINES)))
def test_it_is_awaited_where_it_can_be(manager: StateManager, place: int) -> None:
    job_id = create(manager, 3)
    outcome = run(manager, job_id, COROUTINES[place], total, executor=CoroutineExecutor)
    assert outcome.done_count == 3


@pytest.mark.parametrize("place", range(len(GENERATORS)))
@pytest.mark.parametrize("executor", [ThreadPoolExecutor, CoroutineExecutor])
def test_a_generator_is_refused_everywhere(
    manager: StateManager, place: int, executor: Callable[[], Any]
) -> None:
    job_id = create(manager, 3)
    with pytest.raises(TypeError, match="generator: return one result for an item"):
        run(manager, job_id, GENERATORS[place], total, executor=executor)
    assert begun(manager, job_id) == 0


@pytest.mark.parametrize("place", range(len(FIT)))
def test_what_only_looks_like_it_runs(manager: StateManager, place: int) -> None:
    """The negative control: coroutines and generators that the function itself gets through."""
    job_id = create(manager, 3)
    outcome = run(manager, job_id, FIT[place], total, executor=ThreadPoolExecutor)
    assert (outcome.phase, outcome.failure_count) == ("completed", 0)


def hidden(item: WorkItem) -> object:
    """Branches: that it gives a coroutine is seen when it is called."""
    return ask(item) if item.key else None


def part_by_part(item: WorkItem) -> object:
    return generate(item) if item.key else None


@pytest.mark.parametrize(
    ("function", "executor"),
    [
        (hidden, partial(ThreadPoolExecutor, 2)),
        (part_by_part, partial(ThreadPoolExecutor, 2)),
        (part_by_part, partial(CoroutineExecutor, 2)),
        (hidden, partial(process_pool, 1)),
    ],
)
def test_what_is_seen_when_it_is_called_ends_the_run(
    manager: StateManager, function: Callable[[WorkItem], object], executor: Callable[[], Any]
) -> None:
    """No attempt is used, nothing is left in anybody's hands, and nothing waits to be awaited."""
    job_id = create(manager, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match=r"gave an awaitable|gave a generator"):
            run(manager, job_id, function, total, executor=executor)
        gc.collect()
    state = manager.get_state(job_id)
    assert (state.progress.running, state.progress.done) == (0, 0)
    assert manager.failures(job_id) == {}
    outcome = run(manager, job_id, lambda item: item.value, total, executor=ThreadPoolExecutor)
    assert (outcome.phase, outcome.done_count) == ("completed", 20)


@pytest.mark.parametrize("function", [ask, generate, lambda results: ask(results)])
@pytest.mark.parametrize("parameter", ["reduce_fn", "setup_fn", "phases"])
def test_a_phase_takes_neither(manager: StateManager, function: Any, parameter: str) -> None:
    """The functions of phases are called in the run's own thread, which awaits nothing."""
    job_id = create(manager, 3)
    given = {"reduce": function} if parameter == "phases" else function
    with pytest.raises(ArgumentInvalid, match=r"gives a (coroutine|generator)"):
        run(manager, job_id, client.plain, executor=ThreadPoolExecutor, **{parameter: given})
