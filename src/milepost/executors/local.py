"""Run a job on a local executor: hand out its items, record what comes back, ask what follows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace
from functools import partial
from operator import index
from typing import Final, Literal

from milepost.errors import InputChanged, LeaseHeld, PlanStale
from milepost.executors.asking import check_asked, functions_of
from milepost.executors.calls import ExecutorSource
from milepost.executors.checkpoints import Checkpoints
from milepost.executors.held import HeldJob
from milepost.executors.notes import Notes
from milepost.executors.noting import Noting
from milepost.executors.outcome import RunOutcome, checked_outcome, outcome_of
from milepost.executors.pacing import Limit, Pace
from milepost.executors.phases import ReduceFn, SetupFn
from milepost.executors.resolving import Asked, check_beside, vocabulary
from milepost.executors.retries import RetryPolicy, Waiting
from milepost.executors.running import Running
from milepost.executors.stopping import Stop, Stopping, listening, stop_signals
from milepost.executors.traced import traced, traced_calls
from milepost.executors.vocabulary import ItemFn, PhaseFns, Vocabulary
from milepost.executors.waiting import Wait, lease_of_job
from milepost.executors.window import Window
from milepost.executors.working import PhaseWork
from milepost.items.inputs import Item
from milepost.job.state import JobState
from milepost.progress.places import shown
from milepost.state.checkpoint import CheckpointPolicy
from milepost.state.manager import StateManager
from milepost.state.reading.comparing import InputComparison
from milepost.state.recovering.scope import Scope
from milepost.state.recovery import RecoveryPlan
from milepost.state.writing.given import ItemList
from milepost.state.writing.lease import Lease
from milepost.worker.attempts import Terms
from milepost.worker.beside import Beside
from milepost.worker.rules import Errors, error_rules
from milepost.worker.values import Encode

__all__ = ["run"]

_log: Final = logging.getLogger("milepost.executors")


def run(
    manager: StateManager,
    job_id: str,
    map_fn: ItemFn | None = None,
    reduce_fn: ReduceFn | None = None,
    *,
    executor: ExecutorSource | None = None,
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
    """Work on the job from where it was left, until it ends, stops or cannot go on.

    The job is held under a lease. An executor that dies, this whole process included, uses up no
    attempt: the items in flight become suspects, which are tried one after the other, alone, and a
    suspect is given up once `max_crashes` executors died of it; so under the built-in lifecycle,
    and under any other that has the roles for it. A job that others pause, cancel or fail
    is noticed at the next commit. Whatever is raised, another run can take the job up. To one that
    has ended nothing is written, and no lease is taken.

    SIGINT and SIGTERM stop a run in the main thread; so do `stop`, the closing of the manager, and
    the cancelling of the future that a thread pool runs it for. No item begins then, calls under
    way have `grace_s` to end, the rest are handed back unharmed, and a checkpoint is taken. A
    second request ends the wait for calls.

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
        phases: By name, functions for phases of the job, which are called in the calling thread.
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
    check_asked(
        manager=manager,
        job_id=job_id,
        map_fn=map_fn,
        reduce_fn=reduce_fn,
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
        wait="for its ttl" if wait is None else wait,
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
        stop=stop,
        beside=beside,
    )
    asked = Asked(
        map_fn=map_fn, setup_fn=setup_fn, reduce_fn=reduce_fn, phases=phases or {}, retry=retry
    )
    before = manager.get_state(job_id)
    vocabulary(before, asked)
    check_beside(before, beside)
    terms = Terms(
        most_bytes=manager.limits.value_max_bytes, rules=error_rules(errors), encode=encode
    )
    grace_s, look_every_s = float(grace_s), float(look_every_s)
    probe_s = None if probe_s is None else float(probe_s)
    timeout_s = None if timeout_s is None else float(timeout_s)
    workers, ahead = None if workers is None else index(workers), index(ahead)
    with ExitStack() as stack:
        stopping = stack.enter_context(listening(manager, stop, grace_s))
        tracing = stack.enter_context(traced(manager, before, stopping))
        take = partial(manager.lease, job_id, tracing.owner(owner), ttl_s, takeover=takeover)
        wanted = "for its ttl" if wait is None else wait
        ended = partial(_ended, manager, job_id, takeover, retry)
        held = lease_of_job(
            lambda: ended() or stack.enter_context(take()), wanted, on_wait, clock, stopping
        )
        if held is None:
            return _not_begun(manager, job_id, stopping)
        lease = held if isinstance(held, Lease) else None
        if beside is not None and lease is not None:
            terms = replace(terms, keeping=manager.keep_beside(job_id, beside, lease=lease))
        calls = traced_calls(tracing)(
            ThreadPoolExecutor if executor is None else executor,
            functions_of(map_fn),
            workers=workers,
            timeout_s=timeout_s,
            clock=clock,
            terms=terms,
        )
        stack.enter_context(closing(calls))
        stopping.wake = calls.wake
        stack.enter_context(stop_signals(stopping))
        inputs = None
        if items is not None or collections is not None:
            inputs = manager.compare_inputs(job_id, items, collections=collections)
        taken = {"same", "grew"} if on_changed == "grow" else {"same"}
        if inputs is not None and inputs.verdict not in taken and on_changed != "keep":
            raise InputChanged(job_id=job_id, verdict=inputs.verdict, difference=str(inputs))
        plan, state = _recovered(manager, job_id, takeover, retry, held)
        if inputs is not None and inputs.verdict == "grew" and on_changed == "grow":
            for collection, more in _by_collection(state, inputs):
                state = manager.add_items(
                    job_id, more, collection=collection, existing="skip", lease=lease
                )
        words = vocabulary(state, asked)
        _tell_of_deaths(plan, words)
        over = stopping.requested or state.finished
        if probe_s is not None and not over and words.to_do(state):
            calls.probe(probe_s)
        job = HeldJob(
            manager=manager,
            lease=lease,
            checkpoints=Checkpoints(manager, policy or CheckpointPolicy(), clock, state),
            on_progress=tracing.began(state, on_progress or _untold),
            state=state,
        )
        notes = Notes(calls.wake)
        stack.callback(notes.close)
        running = Running(
            job=job,
            noting=Noting(job, words, notes, lambda: manager.notes(job_id)),
            words=words,
            phases=PhaseWork(
                job=job,
                words=words,
                terms=terms,
                stop=stopping,
                look_every_s=look_every_s,
                clock=clock,
            ),
            calls=calls,
            stop=stopping,
            window=Window(calls.slots, ahead if calls.ahead and limit is None else 0),
            pace=Pace(limit),
            grace_s=grace_s,
            look_every_s=look_every_s,
            clock=clock,
            waiting=None
            if retry is None
            else Waiting(retry, partial(manager.failed_attempts, job_id), words),
        )
        tracing.told = running.seen
        with shown(running.seen) if progress else nullcontext():
            running.go()
        outcome = outcome_of(
            manager,
            running.state,
            plan,
            inputs,
            stopping,
            done_count=running.done_count,
            failure_count=running.failure_count,
            death_count=running.death_count,
            deferred_count=running.deferrals.count,
            cost=running.cost,
            halted=running.halted,
        )
        return checked_outcome(outcome) if check else outcome


