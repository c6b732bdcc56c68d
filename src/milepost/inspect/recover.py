"""`milepost recover`: a job that is taken up again, or all that were left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from milepost.errors import LeaseHeld
from milepost.inspect.jobs import StuckLine, stuck, stuck_table
from milepost.inspect.page import Note, Page
from milepost.inspect.plan import PlanView, plan_page, plan_view
from milepost.inspect.states import StateName, phase_of
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.recovery import RecoveryPlan

__all__ = ["ReapView", "RecoverView", "reap", "reap_page", "recover", "recover_page"]


class RecoverView(Struct, frozen=True, kw_only=True):
    """A recovery plan, and whether it was carried out; `seq` and `phase` are as of after it."""

    SCHEMA: ClassVar[str] = "milepost.recover/1"

    applied: bool
    seq: int
    phase: StateName
    plan: PlanView


class ReapView(Struct, frozen=True, kw_only=True):
    """The stuck jobs, and whether they were freed; `alive` are those whose holders came back.

    `unknown` says which were left and cannot go on under the lifecycles at hand: they are left
    alone. `unreadable` says which jobs cannot be told of, and why.
    """

    SCHEMA: ClassVar[str] = "milepost.recover.expired/1"

    applied: bool
    as_of: datetime
    jobs: tuple[StuckLine, ...]
    alive: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def recover(plan: RecoveryPlan, after: JobState | None, *, keys: int) -> RecoverView:
    """`plan` with the first `keys` keys of each part, and the state that it left if applied."""
    return RecoverView(
        applied=after is not None,
        seq=plan.seq if after is None else after.seq,
        phase=phase_of(after or plan.state),
        plan=plan_view(plan, keys=keys),
    )


def reap(
    manager: StateManager,
    *,
    now: datetime,
    reason: str,
    apply: bool,
    watch: Callable[[int, float], None],
) -> ReapView:
    """The stuck jobs, freed for another executor if `apply` says so.

    `watch` is called with how many have to be watched and for how many seconds, if any are only
    likely to be dead, once the others are free; those that renewed when it returns are alive.
    """
    found = stuck(manager, now=now)
    alive: list[str] = []
    sure = [job for job in found.jobs if job.sure]
    unsure = [job for job in found.jobs if not job.sure]
    for jobs in (sure, unsure) if apply else ():
        if jobs is unsure and unsure:
            watch(len(unsure), max(job.left_s for job in unsure))
        for job in jobs:
            try:
                manager.reap(job.id, reason=reason)
            except LeaseHeld:  # its holder has renewed it meanwhile
                alive.append(job.id)
    return ReapView(
        applied=apply,
        as_of=now,
        jobs=found.jobs,
        alive=tuple(alive),
        unknown=found.unknown,
        unreadable=found.unreadable,
    )


def recover_page(view: RecoverView) -> Page:
    """The plan, and what became of it."""
    if view.applied:
        outcome = f"applied: the job is in {view.phase} at seq {view.seq}"
    elif view.plan.changes_nothing:
        outcome = "nothing to change" + (": a run does what is left" if view.plan.work_left else "")
    else:
        outcome = "nothing was changed: --apply does it"
    return (*plan_page(view.plan), Note(outcome))


def reap_page(view: ReapView) -> Page:
    """The stuck jobs, and what became of them."""
    if not view.jobs:
        return (Note("no lease has expired"),)
    if not view.applied:
        outcome = "nothing was changed: --apply frees them"
    else:
        freed = len(view.jobs) - len(view.alive)
        outcome = f"applied: {freed} freed for another executor"
    alive = tuple(Note(f"left alone, its holder is alive: {job}") for job in view.alive)
    return (*stuck_table(view.jobs, view.as_of), *alive, Note(outcome))
