"""Records one turn for each line that it reads, with whatever `milepost` is first on the path."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Final, cast

import milepost
from jobs import mapping_job
from milepost import StateManager
from milepost.state.persistence import Durability
from records import JOB, OF_A_THREAD, THREADS, record_awaited, record_each
from samples import results

EACH: Final = {"alone": 40, "awaited": THREADS * OF_A_THREAD}
TURNS: Final = 400


def main(store: str, durability: str, how: str) -> None:
    print(Path(milepost.__file__), flush=True)
    count = EACH[how]
    act = record_each if how == "alone" else record_awaited
    with StateManager.open(store, durability=cast(Durability, durability)) as manager:
        mapping_job(manager, JOB, TURNS * count)
        for turn, _ in enumerate(sys.stdin):
            values = results(count, turn)
            began, worked = perf_counter(), process_time()
            act(manager, turn * count, values)
            wall_s, processor_s = perf_counter() - began, process_time() - worked
            print(json.dumps([wall_s / count * 1e6, processor_s / count * 1e6]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
