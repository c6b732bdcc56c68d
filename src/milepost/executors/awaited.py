"""A run that is awaited: beside an event loop, and ended in order by cancelling its task."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Literal

from milepost import arguments
from milepost.aio.manager import AsyncStateManager
from milepost.errors import LeaseHeld
from milepost.executors.calls import ExecutorSource
from milepost.executors.coroutines import CoroutineExecutor
from milepost.executors.local import run
from milepost.executors.outcome import RunOutcome
from milepost.executors.pacing import Limit
from milepost.executors.phases import ReduceFn, SetupFn
from milepost.executors.retries import RetryPolicy
from milepost.executors.stopping import Stop, following
from milepost.executors.vocabulary import ItemFn, PhaseFns
from milepost.executors.waiting import Wait
from milepost.job.state import JobState
from milepost.log.facts import check_job_id
from milepost.state.checkpoint import CheckpointPolicy
from milepost.state.manager import StateManager
from milepost.state.writing.given import ItemList
from milepost.worker.beside import Beside
from milepost.worker.rules import Errors
from milepost.worker.values import Encode

__all__ = ["run_async"]


async def run_async(
    manager: StateManager | AsyncStateManager,
    job_id: str,
    map_fn: ItemFn | None = None,
    reduce_fn: ReduceFn | None = None,
    *,
    executor: ExecutorSource = CoroutineExecutor,
    setup_fn: SetupFn | None = None,
    phases: PhaseFns | None = None,
    workers: int | None = None,
    ahead: int = 256,
    timeout_s: float | None = None,
    probe_s: float | None = 30.0,
    policy: CheckpointPolicy | None = None,
    owner: str | None = None,
    ttl_s: float = 30.0,
    takeover: str = "",
    wait: Wait | None = None,
    on_wait: Callable[[LeaseHeld], None] | None = None,
    on_progress: Callable[[JobState], None] | None = None,
    progress: bool = False,
    grace_s: float = 10.0,
    look_every_s: float = 1.0,
    items: ItemList | None = None,
    collections: Mapping[str, ItemList] | None = None,
    on_changed: Literal["refuse", "keep", "grow"] = "refuse",
    retry: RetryPolicy | None = None,
    errors: Errors | None = None,
    encode: Encode | None = None,
    limit: Limit | None = None,
    check: bool = False,
    clock: Callable[[], float] = time.monotonic,
    stop: Stop | None = None,
    beside: Beside | None = None,
) -> RunOutcome:
    """Run a job beside an event loop: as `run`, in a thread of its own, awaited.

    The job is held under a lease. An executor that dies, this whole process included, uses up no
    attempt: the items in flight become suspects, which are tried one after the other, alone, and a
    suspect is given up once `max_crashes` executors died of it; so under the built-in lifecycle,
    and under any other that has the roles for it. A job that others pause, cancel or fail
    is noticed at the next commit. Whatever is raised, another run can take the job up. To one that
    has ended nothing is written, and no lease is taken.

    Cancelling the task stops the run in order, as do `stop` and the closing of the manager; the
    CancelledError is raised once all is handed back. No item begins then, calls under way have
    `grace_s` to end, the rest are handed back unharmed, and a checkpoint is taken. A second request
    ends the wait for calls.

    Args:
        manager: The manager of the store.
        job_id: The job.
        map_fn: Is called with each `milepost.Item` on a worker. Its JSON value is the item's
            result; an exception fails the attempt. Of several collections it may be a mapping of
            their names to functions.
        reduce_fn: The function for the one phase after the work on items, as in `phases`. In
            MapReduce it gives the job's result.
        executor: A `concurrent.futures.Executor`, an `Engine` of `milepost.executors.engines`, or a
            function that makes one. The run shuts down an executor that it made, and replaces it if
            it breaks. For coroutine functions it is a `CoroutineExecutor`. Without `map_fn`, none
            is needed.
        setup_fn: The function for the one phase before the work on items, as in `phases`. In
            MapReduce it gives the job's variables. That phase needs none.
        phases: By name, functions for phases of the job, which are called in the run's thread.
            Each is called with the job's state, or, once items have results, with a stream of
            `(key, result)` in item order. It returns what the event that ends the phase carries:
            the job's result, its variables, or a mapping of the event's fields. It may take a
            second argument, the `Steps`, whose results are recorded and not called for again.
        workers: How many calls run at once. If it is not given, as many as the executor says at
            each turn; one that does not say is refused.
        ahead: How many items more are begun, as far as they take some 50 ms together.
            Short ones go to a worker several at a time, unless `timeout_s` is given, and their
            results wait up to 20 ms for one another.
        timeout_s: Seconds that a call may take before its attempt fails, as timed out. A
            coroutine is cancelled then. Any other call keeps its worker busy, and its result is
            dropped.
        probe_s: Seconds that workers of other processes have to answer a call that does nothing,
            before an item begins. None asks for none.
        policy: When checkpoints are taken, beside those at each new phase and at the end.
        owner: The name of the holder, for people. Host and process, if it is not given.
        ttl_s: Seconds that the lease is good for without a renewal.
        takeover: A reason to take the job from a holder that is alive.
        wait: What to do while another holds the job: wait `"for its ttl"`, `"for ever"` or `"no"`;
            or a function that is called with the LeaseHeld before each new try.
        on_wait: Is called with the LeaseHeld when a wait begins, and when the holder changes.
        on_progress: Is called with the state after each commit, in the run's thread; what it raises
            ends the run.
        progress: Show how far the run is: a bar on a terminal, lines in a log, nothing where nobody
            looks.
        grace_s: Seconds that calls have to end, once the run is to stop.
        look_every_s: Seconds between two looks at the job for changes by others.
        items: The items that the caller has now, to compare with the job's.
        collections: The same, of several collections, by their names.
        on_changed: Where they differ, `"refuse"` raises InputChanged, `"keep"` goes on with the
            items of the job, and `"grow"` adds items that are new.
        retry: When failed items are tried again, by cause. At once, if it is not given.
        errors: What exceptions of `map_fn` mean: a mapping of classes, of their dotted names, or of
            kinds as `"HTTPStatusError 400"`, to `"permanent"`, `"timeout"`, a Verdict or a Later;
            or a function that gives one of these for an exception, or None. See `Permanent`.
        encode: Gives what JSON has no word for as what it has, as `default` of `json.dumps` does.
        limit: How many calls begin in a second, and how many run at once. No more are begun than
            can run, so `ahead` counts for nothing then.
        check: Raise JobFailed unless the job has succeeded, or the run was stopped.
        clock: A function that gives seconds that never fall, for tests.
        stop: A handle by which any thread stops the run.
        beside: Where workers keep results that are large; the log keeps where they are. All in the
            log, if it is not given.

    Returns:
        The phase that the job is in, why the run ended, and how the items differed.

    Raises:
        ArgumentInvalid: An argument is wrong; the job was not touched.
        JobAbsent: There is no such job; as JobReplaced, it was deleted while the run had it.
        LifecycleChanged: The job is of a lifecycle, or a version of one, that is not at hand.
        RoleAbsent: The job's lifecycle has no role for what the run needs; nothing was touched.
        PayloadUnfilled: An event must carry more than the run has for it; nothing was touched.
        ExtraAbsent: What leads to the place of `beside` is not installed; nothing was touched.
        EngineUnfit: No worker answered, or one lacks this package in this version.
        TypeError: The executor cannot call `map_fn`, or its call gave no value but something that
            is still to be awaited or gone through. No attempt was used.
        LeaseHeld: Another executor holds the job.
        LeaseLost: Another executor took the job over; nothing more was written.
        InputInvalid: Of `items`, one cannot be stored, or two have one key.
        InputChanged: The items differ from the job's.
        ItemsRefused: Items were to be added to a job that takes none any more.
        BrokenExecutor: The caller's own executor broke, or each that was made did, in a row.
        TransitionRefused: The lifecycle refuses what the run has to record, and nobody else has
            changed the job; as ValueInvalid, it is too large.
        StoreError: The store is locked, full, read-only, replaced or damaged: see its kinds.
        JobFailed: With `check`, the job has not succeeded, and nobody stopped the run.
        Exception: What `on_progress`, `on_wait`, `wait` or `clock` raises; and what the function of
            a phase raises, where the lifecycle has no role that says that the job has failed.
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
        phases=phases,
        workers=workers,
        ahead=ahead,
        timeout_s=timeout_s,
        probe_s=probe_s,
        policy=policy,
        owner=owner,
        ttl_s=ttl_s,
        takeover=takeover,
        wait=wait,
        on_wait=on_wait,
        on_progress=on_progress,
        progress=progress,
        grace_s=grace_s,
        look_every_s=look_every_s,
        items=items,
        collections=collections,
        on_changed=on_changed,
        retry=retry,
        errors=errors,
        encode=encode,
        limit=limit,
        check=check,
        clock=clock,
        beside=beside,
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
