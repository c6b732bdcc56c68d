"""Executors: run a job on any `concurrent.futures` executor. They hold no state code at all.

Names are loaded when they are first used, so that a worker which needs `Later` loads no store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.executors.awaited import run_async
    from milepost.executors.coroutines import CoroutineExecutor
    from milepost.executors.local import run
    from milepost.executors.outcome import RunOutcome
    from milepost.executors.pacing import Limit
    from milepost.executors.pools import end_with_parent, process_pool
    from milepost.executors.retries import Backoff, RetryPolicy
    from milepost.executors.steps import Steps
    from milepost.executors.stopping import Stop
    from milepost.executors.waiting import wait_until_expired
    from milepost.worker.beside import Beside
    from milepost.worker.items import NoteWay, WorkItem
    from milepost.worker.rules import Verdict
    from milepost.worker.signals import NOTHING, Later, Nothing, Permanent

__all__ = [
    "NOTHING",
    "Backoff",
    "Beside",
    "CoroutineExecutor",
    "Later",
    "Limit",
    "NoteWay",
    "Nothing",
    "Permanent",
    "RetryPolicy",
    "RunOutcome",
    "Steps",
    "Stop",
    "Verdict",
    "WorkItem",
    "end_with_parent",
    "process_pool",
    "run",
    "run_async",
    "wait_until_expired",
]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "NOTHING": "milepost.worker.signals",
        "Backoff": "milepost.executors.retries",
        "Beside": "milepost.worker.beside",
        "CoroutineExecutor": "milepost.executors.coroutines",
        "Later": "milepost.worker.signals",
        "Limit": "milepost.executors.pacing",
        "NoteWay": "milepost.worker.items",
        "Nothing": "milepost.worker.signals",
        "Permanent": "milepost.worker.signals",
        "RetryPolicy": "milepost.executors.retries",
        "RunOutcome": "milepost.executors.outcome",
        "Steps": "milepost.executors.steps",
        "Stop": "milepost.executors.stopping",
        "Verdict": "milepost.worker.rules",
        "WorkItem": "milepost.worker.items",
        "end_with_parent": "milepost.executors.pools",
        "process_pool": "milepost.executors.pools",
        "run": "milepost.executors.local",
        "run_async": "milepost.executors.awaited",
        "wait_until_expired": "milepost.executors.waiting",
    },
)
