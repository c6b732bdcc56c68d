"""Run a job on a local executor: hand out its items, record what comes back, ask what follows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from operator import index
from signal import Signals
from typing import Final, Literal, TypeAlias

from milepost.errors import InputChanged, LeaseHeld, PlanStale
from milepost.executors.asking import check_asked
from milepost.executors.calls import Calls, ExecutorSource
from milepost.executors.retries import RetryPolicy, Waiting
from milepost.executors.running import Running
from milepost.executors.steps import ReduceFn, SetupFn
from milepost.executors.stopping import Stop, Stopping, listening, stop_signals
from milepost.executors.waiting import Wait, lease_of_job
from milepost.executors.window import Window
from milepost.items.inputs import Item
from milepost.job.state import JobState
from milepost.lifecycles.mapreduce import ITEM
from milepost.state.checkpoint import CheckpointPolicy
from milepost.state.manager import StateManager
from milepost.state.reading.comparing import InputComparison
from milepost.state.recovering.scope import Scope
from milepost.state.recovery import RecoveryPlan
from milepost.text.wording import short_repr

__all__ = ["MapFn", "RunOutcome", "run"]

_log: Final = logging.getLogger("milepost.executors")

MapFn: TypeAlias = Callable[[Item], object]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended, and what it did.

    `state` is the job's as the run left it, `plan` the recovery plan that it began with, `inputs`
    how the items that it was given differ from the job's, if it was given any. `stopped_by` is
    the signal that stopped it, None where none did; `stop_reason` is the signal's name, or why
    else it was asked to stop, empty where it was not. `done_count` results were recorded and
    `failure_count` attempts failed in this run.
    """

    state: JobState
    plan: RecoveryPlan
    inputs: InputComparison | None
    stopped_by: Signals | None
    done_count: int
    failure_count: int
    stop_reason: str = ""

    @property
    def phase(self) -> str:
        """The phase that the job is in now."""
        return self.state.phase

    @property
    def interrupted(self) -> bool:
        """True if the run was asked to stop, and ended before the job had."""
        return bool(self.stop_reason) and not self.state.finished

    @property
    def done_before_count(self) -> int:
        """Items whose results were there when the run began, and which it left alone."""
        return len(self.plan.done)

    @property
    def redone_count(self) -> int:
        """Items that somebody had begun and not ended when the run began."""
        return len(self.plan.in_flight)


