"""The questions about what was left or is dead, and the two answers that may change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from milepost.errors import LeaseHeld, StateError
from milepost.inspect.queries import failure_view, plan_part
from milepost.inspect.views import DeadLine, DeadView, ReapView, RequeueView, StuckView
from milepost.state.manager import StateManager
from milepost.state.scope import Scope

__all__ = ["dead", "dead_lines", "reap", "requeue", "stuck"]


def stuck(manager: StateManager, *, now: datetime) -> StuckView:
    """The jobs that were not given back, and whose holder has ended or does not renew."""
    unreadable: list[StateError] = []
    found = manager.stuck_jobs(on_error=unreadable.append)
    return StuckView(as_of=now, jobs=tuple(found), unreadable=tuple(map(str, unreadable)))


def reap(
    manager: StateManager,
    *,
    now: datetime,
    reason: str,
    apply: bool,
    watch: Callable[[int, float], None],
) -> ReapView:
    """The stuck jobs, freed for another executor if `apply` says so.

    `watch` is called before, with how many have to be watched and for how many seconds, if any
    are only likely to be dead; those that renewed when it returns are alive.
    """
    found = stuck(manager, now=now)
    unsure = [job.left_s for job in found.jobs if not job.sure]
    if apply and unsure:
        watch(len(unsure), max(unsure))
    alive: list[str] = []
    for job in found.jobs if apply else ():
        try:
            manager.reap(job.id, reason=reason)
        except LeaseHeld:  # its holder has renewed it meanwhile
            alive.append(job.id)
    return ReapView(
        applied=apply,
        as_of=now,
        jobs=found.jobs,
        alive=tuple(alive),
        unreadable=found.unreadable,
    )


def dead(
    manager: StateManager,
    job_id: str,
    *,
    scope: Scope,
    limit: int | None = None,
    detailed: bool = False,
) -> DeadView:
    """The first `limit` dead letters in `scope`, with their failures.

    Cost: the commits in which they failed. Raises JobAbsent, ScopeInvalid, ItemAbsent.
    """
    state = manager.get_state(job_id)
    letters: list[DeadLine] = []
    matched = 0
    for line in dead_lines(manager, job_id, scope=scope):
        matched += 1
        if limit is None or len(letters) < limit:
            letters.append(line)
    return DeadView(
        job=state.id,
        seq=state.seq,
        total=state.progress.dead,
        matched=matched,
        detailed=detailed,
        letters=tuple(letters),
    )


def dead_lines(manager: StateManager, job_id: str, *, scope: Scope) -> Iterator[DeadLine]:
    """All dead letters in `scope`, streamed. Raises JobAbsent, ScopeInvalid, ItemAbsent."""
    for letter in manager.dead_letters(job_id, scope):
        yield DeadLine(
            ordinal=letter.ordinal,
            key=letter.key,
            value=letter.value,
            attempts=letter.attempts,
            crashes=letter.crashes,
            failures=tuple(failure_view(letter.key, failure) for failure in letter.failures),
        )


def requeue(
    manager: StateManager, job_id: str, *, scope: Scope, keys: int, apply: bool
) -> RequeueView:
    """The dead letters in `scope`, requeued if `apply` says so.

    Raises as StateManager.requeue does, and TransitionRefused only if they are to be requeued.
    """
    plan = manager.recover_from_checkpoint(job_id, scope=scope)
    state = plan.state
    accepted = "requeue" in state.accepted
    if apply and plan.dead:
        state = manager.requeue(job_id, scope, operator=True)
    return RequeueView(
        applied=apply and bool(plan.dead),
        job=state.id,
        seq=state.seq,
        phase=state.phase,
        scope=str(scope),
        accepted=accepted,
        requeued=plan_part("requeued", "goes back with all attempts", plan.dead, keys),
        left=state.progress.dead if apply else state.progress.dead - len(plan.dead),
    )
