"""`milepost plan`: what is left to do of a job, and what taking it up again would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

from msgspec import Struct

from milepost.inspect.page import Block, Cell, Column, Fields, Page, Table
from milepost.inspect.states import StateName, phase_of
from milepost.items.inputs import KeySet
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope
from milepost.state.recovery import RecoveryPlan, reason_in

__all__ = ["PlanPart", "PlanView", "named", "plan", "plan_page", "plan_part", "plan_view"]


class PlanPart(Struct, frozen=True, kw_only=True):
    """Items that recovery treats alike: how many, why, and the keys of the first of them."""

    name: str
    reason: str
    count: int
    keys: tuple[str, ...]


class PlanView(Struct, frozen=True, kw_only=True):
    """What is left to do of a job, and what taking it up again does: `events`, in order.

    `work_left` says that the job would go on: there are items to do, an event to take, or, of a job
    as a whole, an end to come to. `undone` are items whose results are undone, `variables` and
    `results_available` what is left of the phases before once the plan is applied;
    `undone_variables` names those that are undone.
    """

    SCHEMA: ClassVar[str] = "milepost.plan/1"

    job: str
    seq: int
    fence: int
    scope: str
    phase: StateName
    resume_phase: StateName
    events: tuple[str, ...]
    item_events: Mapping[str, int]
    rewinds_to: int | None
    changes_nothing: bool
    work_left: bool
    to_work_on: int
    parts: tuple[PlanPart, ...]
    undone: PlanPart
    undone_variables: tuple[str, ...]
    undoes_result: bool
    variables: Mapping[str, Any]  # Any: JSON
    results_available: int
    fallbacks: tuple[str, ...]


def plan(manager: StateManager, job_id: str, *, scope: Scope, keys: int) -> PlanView:
    """The plan for what is in `scope`. Raises as StateManager.recover_from_checkpoint does."""
    return plan_view(manager.recover_from_checkpoint(job_id, scope=scope), keys=keys)


def plan_page(view: PlanView) -> Page:
    """What is left to do, why, and what taking the job up again does."""
    return (Fields(entries=tuple(_taking_up(view))), *_parts(view))


def plan_view(plan: RecoveryPlan, *, keys: int) -> PlanView:
    """`plan` with the first `keys` item keys of each part."""
    return PlanView(
        job=plan.job_id,
        seq=plan.seq,
        fence=plan.fence,
        scope=str(plan.scope),
        phase=phase_of(plan.state, plan.phase),
        resume_phase=phase_of(plan.state, plan.resume_phase),
        events=plan.events,
        item_events=dict(plan.item_events),
        rewinds_to=plan.rewinds_to,
        changes_nothing=plan.changes_nothing,
        work_left=_work_left(plan),
        to_work_on=len(plan.to_do),
        parts=tuple(
            plan_part(name, reason_in(plan.state, name, part.ordinals), part, keys)
            for name, part in plan.parts.items()
        ),
        undone=plan_part("undone", "its result is undone", plan.undone, keys),
        undone_variables=plan.undone_variables,
        undoes_result=plan.undoes_result,
        variables=dict(plan.variables),
        results_available=len(plan.results_available),
        fallbacks=plan.fallbacks,
    )


def plan_part(name: str, reason: str, part: KeySet, keys: int) -> PlanPart:
    """A part of a plan, with the first `keys` of its keys."""
    return PlanPart(name=name, reason=reason, count=len(part), keys=tuple(islice(part, keys)))


def named(part: PlanPart) -> str:
    """The keys of a part that are named, and whether there are more."""
    return ", ".join(part.keys) + (", …" if part.keys and part.count > len(part.keys) else "")


def _work_left(plan: RecoveryPlan) -> bool:
    """True if there is something to do in the scope; a job as a whole has an end to come to."""
    if plan.to_do or not plan.changes_nothing:
        return True
    state = plan.state
    ended = state.finished or state.phase in state.roles.outcomes
    return plan.scope == Scope.all() and not ended


def _taking_up(view: PlanView) -> Iterator[tuple[str, Cell]]:
    yield "job", view.job
    yield "as of", f"seq {view.seq}"
    yield "scope", view.scope
    yield "phase", view.phase
    if view.rewinds_to is not None:
        yield "goes back to", f"seq {view.rewinds_to}: what was recorded after it is undone"
        yield "undoes", _undone(view)
    yield "resumes in", view.resume_phase
    yield "job takes", ", ".join(view.events) or "no event"
    if any(part.count for part in view.parts):
        taken = (f"{event} ({count})" for event, count in view.item_events.items())
        yield "items take", ", ".join(taken) or "no event"
        yield "items to do", str(view.to_work_on)
    for fallback in view.fallbacks:
        yield "passed over", fallback


def _undone(view: PlanView) -> str:
    """What going back takes away, the items' results first."""
    count = view.undone.count
    results = f"{count} result{'' if count == 1 else 's'}"
    if count:
        results += f" ({named(view.undone)})"
    of_job = ", the job's result" if view.undoes_result else ""
    variables = "".join(f", variable {name}" for name in view.undone_variables)
    return f"{results}{of_job}{variables}"


def _parts(view: PlanView) -> Iterator[Block]:
    yield Table(
        columns=(
            Column("PART"),
            Column("ITEMS", numeric=True),
            Column("WHY"),
            Column("AMONG THEM"),
        ),
        rows=tuple(
            (
                part.name,
                str(part.count),
                part.reason,
                named(part),
            )
            for part in view.parts
            if part.count
        ),
        empty="the job has no items",
    )
