"""Runs a job that the service shows: kill it and start it again.

python worker.py --db jobs.db
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import sleep

from milepost import StateManager
from milepost.executors import WorkItem, run

JOB = "squares"


def square(pause_s: float, item: WorkItem) -> int:
    """The square of a number, slowly enough to be watched."""
    sleep(pause_s)
    return int(item.value) ** 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job, or what is left of it; 0 if it is complete."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--db", default="jobs.db")
    parser.add_argument("--pause-s", type=float, default=0.2)
    asked = parser.parse_args(arguments)
    with StateManager.open(asked.db) as manager, ThreadPoolExecutor(2) as pool:
        if not manager.has_job(JOB):
            manager.create_job({f"{n:03}": n for n in range(60)}, job_id=JOB)
        outcome = run(
            manager,
            JOB,
            partial(square, asked.pause_s),
            lambda results: sum(value for _, value in results),
            executor=pool,
            progress=True,
        )
        print(manager.result(JOB) if outcome.succeeded else outcome)
        return 0 if outcome.succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
