"""Counts words on a Dask cluster; the job outlives the cluster and this process.

python words.py                          a cluster of threads in this process
python words.py --scheduler host:8786    yours
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import sleep

from distributed import Client, LocalCluster

from milepost import StateManager
from milepost.executors import WorkItem, run

JOB = "words"
LINES = ("to be or not to be", "that is the question", "whether it is nobler", "to suffer")


def count(pause_s: float, item: WorkItem) -> dict[str, int]:
    """The words of one text, on a worker."""
    sleep(pause_s)
    return dict(Counter(item.value.split()))


def total(results: Iterator[tuple[str, dict[str, int]]]) -> dict[str, int]:
    """The words of all texts, by how often they are there."""
    counted: Counter[str] = Counter()
    for _, words in results:
        counted.update(words)
    return dict(counted.most_common())


@contextmanager
def cluster(scheduler: str) -> Iterator[Client]:
    """The cluster of that address, or where none is given, one in this process."""
    if scheduler:
        with Client(scheduler) as client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
        ) as own,
        Client(own) as client,
    ):
        yield client


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job, or what is left of it; 0 if it is complete."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--db", default="words.db")
    parser.add_argument("--scheduler", default="")
    parser.add_argument("--pause-s", type=float, default=0, help="time for you to kill it in")
    asked = parser.parse_args(arguments)
    with StateManager.open(asked.db) as manager, cluster(asked.scheduler) as client:
        if not manager.has_job(JOB):
            texts = {f"{n:03}": LINES[n % len(LINES)] for n in range(40)}
            manager.create_job(texts, job_id=JOB)
        map_fn = partial(count, asked.pause_s)
        outcome = run(manager, JOB, map_fn, total, executor=client, progress=True)
        print(json.dumps(manager.result(JOB)) if outcome.succeeded else outcome)
        return 0 if outcome.succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
