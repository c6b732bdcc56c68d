"""A run that is awaited: beside an event loop, and ended in order by cancelling its task."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Literal

from milepost import arguments
from milepost.aio.manager import AsyncStateManager
from milepost.errors import LeaseHeld
from milepost.executors.calls import ExecutorSource
from milepost.executors.coroutines import CoroutineExecutor
from milepost.executors.local import MapFn, RunOutcome, run
from milepost.executors.retries import RetryPolicy
from milepost.executors.steps import ReduceFn, SetupFn
from milepost.executors.stopping import Stop, following
from milepost.executors.waiting import Wait
from milepost.job.state import JobState
from milepost.log.facts import check_job_id
from milepost.state.checkpoint import CheckpointPolicy
from milepost.state.manager import StateManager

__all__ = ["run_async"]


async def run_async(
    manager: StateManager | AsyncStateManager,
    job_id: str,
    map_fn: MapFn,
    reduce_fn: ReduceFn | None = None,
    *,
    executor: ExecutorSource = CoroutineExecutor,
    setup_fn: SetupFn | None = None,
    workers: int | None = None,
    ahead: int = 256,
    timeout_s: float | None = None,
    policy: CheckpointPolicy | None = None,
    owner: str | None = None,
    ttl_s: float = 30.0,
    takeover: str = "",
    wait: Wait | None = None,
    on_wait: Callable[[LeaseHeld], None] | None = None,
    on_progress: Callable[[JobState], None] | None = None,
    grace_s: float = 10.0,
    look_every_s: float = 1.0,
    items: Iterable[object] | Mapping[str, object] | None = None,
    on_changed: Literal["refuse", "keep", "grow"] = "refuse",
    retry: RetryPolicy | None = None,
    clock: Callable[[], float] = time.monotonic,
    stop: Stop | None = None,
) -> RunOutcome:
    """As `run`, awaited; see there. The run has a thread of its own, and the loop goes on.

    `map_fn` may be a coroutine function: the default `executor` runs it on an event loop of its
    own, 64 calls at a time. `reduce_fn`, `setup_fn` and what is told of progress are called in
    the run's thread.

    Cancelling the task, as Ctrl-C does under `asyncio.run`, stops the run in order; the
    CancelledError is raised once all is handed back, within `grace_s` and the last commits.
    Cancelled again, it waits for no call any more.
    """
    job_id = check_job_id(job_id)
    if stop is not None:
        arguments.instance("stop", stop, Stop)
    call = partial(
        run,
        manager.manager if isinstance(manager, AsyncStateManager) else manager,
        job_id,
        map_fn,
        reduce_fn,
        executor=executor,
        setup_fn=setup_fn,
        workers=workers,
        ahead=ahead,
        timeout_s=timeout_s,
        policy=policy,
        owner=owner,
        ttl_s=ttl_s,
        takeover=takeover,
        wait=wait,
        on_wait=on_wait,
        on_progress=on_progress,
        grace_s=grace_s,
        look_every_s=look_every_s,
        items=items,
        on_changed=on_changed,
        retry=retry,
        clock=clock,
    )
    with following(stop or Stop()) as own:
        return await _in_thread(partial(call, stop=own), own, f"milepost-run-{job_id}")


async def _in_thread(call: Callable[[], RunOutcome], stop: Stop, name: str) -> RunOutcome:
    """What `call` gives in a thread of its own; if this is cancelled, once it has stopped."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[RunOutcome] = loop.create_future()

    def work() -> None:
        tell: Callable[[], None]
        try:
            tell = partial(done.set_result, call())
        except BaseException as error:  # noqa: BLE001 whoever awaits it is told
            tell = partial(done.set_exception, error)
        with suppress(RuntimeError):  # the loop was closed, and nobody waits
            loop.call_soon_threadsafe(tell)

    threading.Thread(target=work, name=name).start()
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError as error:
            cancelled = error
            stop.request("its task was cancelled")
    if cancelled is None:
        return done.result()
    done.exception()  # that it is not lost on nobody: the cancellation counts
    raise cancelled
