"""Run as a process of its own: one stage in the life of a job of a given size, and its memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final

from cold import peak_bytes
from jobs import mapping_job, start
from milepost import CheckpointPolicy, ItemEvent, StateManager
from milepost.inspect.jobs import jobs
from milepost.inspect.show import show
from samples import results

STAGE: Final = Path(__file__)
JOB: Final = "sized"
BATCH: Final = 100
POLICY: Final = CheckpointPolicy()


def create(manager: StateManager, count: int) -> None:
    mapping_job(manager, JOB, count, started=False)


def record(manager: StateManager, count: int) -> None:
    """Start and end every item, in batches, with checkpoints as the default policy asks."""
    values = results(1_000, seed=3)
    settled = commits = 0
    for first in range(0, count, BATCH):
        batch = range(first, min(first + BATCH, count))
        start(manager, JOB, batch)
        ended = [ItemEvent(n, "succeed", {"result": values[n % 1_000]}) for n in batch]
        manager.record(JOB, ended)
        settled, commits = settled + len(batch), commits + 2
        if POLICY.due(settled_items=settled, commits=commits, elapsed_s=0.0):
            manager.create_checkpoint(JOB, reason="policy")
            settled = commits = 0


def checkpoint(manager: StateManager, _count: int) -> None:
    manager.create_checkpoint(JOB)


def plan(manager: StateManager, count: int) -> None:
    found = manager.recover_from_checkpoint(JOB)
    assert sum(map(len, found.parts.values())) == count


def inspect(manager: StateManager, count: int) -> None:
    """What `milepost list` and `milepost show` ask for."""
    assert jobs(manager).total == 1
    assert show(manager, JOB, now=datetime(2030, 1, 1, tzinfo=UTC)).progress.done == count


STAGES: Final[dict[str, Callable[[StateManager, int], None]]] = {
    stage.__name__: stage for stage in (create, record, checkpoint, plan, inspect)
}


def main(name: str, path: str, count: int) -> None:
    began = perf_counter()
    with StateManager.open(path, durability="process") as manager:
        STAGES[name](manager, count)
    print(json.dumps({"taken_s": perf_counter() - began, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
