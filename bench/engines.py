"""`run` on five engines against the bare engine: an item, a megabyte, uneven slots, real calls."""

from __future__ import annotations

import logging
import shutil
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import loky
import ray
from distributed import Client, LocalCluster

from engine_calls import longer, megabyte, nap, napped_s, trivial, troubled
from milepost import StateManager
from milepost.executors import Beside, process_pool, run
from milepost.executors.engines import RayEngine
from pairing import Figure, Settings, at_least, at_most, in_turn, ratios

WORKERS: Final = 2
ROUNDS: Final = 5
SLOTS: Final = 32
UNEVEN: Final = 20 * SLOTS
LARGE: Final = 30
TROUBLED: Final = 200
ATTEMPTS: Final = 3

Function = Callable[[Any], object]


class Engine(NamedTuple):
    """One engine: what `run` is given, and the bare way to have all calls made and gathered."""

    name: str
    floor: str
    executor: Any
    gather: Callable[[Function, Sequence[str]], Sequence[object]]
    count: int
    trivial: float
    large: float | None


def figures(settings: Settings) -> Iterator[Figure]:
    logging.getLogger("distributed").setLevel(logging.ERROR)
    for opened in (threads, pool, of_loky, dask, of_ray):
        with opened() as engine:
            yield from _costs(engine, settings.folder)
            if opened in (dask, of_ray):
                yield _calls(engine, settings.folder)
    with dask(threads=SLOTS // WORKERS) as engine:
        yield _used(engine, settings.folder)


@contextmanager
def threads() -> Iterator[Engine]:
    with ThreadPoolExecutor(WORKERS) as executor:
        yield Engine("threads", "executor.map", executor, _mapped(executor), 10_000, 3, None)


@contextmanager
def pool() -> Iterator[Engine]:
    with process_pool(WORKERS) as executor:
        yield Engine("process pool", "executor.map", executor, _mapped(executor), 5_000, 2, 1.3)


@contextmanager
def of_loky() -> Iterator[Engine]:
    executor = loky.ProcessPoolExecutor(WORKERS)
    try:
        yield Engine("loky", "executor.map", executor, _mapped(executor), 5_000, 2, 1.3)
    finally:
        executor.shutdown(kill_workers=True)


@contextmanager
def dask(threads: int = 1) -> Iterator[Engine]:
    with (
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=threads,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):

        def gather(function: Function, keys: Sequence[str]) -> Sequence[object]:
            return client.gather(client.map(function, keys, pure=False))

        yield Engine("Dask", "map and gather", client, gather, 1_000, 1.5, 1.3)


@contextmanager
def of_ray() -> Iterator[Engine]:
    ray.init(
        num_cpus=WORKERS,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
        object_store_memory=512 * 1024 * 1024,
    )
    try:

        def gather(function: Function, keys: Sequence[str]) -> Sequence[object]:
            remote = ray.remote(function)
            return ray.get([remote.remote(key) for key in keys])

        yield Engine("Ray", "remote and get", RayEngine(), gather, 2_000, 1.5, 1.3)
    finally:
        ray.shutdown()


def _mapped(executor: Executor) -> Callable[[Function, Sequence[str]], Sequence[object]]:
    return lambda function, keys: list(executor.map(function, keys))


def _costs(engine: Engine, folder: Path) -> Iterator[Figure]:
    """What an item costs whose call takes no time, and one whose result is a megabyte."""
    name, floor = engine.name, engine.floor
    bare, ours = _paired(engine, folder, trivial, engine.count)
    yield ratios(
        f"{name}, an item", ours, (floor, bare), unit="µs/item", budget=at_most(engine.trivial)
    )
    bare, ours = _paired(engine, folder, longer, 400)
    yield ratios(f"{name}, an item of 10 ms", ours, (floor, bare), unit="µs/item")
    bare, in_log, beside = _paired(engine, folder, megabyte, LARGE, None, Beside(folder / "large"))
    budget = None if engine.large is None else at_most(engine.large)
    yield ratios(f"{name}, a result of 1 MB", in_log, (floor, bare), unit="µs/item")
    yield ratios(f"{name}, one beside", beside, (floor, bare), unit="µs/item", budget=budget)


def _paired(
    engine: Engine, folder: Path, function: Function, count: int, *places: Beside | None
) -> list[list[float]]:
    """The cost of an item in microseconds, by the bare engine and by `run`, round by round.

    By `run` once for each of the places where large results go.
    """
    keys = [f"item-{number:07d}" for number in range(count)]

    def bare(_turn: int) -> float:
        began = perf_counter()
        found = engine.gather(function, keys)
        took_s = perf_counter() - began
        assert len(found) == count
        return took_s / count * 1e6

    def ours(beside: Beside | None, _turn: int) -> float:
        with _job(folder, keys) as manager:
            began = perf_counter()
            outcome = run(
                manager,
                "job",
                function,
                executor=engine.executor,
                workers=WORKERS,
                beside=beside,
            )
            took_s = perf_counter() - began
            assert outcome.done_count == count
        return took_s / count * 1e6

    return in_turn(ROUNDS, bare, *(partial(ours, place) for place in places or (None,)))


def _used(engine: Engine, folder: Path) -> Figure:
    """How much of the slots is used, by calls of 150 to 250 ms, where nobody says `workers`."""
    keys = [f"item-{number:07d}" for number in range(UNEVEN)]
    ideal_s = sum(map(napped_s, keys)) / SLOTS

    def share(_turn: int) -> float:
        with _job(folder, keys) as manager:
            began = perf_counter()
            outcome = run(manager, "job", nap, executor=engine.executor)
            took_s = perf_counter() - began
            assert outcome.done_count == UNEVEN
        return took_s

    (took,) = in_turn(2, share, warm_up=0)
    return ratios(
        f"{SLOTS} slots, uneven items, no workers=, used to",
        took,
        ("all slots busy until the end", [ideal_s] * len(took)),
        unit="s",
        budget=at_least(0.9),
        speed=True,
    )


def _calls(engine: Engine, folder: Path) -> Figure:
    """Real calls against recorded attempts, of two jobs that have the same items at once."""
    keys = [f"item-{number:07d}" for number in range(TROUBLED)]

    def counted(_turn: int) -> tuple[float, float]:
        calls = folder / "calls"
        made, attempts = 0, 0
        for _ in range(2):
            calls.mkdir()
            with _job(folder, keys) as manager:
                function = partial(troubled, calls)
                run(manager, "job", function, executor=engine.executor, workers=WORKERS)
                attempts += _attempts(manager)
            made += sum(path.stat().st_size for path in calls.iterdir())
            shutil.rmtree(calls)
        return made, attempts

    made, attempts = zip(*(counted(turn) for turn in range(2)), strict=True)
    return Figure(
        name=f"{engine.name}, real calls",
        floor="recorded attempts",
        values=tuple(abs(real - recorded) for real, recorded in zip(made, attempts, strict=True)),
        unit="calls apart",
        pair=(statistics.median(made), statistics.median(attempts)),
        pair_unit="calls",
        budget=at_most(0),
    )


def _attempts(manager: StateManager) -> int:
    """How often an item was begun, but for those that were taken back as they were."""
    counts = Counter[str]()
    for event in manager.get_state_history("job"):
        counts[event.event] += event.count
    return counts["start"] - counts["release"]


@contextmanager
def _job(folder: Path, keys: Sequence[str]) -> Iterator[StateManager]:
    """A manager of a new store with a job of these items, gone afterwards."""
    with ExitStack() as stack:
        place = folder / "store"
        place.mkdir()
        stack.callback(shutil.rmtree, place)
        stack.callback(shutil.rmtree, folder / "large", ignore_errors=True)
        manager = stack.enter_context(StateManager.open(place / "jobs.db"))
        config = {"max_attempts": ATTEMPTS, "max_dead": len(keys)}
        manager.create_job(keys, job_id="job", config=config)
        yield manager
