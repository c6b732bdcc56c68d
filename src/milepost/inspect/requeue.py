"""`milepost requeue`: dead letters that go back to be tried again."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Page
from milepost.inspect.plan import PlanPart, plan_part
from milepost.inspect.sent_back import sent_back_page
from milepost.inspect.states import StateName, phase_of
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope

__all__ = ["RequeueView", "requeue", "requeue_page"]


class RequeueView(Struct, frozen=True, kw_only=True):
    """Dead letters that go back to be tried again, and whether they did.

    `accepted` says that the job's `phase` takes them; `seq` is as of after it.
    """

    SCHEMA: ClassVar[str] = "milepost.requeue/1"

    applied: bool
    job: str
    seq: int
    phase: StateName
    scope: str
    accepted: bool
    requeued: PlanPart
    left: int


def requeue(
    manager: StateManager, job_id: str, *, scope: Scope, keys: int, apply: bool
) -> RequeueView:
    """The dead letters in `scope`, requeued if `apply` says so.

    Raises as StateManager.requeue does, and TransitionRefused only if they are to be requeued.
    """
    manager.get_state(job_id).require("requeue", "requeue")
    plan = manager.recover_from_checkpoint(job_id, scope=scope)
    state = plan.state
    ways_back = {ledger.machine.roles.requeue for ledger in state.ledgers.values()} - {""}
    if apply and plan.dead:
        state = manager.requeue(job_id, scope, operator=True)
    return RequeueView(
        applied=apply and bool(plan.dead),
        job=state.id,
        seq=state.seq,
        phase=phase_of(state),
        scope=str(scope),
        accepted=not ways_back.isdisjoint(state.accepted),
        requeued=plan_part("requeued", "goes back with all attempts", plan.dead, keys),
        left=state.progress.dead if apply else state.progress.dead - len(plan.dead),
    )


def requeue_page(view: RequeueView) -> Page:
    """Which dead letters go back, and what became of it."""
    return sent_back_page(
        view,
        view.requeued,
        command="requeue",
        stay="stay dead",
        refused="recover, or begin a phase again",
    )