def run(
    manager: StateManager,
    job_id: str,
    map_fn: MapFn,
    reduce_fn: ReduceFn | None = None,
    *,
    executor: ExecutorSource,
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
    """Take the job up wherever it was left, and work on it until it ends, stops or cannot go on.

    `map_fn` gets a `milepost.Item`, with `key` and `value`, on a worker of `executor`; what it
    returns is the item's result, and must be JSON within the manager's limits. An exception, or
    another result, fails the attempt; what then follows is the lifecycle's to say. `reduce_fn`
    gets `(key, result)` of the items that are done, streamed in item order, in the calling thread,
    and returns the job's result; without one the run ends where reduce begins, and a later run may
    go on from there.
    `setup_fn` gets the new job's state and returns variables for it. If it or `reduce_fn` raises,
    the job fails, and a later run tries that phase again. Either may take a second argument, the
    `Steps`: what `steps.step(name, call)` gives is recorded, and not called for again.

    `executor` is a `concurrent.futures.Executor`, or makes one when it is called: the run then
    shuts it down, and replaces it if it breaks. An executor that dies, this whole process
    included, uses up no attempt. The items that it was working on are suspects: one after the
    other they are tried alone, so that one which kills its worker takes no other with it, and is
    dead once `max_crashes` executors died of it. An executor of the caller's that breaks ends the
    run with its error, once that is recorded. For a coroutine function as `map_fn` it is a
    `CoroutineExecutor`.

    `workers` is how many calls the executor runs at once, by default what it says of itself.
    Results, failures and the items to begin next go into one commit, and each item is durably
    running before its call begins. As many are held as there are `workers`, and up to `ahead`
    beyond that as far as those are done within some 50 ms. With `timeout_s` nothing is held
    ahead, and a call that takes longer fails with cause `timeout`. A coroutine is cancelled then,
    and another has its place; of others, Python cannot stop any, so the worker stays busy and what
    it returns is dropped.

    The job is held under a lease, as `owner`, for `ttl_s` at a time. One whose process has ended
    is replaced at once; another holder is waited for, which is said on stderr and to `on_wait`,
    with the LeaseHeld: once, and again when the holder changes. One that does not renew is
    replaced when its ttl is over; of one that does, LeaseHeld is raised after its ttl. `takeover`
    is a reason for taking the job from it. `wait` is `"for its ttl"` unless it says `"no"`,
    `"for ever"`, or is called with the LeaseHeld before every new try, and raises to end that (see
    `wait_until_expired`). A signal that comes while it waits ends the run with nothing done.
    `policy` says when checkpoints are taken, beside those at each new phase and before a shutdown.

    `stop` is a handle by which any thread stops the run; SIGINT and SIGTERM stop one in the main
    thread, cancelling its future one that a thread pool runs (and so the task that awaits
    `asyncio.to_thread(run, ...)`), and closing the manager any. No item begins, the calls under way
    have `grace_s` to end, the rest are handed back unharmed, a checkpoint is taken, and
    `RunOutcome.interrupted` is True. A second request ends the wait, and a second signal ends
    `setup_fn` and `reduce_fn` by a KeyboardInterrupt. A job that is paused, cancelled or failed by
    others is noticed at the next commit, or within `look_every_s`; calls that cannot be recorded
    any more are left to end by themselves.

    With `retry` an item that failed waits in `failed` until its backoff is over, or is given up
    for its cause. Waits are counted from the commit that says that it failed, so that a restart
    does not begin them anew, and no clock that is set makes one longer than it is. Without a
    policy, items are tried again at once.

    `items` are those that the caller has now: they are compared with the job's, and where they
    differ the run is refused (InputChanged), unless `on_changed` is `keep`: the job then goes on
    with the items that it has, and `RunOutcome.inputs` says what differs. With `grow`, items that
    are only more are added behind those that the job has; any other difference is refused.

    `on_progress` gets the state after each commit; `clock` gives seconds that never fall.

    Raises ArgumentInvalid, before the job is touched; TypeError for a `map_fn` that the executor
    cannot call: a coroutine function that nothing would await, or one that cannot be sent to
    another process; LeaseHeld; InputChanged; ItemsRefused where items are to be added to a job that
    is beyond map; LeaseLost as soon as another holds the job, with nothing more written; a
    BrokenExecutor of the caller's own executor; and the store's errors. Whatever is raised, the job
    is left so that another run takes it up.
    """
    check_asked(
        manager=manager,
        job_id=job_id,
        map_fn=map_fn,
        reduce_fn=reduce_fn,
        executor=executor,
        setup_fn=setup_fn,
        workers=workers,
        ahead=ahead,
        timeout_s=timeout_s,
        policy=policy,
        owner=owner,
        ttl_s=ttl_s,
        takeover=takeover,
        wait="for its ttl" if wait is None else wait,
        on_wait=on_wait,
        on_progress=on_progress,
        grace_s=grace_s,
        look_every_s=look_every_s,
        items=items,
        on_changed=on_changed,
        retry=retry,
        clock=clock,
        stop=stop,
    )
    grace_s, look_every_s = float(grace_s), float(look_every_s)
    timeout_s = None if timeout_s is None else float(timeout_s)
    workers, ahead = None if workers is None else index(workers), index(ahead)
    with ExitStack() as stack:
        stopping = stack.enter_context(listening(manager, stop, grace_s))
        take = partial(manager.lease, job_id, owner, ttl_s, takeover=takeover)
        wanted = "for its ttl" if wait is None else wait
        lease = lease_of_job(lambda: stack.enter_context(take()), wanted, on_wait, clock, stopping)
        if lease is None:
            return _not_begun(manager, job_id, stopping)
        calls = stack.enter_context(
            closing(
                Calls(executor, map_fn, timeout_s=timeout_s, clock=clock, limits=manager.limits)
            )
        )
        stopping.wake = calls.wake
        stack.enter_context(stop_signals(stopping))
        inputs = None if items is None else manager.compare_inputs(job_id, items)
        taken = {"same", "grew"} if on_changed == "grow" else {"same"}
        if inputs is not None and inputs.verdict not in taken and on_changed != "keep":
            raise InputChanged(job_id=job_id, verdict=inputs.verdict, difference=str(inputs))
        plan, state = _recovered(manager, job_id, takeover, retry)
        if inputs is not None and inputs.verdict == "grew" and on_changed == "grow":
            more = inputs.new_items()
            state = manager.add_items(job_id, more, existing="skip", lease=lease)
        running = Running(
            manager=manager,
            lease=lease,
            calls=calls,
            stop=stopping,
            window=Window(workers or calls.workers or 1, 0 if timeout_s else ahead),
            policy=policy or CheckpointPolicy(),
            on_progress=on_progress or _untold,
            grace_s=grace_s,
            look_every_s=look_every_s,
            clock=clock,
            state=state,
            waiting=None if retry is None else Waiting(retry, lambda: manager.failures(job_id)),
        )
        running.go(setup_fn, reduce_fn)
        return RunOutcome(
            state=running.state,
            plan=plan,
            inputs=inputs,
            stopped_by=stopping.signal,
            done_count=running.done_count,
            failure_count=running.failure_count,
            stop_reason=stopping.reason,
        )


def _not_begun(manager: StateManager, job_id: str, stop: Stopping) -> RunOutcome:
    """How a run ended that was stopped while it waited for the job: nothing is changed."""
    plan = manager.recover_from_checkpoint(job_id)
    return RunOutcome(
        state=plan.state,
        plan=plan,
        inputs=None,
        stopped_by=stop.signal,
        done_count=0,
        failure_count=0,
        stop_reason=stop.reason,
    )


def _recovered(
    manager: StateManager, job_id: str, reason: str, retry: RetryPolicy | None
) -> tuple[RecoveryPlan, JobState]:
    """The plan for the job, and its state once that is done; with a policy, what failed waits."""
    states = (state for state in ITEM.states if state != "failed")
    scope = Scope.all() if retry is None else Scope.states(*states)
    while True:
        plan = manager.recover_from_checkpoint(job_id, reason=reason, scope=scope)
        try:
            return plan, manager.apply(plan)
        except PlanStale as stale:  # somebody paused it, or the like, at this very moment
            _log.info("%s", stale)


def _untold(state: JobState) -> None:
    del state
