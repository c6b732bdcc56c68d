"""The statements of a durable record alone, bytes ready: what no record can be faster than.

The statements of records are kept, with their values, while a manager makes them. SQLite then runs
them once more on a copy of the store as it was before, and nothing of Milepost's is between them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import apsw
import msgspec

from floors import BareTable
from jobs import mapping_job
from milepost import StateManager
from pairing import Figure, Settings, in_turn, ratios
from records import EACH, FLOOR, JOB, ROUNDS, SLICES, WARM_UP, record_each
from samples import results

ALL: Final = (ROUNDS + WARM_UP) * SLICES * EACH
STATEMENTS: Final = 4
"""Begin, the row, the tip of its job, commit."""

Statement = tuple[str, Any]


@contextmanager
def kept() -> Iterator[list[Statement]]:
    """What is executed meanwhile on connections that are opened meanwhile."""
    executed: list[Statement] = []

    def keep(_cursor: object, sql: str, values: Any) -> bool:
        executed.append((sql, values))
        return True

    def opened(connection: apsw.Connection) -> None:
        connection.exec_trace = keep

    apsw.connection_hooks.append(opened)
    try:
        yield executed
    finally:
        apsw.connection_hooks.remove(opened)


def statements(path: Path, values: Sequence[dict[str, Any]]) -> list[Statement]:
    """The statements of one record each, made on the store of that path."""
    with kept() as executed, StateManager.open(path) as manager:
        record_each(manager, 0, values[:1])
        del executed[:]
        record_each(manager, 1, values[1:])
        made = list(executed)
    assert len(made) == STATEMENTS * (len(values) - 1), "a record is four statements"
    return made


def figures(settings: Settings) -> Iterator[Figure]:
    began, copied = settings.folder / "milepost.db", settings.folder / "copied.db"
    with StateManager.open(began) as manager:
        mapping_job(manager, JOB, ALL + 1)
    shutil.copy(began, copied)
    values = results(ALL + 1, seed=0)
    made = statements(began, values)
    with StateManager.open(copied) as manager:
        record_each(manager, 0, values[:1])
    bare = BareTable(settings.folder / "bare.db")
    again = apsw.Connection(str(copied))
    list(again.execute("PRAGMA synchronous = FULL"))
    at = 0

    def floor(turn: int) -> float:
        encoded = [msgspec.json.encode(value) for value in results(EACH, turn)]
        started = perf_counter()
        bare.insert_each(encoded)
        return (perf_counter() - started) / EACH * 1e6

    def repeated(_turn: int) -> float:
        nonlocal at
        part = made[at : at + STATEMENTS * EACH]
        at += len(part)
        execute = again.execute
        started = perf_counter()
        for sql, bound in part:
            execute(sql, bound)
        return (perf_counter() - started) / EACH * 1e6

    floors, ours = in_turn(ROUNDS, floor, repeated, warm_up=WARM_UP, slices=SLICES)
    again.close()
    bare.close()
    name = "the statements of a record alone"
    yield ratios(name, ours, (FLOOR, floors), unit="µs/item", speed=True)
