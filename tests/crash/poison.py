"""A process that runs a job in which some items kill it. The tests start it again until it lives.

python -m tests.crash.poison STORE JOURNAL POOL WORKERS KEY[,KEY...]
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from milepost import Item, StateManager
from milepost.executors import CoroutineExecutor, run

JOB = "poisoned"


def main() -> None:
    """One life of the process."""
    store, journal, pool, workers, keys = sys.argv[1:]
    poisons = set(keys.split(","))
    together = int(workers)
    manager = StateManager.open(store)
    state = manager.get_state(JOB)
    # In the first life whoever kills waits until as many calls are under way as there are workers.
    first = not Path(journal).exists()
    barrier = threading.Barrier(together)
    told = os.open(journal, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    begun = 0

    def call(item: Item) -> None:
        os.write(told, f"{item.key}\n".encode())
        if item.key in poisons:
            os.kill(os.getpid(), signal.SIGKILL)

    def work(item: Item) -> str:
        if first and state.inputs.ordinal(item.key) < together:
            barrier.wait()
        call(item)
        return item.key

    async def awaited(item: Item) -> str:
        nonlocal begun
        begun += 1
        while first and begun < together:
            await asyncio.sleep(0)
        call(item)
        return item.key

    executor: partial[Executor]
    if pool == "coroutines":
        executor = partial(CoroutineExecutor, together)
        run(manager, JOB, awaited, list, executor=executor, takeover="it was killed")
    else:
        executor = partial(ThreadPoolExecutor, together)
        run(manager, JOB, work, list, executor=executor, takeover="it was killed")
    manager.close()


if __name__ == "__main__":
    main()
