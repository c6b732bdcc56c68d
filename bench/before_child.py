"""Works one turn for each line that it reads, with whatever `milepost` is first on the path."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Final, cast

import milepost
from jobs import mapping_job
from milepost import ItemEvent, StateManager
from milepost.lifecycles import mapreduce
from milepost.state.persistence import Durability
from records import JOB, OF_A_THREAD, THREADS, record_awaited, record_each
from samples import results

EACH: Final = {"alone": 40, "awaited": THREADS * OF_A_THREAD, "stepped": 9_000, "planned": 20}
TURNS: Final = 400
ITEMS: Final = 10_000
READ: Final = {"permanent": False}  # what rows read of payloads
LIFE: Final = ("start", "fail", "retry", "start", "fail", "give_up", "requeue", "start", "release")


def step_each(_manager: StateManager, _first: int, values: Sequence[object]) -> None:
    """As many steps as there are values, through the life of an item."""
    machine = mapreduce.LIFECYCLE.machines["item"]
    state, context = machine.initial, machine.context()
    for _ in range(len(values) // len(LIFE)):
        for event in LIFE:
            state, context, _, _ = machine.step(state, event, context, READ)


def plan_each(manager: StateManager, _first: int, values: Sequence[object]) -> None:
    """As many recovery plans as there are values, of a job that was left in the middle."""
    for _ in values:
        manager.recover_from_checkpoint(JOB)


def leave(manager: StateManager) -> None:
    """A job whose items are in every state that items can be in, a batch of them in flight."""
    mapping_job(manager, JOB, ITEMS, started=False)
    failed = {"cause": "error", "message": "no"}
    for first in range(0, ITEMS // 2, 500):
        ordinals = range(first, first + 500)
        manager.record(JOB, [ItemEvent(o, "start") for o in ordinals])
        ends = [("fail", failed) if o % 10 == 0 else ("succeed", {"result": o}) for o in ordinals]
        manager.record(JOB, [ItemEvent(o, *end) for o, end in zip(ordinals, ends, strict=True)])
    manager.record(JOB, [ItemEvent(o, "start") for o in range(ITEMS // 2, ITEMS // 2 + 100)])


ACTS: Final = {
    "alone": record_each,
    "awaited": record_awaited,
    "stepped": step_each,
    "planned": plan_each,
}


def main(store: str, durability: str, how: str) -> None:
    print(Path(milepost.__file__), flush=True)
    count = EACH[how]
    act = ACTS[how]
    with StateManager.open(store, durability=cast(Durability, durability)) as manager:
        if how == "planned":
            leave(manager)
        elif how != "stepped":
            mapping_job(manager, JOB, TURNS * count)
        for turn, _ in enumerate(sys.stdin):
            values = results(count, turn)
            began, worked = perf_counter(), process_time()
            act(manager, turn * count, values)
            wall_s, processor_s = perf_counter() - began, process_time() - worked
            print(json.dumps([wall_s / count * 1e6, processor_s / count * 1e6]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
