"""`milepost skip`: items that are left out of a job."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Cell, Fields, Note, Page
from milepost.inspect.plan import PlanPart, named, plan_part
from milepost.inspect.states import StateName, phase_of
from milepost.items.inputs import KeySet
from milepost.items.ledgers import united
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope
from milepost.state.recovery import Part

__all__ = ["SkipView", "skip", "skip_page"]


class SkipView(Struct, frozen=True, kw_only=True):
    """Items that are left out of the job, and whether they were.

    `accepted` says that the job's `phase` leaves items out. `stay` are those in the scope that do
    not take it: they are done, or left out already. `seq` is as of after it.
    """

    SCHEMA: ClassVar[str] = "milepost.skip/1"

    applied: bool
    job: str
    seq: int
    phase: StateName
    scope: str
    accepted: bool
    skipped: PlanPart
    stay: int


def skip(manager: StateManager, job_id: str, *, scope: Scope, keys: int, apply: bool) -> SkipView:
    """The items in `scope` that can be left out, left out if `apply` says so.

    Raises as StateManager.skip does.
    """
    manager.get_state(job_id).require("skip", "skip")
    plan = manager.recover_from_checkpoint(job_id, scope=scope)
    before = state = plan.state
    inside = (part.ordinals for name, part in plan.parts.items() if name != Part.OUTSIDE)
    chosen = united(inside)
    able = KeySet(chosen & united(takers for _, takers in before.takers_of("skip")), before.inputs)
    if apply and able:
        state = manager.skip(job_id, scope, operator=True)
    return SkipView(
        applied=apply and bool(able),
        job=state.id,
        seq=state.seq,
        phase=phase_of(state),
        scope=str(scope),
        accepted=_accepts(before),
        skipped=plan_part("skipped", "left out of the job", able, keys),
        stay=len(chosen) - len(able),
    )


def skip_page(view: SkipView) -> Page:
    """Which items are left out, and what became of it."""
    part = view.skipped
    entries: list[tuple[str, Cell]] = [
        ("job", view.job),
        ("scope", view.scope),
        ("phase", view.phase),
        ("skip", f"{part.count} ({named(part)})" if part.count else "none"),
        ("stay", str(view.stay)),
    ]
    if view.applied:
        outcome = f"applied: they are left out, at seq {view.seq}"
        if not view.phase.meaning.worked:
            outcome += "; recover, or a run, takes the job up again"
    elif not view.accepted:
        outcome = f"a job in {view.phase} leaves no item out"
    elif not part.count:
        outcome = "nothing to change: what is done, or left out already, stays as it is"
    else:
        outcome = "nothing was changed: --apply does it"
    return (Fields(entries=tuple(entries)), Note(outcome))


def _accepts(state: JobState) -> bool:
    """True if the phase takes the event by which items of some collection are left out."""
    return any(
        bool(event := ledger.machine.roles.skip) and event in state.accepted_of(name)
        for name, ledger in state.ledgers.items()
    )
