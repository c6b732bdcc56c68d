"""Run as a process of its own: one look, plan or record of a store of a given size, from cold.

It reports the time from the opening of the store to the end of the work, how long the store's
write lock was held, the processor time and the peak of memory.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import apsw

from cold import peak_bytes
from milepost import ItemEvent, StateManager
from milepost.inspect.history import history
from samples import results

CHILD: Final = Path(__file__)
JOB: Final = "grown"
FAILED: Final = 50
"""So many items have failed, in a job of any size."""
EACH: Final = 100


def result_of(ordinal: int) -> dict[str, int]:
    return {"n": ordinal}


def fails(ordinal: int, count: int) -> bool:
    """Whether the attempt of this item failed, of a job in which so many were tried."""
    return ordinal % (count // FAILED) == count // FAILED - 1


def plan(manager: StateManager, count: int) -> None:
    assert len(manager.recover_from_checkpoint(JOB).parts["done"]) == count - FAILED


def again(manager: StateManager, count: int) -> None:
    """The same result of an item in the middle, as after an answer that was lost."""
    manager.record(JOB, [ItemEvent(count // 2, "succeed", {"result": result_of(count // 2)})])


def page(manager: StateManager, count: int) -> None:
    assert len(history(manager, JOB, upto=count // 2, limit=20).events) == 20


def state_at(manager: StateManager, count: int) -> None:
    assert manager.state_at(JOB, count // 2).seq == count // 2


def result(manager: StateManager, count: int) -> None:
    assert manager.result_of(JOB, count // 2) == result_of(count // 2)


def failures(manager: StateManager, _count: int) -> None:
    assert len(manager.failures(JOB)) == FAILED


def prefix(manager: StateManager, count: int) -> None:
    assert len(manager.list_jobs(prefix=f"job-{count // 20:06d}")) == 10


def newest(manager: StateManager, _count: int) -> None:
    assert len(manager.list_jobs(limit=10)) == 10


def stuck(manager: StateManager, _count: int) -> None:
    assert manager.stuck_jobs() == []


def retention(manager: StateManager, _count: int) -> None:
    manager.plan_retention()


LOOKS: Final[dict[str, Callable[[StateManager, int], None]]] = {
    each.__name__: each
    for each in (plan, again, page, state_at, result, failures, prefix, newest, stuck, retention)
}


def recorded(path: str, count: int, batch: int) -> float:
    """What a result takes after so many, in s: the median of commits of `batch`."""
    values = results(EACH * batch, seed=5)
    costs = []
    with StateManager.open(path, create=False, durability="process") as manager:
        for commit in range(EACH // 10 if batch > 1 else EACH):
            first = count + (EACH if batch > 1 else 0) + commit * batch
            events = [
                ItemEvent(ordinal, "succeed", {"result": value})
                for ordinal, value in enumerate(values[:batch], first)
            ]
            began = perf_counter()
            manager.record(JOB, events)
            costs.append((perf_counter() - began) / batch)
    return statistics.median(costs)


def lock_times() -> list[float]:
    """A list that fills with how long each transaction of this process held the write lock."""
    held: list[float] = []
    began = 0.0

    def ended(event: dict[str, Any]) -> None:
        nonlocal began
        statement = event["sql"].split(";")[0].split()
        if statement[:2] == ["BEGIN", "IMMEDIATE"]:
            began = perf_counter()
        elif statement[:1] in (["COMMIT"], ["ROLLBACK"]) and began:
            held.append(perf_counter() - began)
            began = 0.0

    def opened(connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, ended, id="locks")

    apsw.connection_hooks.append(opened)
    return held


def main(what: str, path: str, count: int) -> None:
    report: dict[str, float] = {}
    if what in ("record", "batch"):
        report["taken_s"] = recorded(path, count, 1 if what == "record" else 100)
    else:
        locks = lock_times()
        began, worked = perf_counter(), process_time()
        with StateManager.open(path, create=False) as manager:
            LOOKS[what](manager, count)
        report["taken_s"] = perf_counter() - began
        report["processor_s"] = process_time() - worked
        report["locked_s"] = max(locks, default=0.0)
    print(json.dumps(report | {"peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
