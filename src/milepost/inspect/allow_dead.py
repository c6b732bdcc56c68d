"""`milepost allow-dead`: how many dead items a job may complete with, and that it may with more."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from milepost.errors import RoleAbsent
from milepost.inspect.page import Cell, Fields, Note, Page
from milepost.inspect.states import StateName, phase_of
from milepost.job.dead_limit import dead_allowed
from milepost.state.manager import StateManager

__all__ = ["AllowDeadView", "allow_dead", "allow_dead_page"]


class AllowDeadView(Struct, frozen=True, kw_only=True):
    """How many items are `dead`, and how many may be: `allowed` before it, and `more`.

    `allowed` is None where any number may be. `accepted` says that the job's `phase` takes it;
    `seq` is as of after it.
    """

    SCHEMA: ClassVar[str] = "milepost.allow-dead/1"

    applied: bool
    job: str
    seq: int
    phase: StateName
    accepted: bool
    dead: int
    allowed: int | None
    more: int


def allow_dead(
    manager: StateManager, job_id: str, more: int, *, reason: str, apply: bool
) -> AllowDeadView:
    """The job with so many `more` dead items allowed, if `apply` says so.

    Raises as StateManager.allow_dead does, and TransitionRefused only if it is to be.
    """
    before = state = manager.get_state(job_id)
    role = before.roles.allow_dead
    if role is None:
        raise RoleAbsent.at(before.lifecycle, before.machine, "allow_dead", "allow-dead")
    if apply:
        state = manager.allow_dead(job_id, more, reason=reason, operator=True)
    return AllowDeadView(
        applied=apply,
        job=state.id,
        seq=state.seq,
        phase=phase_of(state),
        accepted=role.event in before.machine.allowed(before.phase),
        dead=state.progress.dead,
        allowed=dead_allowed(before),
        more=more,
    )


def allow_dead_page(view: AllowDeadView) -> Page:
    """How many may be dead, and what became of it."""
    allowed = "any number" if view.allowed is None else str(view.allowed)
    entries: list[tuple[str, Cell]] = [
        ("job", view.job),
        ("phase", view.phase),
        ("dead", str(view.dead)),
        ("allowed", allowed),
        ("more", str(view.more)),
    ]
    if view.applied:
        outcome = f"applied at seq {view.seq}"
        if not view.phase.meaning.worked:
            outcome += ": recover, or a run, takes the job up again"
    elif not view.accepted:
        outcome = f"a job in {view.phase} is allowed no more"
    else:
        outcome = "nothing was changed: --apply does it"
    return (Fields(entries=tuple(entries)), Note(outcome))
