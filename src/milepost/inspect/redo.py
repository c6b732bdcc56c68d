"""`milepost redo`: items that are done, and go back to be done again."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Page
from milepost.inspect.plan import PlanPart, plan_part
from milepost.inspect.sent_back import sent_back_page
from milepost.inspect.states import StateName, phase_of
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope
from milepost.text.commands import command

__all__ = ["RedoView", "redo", "redo_page"]


class RedoView(Struct, frozen=True, kw_only=True):
    """Items that are done and go back to be done again, and whether they did.

    `phase` and `seq` are as of after it. `accepted` says that the job would take them back, from
    `phase` itself or, where it `reopens`, from the one before. `left` are those that stay done.
    `before` is the commit before the end of a job that has ended, to which a rewind or a fork goes
    back; None where the job has not, or nothing would be redone.
    """

    SCHEMA: ClassVar[str] = "milepost.redo/1"

    applied: bool
    job: str
    seq: int
    phase: StateName
    scope: str
    accepted: bool
    reopens: bool
    redone: PlanPart
    left: int
    before: int | None = None


def redo(
    manager: StateManager, job_id: str, *, scope: Scope, reason: str, keys: int, apply: bool
) -> RedoView:
    """The items in `scope` that are done, done again if `apply` says so.

    Raises as StateManager.redo does, and TransitionRefused and RedoRefused only if they are to be.
    """
    manager.get_state(job_id).require("redo", "redo")
    plan = manager.recover_from_checkpoint(job_id, scope=scope)
    before = state = plan.state
    if apply and plan.done:
        state = manager.redo(job_id, scope, reason=reason, operator=True)
    roles = before.roles
    ways = [
        (name, ledger.machine.roles.redo.event)
        for name, ledger in before.ledgers.items()
        if ledger.machine.roles.redo is not None and plan.done.ordinals.intersect(ledger.universe)
    ]
    taken = all(event in before.accepted_of(name) for name, event in ways)
    reopens = not taken and bool(roles.reopen) and roles.reopen in before.allowed()
    return RedoView(
        applied=apply and bool(plan.done),
        job=state.id,
        seq=state.seq,
        phase=phase_of(state),
        scope=str(scope),
        accepted=taken or reopens,
        reopens=reopens,
        redone=plan_part("redo", "goes back with all attempts", plan.done, keys),
        left=state.progress.done if apply else state.progress.done - len(plan.done),
        before=_before_end(manager, before) if plan.done else None,
    )


def redo_page(view: RedoView) -> Page:
    """Which items go back, and what became of it."""
    return sent_back_page(
        view,
        view.redone,
        command="redo",
        stay="stay done",
        refused=_instead(view),
        before="the job goes back to where it works on them; " if view.reopens else "",
    )


def _before_end(manager: StateManager, state: JobState) -> int | None:
    """The commit before the one by which the job ended; None if it has not."""
    return manager.phase_entered(state.id, state.seq) - 1 if state.finished else None


def _instead(view: RedoView) -> str:
    """What leads to where items are redone."""
    if view.before is None:
        return f"`{command('show', view.job)}` says what it takes"
    back = command("rewind", view.job, view.before, "--apply")
    copy = command("fork", view.job, view.before, "NEW_ID", "--apply")
    return (
        f"`{back}` goes back to the commit before the end,"
        f" `{copy}` makes a new job that stands as this"
        " one did then; redo them after either"
    )
