"""Run as a process of its own: DBOS Transact, its system database in one SQLite file or a server.

`steps` reads lines of two numbers: so many steps in each of so many workflows at once, in a file;
`served` does so on a PostgreSQL server; `fill` leaves a workflow behind in the middle, as a killed
process does; `recover` takes it up again.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from contextlib import closing
from time import perf_counter
from typing import Any, Final

import psycopg
from dbos import DBOS, DBOSConfig
from sqlalchemy import event
from sqlalchemy.engine import Engine

from cold import peak_bytes
from samples import results

VALUES: Final = results(1_000, seed=3)
EXECUTOR: Final = "bench"
WORKFLOWS: Final = 64  # at once, at the most; each has a connection
ran: list[int] = []  # the steps that were run and not taken from the database
settings: dict[str, Any] = {}


@DBOS.step()
def work(number: int) -> dict[str, Any]:
    ran.append(number)
    return VALUES[number % len(VALUES)]


@DBOS.workflow()
def some_steps(count: int) -> float:
    began = perf_counter()
    for number in range(count):
        work(number)
    return (perf_counter() - began) / count * 1e6


def in_workflows(count: int, workflows: int) -> float:
    """Measures a step in µs, with so many workflows that run at once."""
    if workflows == 1:
        return some_steps(count)
    began = perf_counter()
    handles = [DBOS.start_workflow(some_steps, count) for _ in range(workflows)]
    for handle in handles:
        handle.get_result()
    return (perf_counter() - began) / (count * workflows) * 1e6


gates: list[threading.Barrier] = []  # at which the workflows of one measurement wait


@DBOS.workflow()
def steps_from_the_gate(count: int) -> tuple[float, float]:
    """When its steps began and ended: without what it takes to begin a workflow and to end it."""
    gates[-1].wait()
    began = perf_counter()
    for number in range(count):
        work(number)
    return began, perf_counter()


def from_the_gate(count: int, workflows: int) -> float:
    """Measures a step in µs, from when all of so many workflows have begun."""
    gates[:] = [threading.Barrier(workflows)]
    handles = [DBOS.start_workflow(steps_from_the_gate, count) for _ in range(workflows)]
    times = [handle.get_result() for handle in handles]
    taken_s = max(ended for _, ended in times) - min(began for began, _ in times)
    return taken_s / (count * workflows) * 1e6


@DBOS.workflow()
def interrupted(count: int, dies: bool) -> float:  # noqa: FBT001 a workflow's arguments are stored
    began = perf_counter()
    for number in range(count):
        work(number)
    if dies and len(ran) == count:
        print(json.dumps({"ran": len(ran)}), flush=True)
        os._exit(0)
    return perf_counter() - began


def launch(path: str, journal: str, synchronous: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")  # the file keeps WAL

    @event.listens_for(Engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        if synchronous:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
        for pragma in ("journal_mode", "synchronous"):
            settings[pragma] = connection.execute(f"PRAGMA {pragma}").fetchone()[0]

    launch_on(f"sqlite:///{path}")


def launch_on(url: str, **options: Any) -> None:
    config = DBOSConfig(
        name="milepost-bench",
        system_database_url=url,
        executor_id=EXECUTOR,
        application_version="1",
        log_level="ERROR",
        enable_otlp=False,
        **options,
    )
    DBOS(config=config)
    DBOS.launch()


def main(what: str, path: str, argument: str = "") -> None:
    if what == "steps":
        launch(path, journal=argument, synchronous="")
        print(json.dumps(settings), flush=True)
        for line in sys.stdin:
            count, workflows = map(int, line.split())
            print(json.dumps(in_workflows(count, workflows)), flush=True)
    elif what == "served":
        launch_on(path, sys_db_pool_size=WORKFLOWS)
        with psycopg.connect(path) as connection:
            row = connection.execute("SHOW synchronous_commit").fetchone()
        print(json.dumps({"synchronous_commit": row and row[0]}), flush=True)
        for line in sys.stdin:
            count, workflows = map(int, line.split())
            print(json.dumps(from_the_gate(count, workflows)), flush=True)
    elif what == "fill":
        launch(path, journal="DELETE", synchronous="OFF")
        interrupted(int(argument), True)
    else:
        launch(path, journal="DELETE", synchronous="")
        (status,) = DBOS.list_workflows(name="interrupted")
        taken_s = DBOS.retrieve_workflow(status.workflow_id).get_result()
        report = {"taken_s": taken_s, "ran": len(ran), "peak_bytes": peak_bytes(), **settings}
        print(json.dumps(report), flush=True)
    os._exit(0)  # without waiting for its threads


if __name__ == "__main__":
    main(*sys.argv[1:])
