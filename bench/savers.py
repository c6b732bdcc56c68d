"""LangGraph's savers for SQLite, asked as an executor would: alone, by many at once, in batches."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from milepost.state.persistence import Durability
from records import JOB, OF_A_THREAD, THREADS, in_threads, shares
from samples import results

__all__ = ["Saver"]


class Saver:
    """LangGraph's savers on a file each; they set WAL, and SQLite's default is FULL."""

    def __init__(self, folder: Path, durability: Durability, *, each: int, batch: int) -> None:
        self._each = each
        self._batch, self._in_batches = batch, 10 * batch
        self.synchronous = {"full": "FULL", "process": "NORMAL"}[durability]
        self._path = folder / f"langgraph-async-{durability}.db"
        self._connection = sqlite3.connect(
            folder / f"langgraph-{durability}.db", check_same_thread=False
        )
        self._saver = SqliteSaver(self._connection)
        self._saver.setup()
        self._connection.execute(f"PRAGMA synchronous = {self.synchronous}")
        self._level = {"full": 2, "process": 1}[durability]
        found = self._connection.execute("PRAGMA synchronous").fetchone()
        assert found == (self._level,), "both promise the same"

    def close(self) -> None:
        self._connection.close()

    def alone(self, turn: int) -> float:
        return self._put(turn, self._each, 1)

    def in_batches(self, turn: int) -> float:
        return self._put(turn, self._in_batches, self._batch)

    def _put(self, turn: int, count: int, at_once: int) -> float:
        values = results(count, turn)
        config = _config(f"{at_once}-{turn}")
        began = perf_counter()
        for at in range(0, count, at_once):
            writes = [("result", value) for value in values[at : at + at_once]]
            self._saver.put_writes(config, writes, task_id=f"item-{at}")
        return (perf_counter() - began) / count * 1e6

    def threads(self, turn: int) -> float:
        count = THREADS * OF_A_THREAD
        config = _config(f"threads-{turn}")

        def put(first: int, values: Sequence[dict[str, Any]]) -> None:
            for number, value in enumerate(values, first):
                self._saver.put_writes(config, [("result", value)], task_id=f"item-{number}")

        return in_threads(put, 0, results(count, turn)) / count * 1e6

    def coroutines(self, turn: int) -> float:
        return asyncio.run(self._awaited(turn))

    async def _awaited(self, turn: int) -> float:
        count = THREADS * OF_A_THREAD
        values = results(count, turn)
        config = _config(f"coroutines-{turn}")
        async with AsyncSqliteSaver.from_conn_string(str(self._path)) as saver:
            await saver.setup()
            await saver.conn.execute(f"PRAGMA synchronous = {self.synchronous}")
            found = await (await saver.conn.execute("PRAGMA synchronous")).fetchone()
            assert found == (self._level,), "both promise the same"

            async def put(share: range) -> None:
                for number in share:
                    one = [("result", values[number])]
                    await saver.aput_writes(config, one, task_id=f"item-{number}")

            began = perf_counter()
            await asyncio.gather(*(put(share) for share in shares()))
            return (perf_counter() - began) / count * 1e6


def _config(checkpoint: str) -> Any:  # Any: a RunnableConfig
    return {"configurable": {"thread_id": JOB, "checkpoint_ns": "", "checkpoint_id": checkpoint}}
