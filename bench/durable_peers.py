"""Durable steps beside other packages': DBOS Transact and LangGraph's SqliteSaver, on SQLite."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from cold import COLD
from dbos_process import CHILD, DbosProcess
from jobs import mapping_job
from milepost import ItemEvent, StateManager
from milepost.state.persistence import Durability
from pairing import Figure, Settings, at_least, in_turn, ratios
from records import (
    JOB,
    OF_A_THREAD,
    THREADS,
    record_as_run_does,
    record_at_once,
    record_awaited,
    record_each,
)
from samples import results

ROUNDS: Final = 9
WARM_UP: Final = 2
EACH: Final = 100
BATCH: Final = 100
RECOVERED: Final = 20_000
LANGGRAPH: Final = "langgraph-checkpoint-sqlite"
BUDGETS: Final = {
    ("one at a time", "full"): at_least(0.9),
    (f"{THREADS} threads", "full"): at_least(1.5),
    (f"{THREADS} coroutines", "full"): at_least(1.5),
    (f"{THREADS} coroutines", "process"): at_least(1.5),
}
"""Against SqliteSaver, which inserts rows and knows no state: the rest is shown as it is."""

Subject = Callable[[int], float]


class Steps(DbosProcess):
    """Steps of DBOS in a file at `path`, with SQLite's `journal`."""

    def __init__(self, path: Path, journal: str) -> None:
        super().__init__("steps", path, journal)

    def measure(self, _turn: int) -> float:
        """Measures one step in µs."""
        return self.run(EACH, 1)

    def at_once(self, _turn: int) -> float:
        """The same, with a workflow for each of THREADS."""
        return self.run(OF_A_THREAD, THREADS)


