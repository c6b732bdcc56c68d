"""Process pools fit for a run: made without fork, deaf to Ctrl-C, gone with their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from milepost.arguments import integer

__all__ = ["end_with_parent", "process_pool"]

_MOST: Final = 10_000


def process_pool(workers: int | None = None) -> ProcessPoolExecutor:
    """A pool of `workers` processes (as many as there are CPUs) for `run`.

    Its workers are started from a clean server process, never by forking this one, whose threads
    and database connections must not be copied. As an executor for `run`, give
    `partial(process_pool, workers)`: a pool that breaks is then replaced.
    """
    if workers is not None:
        workers = integer("workers", workers, 1, _MOST)
    started = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    return ProcessPoolExecutor(
        workers, multiprocessing.get_context(started), initializer=end_with_parent
    )


def end_with_parent() -> None:
    """Make this worker process end when its parent is gone, and leave Ctrl-C to its parent.

    Give it to a pool of your own as its `initializer`. Without it, the workers of a process that
    is killed wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def attend() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=attend, name="milepost-parent", daemon=True).start()
