"""What a record on a server costs while somebody watches, beside a database where nobody does."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import psycopg

from jobs import mapping_job
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, at_least, in_turn, ratios
from samples import results
from serving import at_once, server

ROUNDS: Final = 9
WARM_UP: Final = 2
SLICES: Final = 4
EACH: Final = 192  # of a slice: in which some notices are sent
CALLERS: Final = (1, 8, 64)
WATCHED: Final = "watched"


def figures(_settings: Settings) -> Iterator[Figure]:
    """In a database of its own, since a server wakes all listeners of a database."""
    with server() as url, ExitStack() as opened:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {WATCHED}".encode())
        there = url.replace("/postgres?", f"/{WATCHED}?")
        alone, seen = (
            _recording(opened.enter_context(StateManager.open(at))) for at in (url, there)
        )
        opened.enter_context(_watching(there))
        for callers in CALLERS:
            unwatched, watched = in_turn(
                ROUNDS, alone(callers), seen(callers), warm_up=WARM_UP, slices=SLICES
            )
            yield ratios(
                f"{callers} at once, a job each, one of them watched",
                watched,
                ("nobody listens", unwatched),
                unit="µs",
                budget=at_least(0.9),
                speed=True,
            )


def _recording(manager: StateManager) -> Callable[[int], Callable[[int], float]]:
    """Records by so many callers, each of a job of its own, of items that none has recorded."""
    values = results(EACH, seed=9)
    for caller in range(max(CALLERS)):
        each = sum(EACH // callers for callers in CALLERS if callers > caller)
        mapping_job(manager, f"job-{caller}", (ROUNDS + WARM_UP) * SLICES * each)
    places = [itertools.count() for _ in range(max(CALLERS))]

    def record(caller: int, share: range) -> None:
        for at in share:
            event = ItemEvent(next(places[caller]), "succeed", {"result": values[at]})
            manager.record(f"job-{caller}", [event])

    return lambda callers: lambda _turn: at_once(callers, EACH, record)


@contextmanager
def _watching(url: str) -> Iterator[None]:
    """`milepost watch` of the first job, in a process of its own, once it listens."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "milepost", "watch", "job-0", "--db", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert watcher.stderr is not None
    try:
        watcher.stderr.readline()  # it says first that nobody holds the job
        yield
    finally:
        watcher.kill()
        watcher.communicate()