class Recorder:
    """A job of ours that is recorded one at a time, by many at once, and in batches."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self.manager = StateManager.open(path, durability=durability)
        per_turn = EACH + 2 * THREADS * OF_A_THREAD + 10 * BATCH
        mapping_job(self.manager, JOB, (ROUNDS + WARM_UP) * per_turn)
        self._recorded = 0

    def alone(self, turn: int) -> float:
        return self._timed(
            EACH, turn, lambda first, values: record_each(self.manager, first, values)
        )

    def threads(self, turn: int) -> float:
        return self._crowd(record_at_once, turn)

    def coroutines(self, turn: int) -> float:
        return self._crowd(record_awaited, turn)

    def _crowd(
        self, act: Callable[[StateManager, int, list[dict[str, Any]]], float], turn: int
    ) -> float:
        count = THREADS * OF_A_THREAD
        first, self._recorded = self._recorded, self._recorded + count
        return act(self.manager, first, results(count, turn)) / count * 1e6

    def in_batches(self, turn: int) -> float:
        return self._timed(10 * BATCH, turn, self._batches)

    def _batches(self, first: int, values: list[dict[str, Any]]) -> None:
        for at in range(0, len(values), BATCH):
            numbered = enumerate(values[at : at + BATCH], first + at)
            events = [ItemEvent(number, "succeed", {"result": value}) for number, value in numbered]
            self.manager.record(JOB, events)

    def _timed(
        self, count: int, turn: int, act: Callable[[int, list[dict[str, Any]]], None]
    ) -> float:
        first, self._recorded = self._recorded, self._recorded + count
        values = results(count, turn)
        began = perf_counter()
        act(first, values)
        return (perf_counter() - began) / count * 1e6


def figures(settings: Settings) -> Iterator[Figure]:
    if _installed("dbos"):
        yield from _dbos_steps(settings.folder)
        yield from _dbos_recovery(settings.folder)
    if _installed(LANGGRAPH):
        for durability in ("full", "process"):
            yield from _langgraph(settings.folder, durability)


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        print(f"peers: {name} is not installed and is left out: make bench", file=sys.stderr)
        return False
    return True


def _dbos_steps(folder: Path) -> Iterator[Figure]:
    """As it comes, and with a file that was put into WAL mode before; both synchronous FULL."""
    dbos = {journal: Steps(folder / f"dbos-{journal}.db", journal) for journal in ("DELETE", "WAL")}
    ours = Recorder(folder / "milepost-dbos.db", "full")
    with ours.manager:
        alone, threads, coroutines, batches, *theirs = in_turn(
            ROUNDS,
            ours.alone,
            ours.threads,
            ours.coroutines,
            ours.in_batches,
            *(subject for steps in dbos.values() for subject in (steps.measure, steps.at_once)),
            warm_up=WARM_UP,
        )
    for steps, one, many in zip(dbos.values(), theirs[::2], theirs[1::2], strict=True):
        steps.close()
        assert steps.settings["synchronous"] == 2, "it is measured at FULL"
        name = f"DBOS {version('dbos')}, journal {steps.settings['journal_mode']}, FULL"
        as_it_comes = steps.settings["journal_mode"] == "delete"
        ten = at_least(10) if as_it_comes else None
        alone_at_least = None if as_it_comes else at_least(7)
        peer = (f"{name}, a step", one)
        crowd = (f"{name}, a step in {THREADS} workflows at once", many)
        yield ratios(
            "one at a time, full", alone, peer, unit="µs", speed=True, budget=alone_at_least
        )
        yield ratios(f"batches of {BATCH}, full", batches, peer, unit="µs", speed=True, budget=ten)
        yield ratios(f"{THREADS} threads, full", threads, crowd, unit="µs", speed=True, budget=ten)
        yield ratios(
            f"{THREADS} coroutines, full", coroutines, crowd, unit="µs", speed=True, budget=ten
        )


def _dbos_recovery(folder: Path) -> Iterator[Figure]:
    """Fresh processes find out where they were: ours by a plan, DBOS by running the code again."""
    theirs, ours = folder / "dbos-recovery.db", folder / "milepost-recovery.db"
    _run(CHILD, "fill", theirs, RECOVERED)
    with StateManager.open(ours, durability="process") as manager:
        mapping_job(manager, JOB, RECOVERED)
        record_as_run_does(manager, 0, results(RECOVERED - 1, seed=3))  # the last is in flight

    def dbos(_turn: int) -> float:
        report = _run(CHILD, "recover", theirs)
        assert report["ran"] == 0, "every step is taken from the database"
        return float(report["taken_s"]) * 1e3

    def plan(*arguments: object) -> Subject:
        def measure(_turn: int) -> float:
            report = _run(COLD, ours, JOB, *arguments)
            assert report["parts"]["done"] == RECOVERED - 1
            return float(report["taken_s"]) * 1e3

        return measure

    planned, with_results = in_turn(5, plan(), plan("results"))
    (replayed,) = in_turn(1, dbos, warm_up=0)
    name = f"DBOS {version('dbos')} runs a workflow of {RECOVERED:,} finished steps again"
    peer = (name, replayed * len(planned))  # one turn of it is long enough
    hundred = at_least(100)
    yield ratios("recovery plan", planned, peer, unit="ms", speed=True, budget=hundred)
    yield ratios("plan, and all results read", with_results, peer, unit="ms", speed=True)


def _langgraph(folder: Path, durability: Durability) -> Iterator[Figure]:
    """put_writes, one write a call and BATCH a call, and from many threads and coroutines."""
    from savers import Saver  # noqa: PLC0415 the peer may not be installed

    ours = Recorder(folder / f"milepost-{durability}.db", durability)
    with closing(Saver(folder, durability, each=EACH, batch=BATCH)) as saver, ours.manager:
        (alone, threads, coroutines, batches, *theirs) = in_turn(
            ROUNDS,
            ours.alone,
            ours.threads,
            ours.coroutines,
            ours.in_batches,
            saver.alone,
            saver.threads,
            saver.coroutines,
            saver.in_batches,
            warm_up=WARM_UP,
        )
    called = f"{version(LANGGRAPH)}, synchronous {saver.synchronous}"
    how = ("a call", f"{THREADS} threads", f"{THREADS} coroutines", f"{BATCH} writes a call")
    names = [
        f"{'AsyncSqliteSaver' if 'coroutines' in one else 'SqliteSaver'} {called}, {one}"
        for one in how
    ]
    labels = ("one at a time", how[1], how[2], f"batches of {BATCH}")
    for label, costs, name, of_peer in zip(
        labels, (alone, threads, coroutines, batches), names, theirs, strict=True
    ):
        peer = (name, of_peer)
        budget = BUDGETS.get((label, durability))
        yield ratios(f"{label}, {durability}", costs, peer, unit="µs", speed=True, budget=budget)


def _run(script: Path, *arguments: object) -> dict[str, Any]:
    answer = subprocess.run(
        [sys.executable, script, *map(str, arguments)], check=True, capture_output=True
    )
    report: dict[str, Any] = json.loads(answer.stdout)
    return report
