"""Executors: run a job on any `concurrent.futures` executor. They hold no state code at all."""

from milepost.executors.awaited import run_async
from milepost.executors.coroutines import CoroutineExecutor
from milepost.executors.local import RunOutcome, run
from milepost.executors.pools import end_with_parent, process_pool
from milepost.executors.retries import Backoff, RetryPolicy
from milepost.executors.steps import Steps
from milepost.executors.stopping import Stop
from milepost.executors.waiting import wait_until_expired

__all__ = [
    "Backoff",
    "CoroutineExecutor",
    "RetryPolicy",
    "RunOutcome",
    "Steps",
    "Stop",
    "end_with_parent",
    "process_pool",
    "run",
    "run_async",
    "wait_until_expired",
]