def _not_begun(manager: StateManager, job_id: str, stop: Stopping) -> RunOutcome:
    """How a run ended that was stopped while it waited for the job: nothing is changed."""
    plan = manager.recover_from_checkpoint(job_id)
    return outcome_of(manager, plan.state, plan, None, stop)


def _ended(
    manager: StateManager, job_id: str, reason: str, retry: RetryPolicy | None
) -> RecoveryPlan | None:
    """The plan for a job to which nothing happens any more; None for one that a run can work on.

    No lease is needed for it: a job that has ended does not become younger by being run again.
    """
    state = manager.get_state(job_id)
    if not state.finished:
        return None
    scope = _scope(state, retry)
    plan = manager.recover_from_checkpoint(job_id, reason=reason, scope=scope)
    return plan if plan.state.finished and plan.changes_nothing else None


def _scope(state: JobState, retry: RetryPolicy | None) -> Scope:
    """What a run recovers as it begins: all, or with a policy all but what failed, which waits."""
    return Scope.all() if retry is None else Scope.states(*_not_failed(state))


def _recovered(
    manager: StateManager,
    job_id: str,
    reason: str,
    retry: RetryPolicy | None,
    held: Lease | RecoveryPlan,
) -> tuple[RecoveryPlan, JobState]:
    """The plan for the job, and its state once that is done; with a policy, what failed waits.

    Where the run holds no lease, but the plan of a job that has ended, that is it.
    """
    if isinstance(held, RecoveryPlan):
        return held, held.state
    scope = _scope(manager.get_state(job_id), retry)
    while True:
        plan = manager.recover_from_checkpoint(job_id, reason=reason, scope=scope)
        try:
            return plan, manager.apply(plan)
        except PlanStale as stale:  # somebody paused it, or the like, at this very moment
            _log.info("%s", stale)


def _tell_of_deaths(plan: RecoveryPlan, words: Vocabulary) -> None:
    """Say that an executor died, if the lifecycle counts no deaths: it may do so for ever."""
    state = plan.state
    if not state.executor_lost:
        return
    for each in words.items:
        held = state.ledgers[each.collection].members(*each.held)
        if held and each.counts_no_deaths:
            _log.warning(
                "job %s: an executor died with %d of %s, and nothing counts how often one dies of"
                " an item: see the role crashes, or skip the item that is to blame",
                state.id,
                len(held),
                each.collection,
            )


def _by_collection(
    state: JobState, inputs: InputComparison
) -> Iterator[tuple[str, Iterator[Item]]]:
    """The new items by the collection that they are for, those of one streamed."""
    names = tuple(state.ledgers)
    if len(names) == 1:
        yield names[0], inputs.new_items()
        return
    for name in names:
        start = f"{name}/"
        if any(item.key.startswith(start) for item in inputs.new_items()):
            yield (
                name,
                (
                    Item(key=item.key.removeprefix(start), value=item.value)
                    for item in inputs.new_items()
                    if item.key.startswith(start)
                ),
            )


def _not_failed(state: JobState) -> Iterator[str]:
    """The states of the job's items that are not those of items that failed."""
    for ledger in state.ledgers.values():
        machine = ledger.machine
        yield from (name for name in machine.states if name not in machine.roles.failed)


def _untold(state: JobState) -> None:
    del state
