"""Plans, dead letters and stuck jobs as pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from milepost.inspect.page import Badge, Block, Cell, Column, Fields, Note, Page, Table
from milepost.inspect.views import (
    DeadLine,
    DeadView,
    PlanPart,
    PlanView,
    ReapView,
    RecoverView,
    RequeueView,
    StuckView,
)
from milepost.inspect.words import ago, stamp, value
from milepost.job import ITEMS, JOB
from milepost.state.reaping import StuckJob

__all__ = [
    "dead_page",
    "plan_page",
    "reap_page",
    "recover_page",
    "requeue_page",
    "stuck_page",
]


def stuck_page(view: StuckView) -> Page:
    """A line for each job whose holder has gone quiet."""
    return _stuck(view.jobs, view.as_of)


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
    return (*_stuck(view.jobs, view.as_of), *alive, Note(outcome))


def _stuck(jobs: tuple[StuckJob, ...], now: datetime) -> Page:
    columns = (
        Column("JOB"),
        Column("PHASE"),
        Column("HELD BY"),
        Column("FENCE", numeric=True),
        Column("EXPIRED"),
        Column("LAST WRITE"),
        Column("IN FLIGHT", numeric=True),
        Column("WHY"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            job.id,
            Badge(JOB, job.phase),
            job.owner,
            str(job.fence),
            ago(job.expired_at, now),
            stamp(job.updated_at),
            str(job.running),
            job.why,
        )
        for job in jobs
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def plan_page(view: PlanView) -> Page:
    """What is left to do, why, and what taking the job up again does."""
    return (Fields(entries=tuple(_taking_up(view))), *_parts(view))


def recover_page(view: RecoverView) -> Page:
    """The plan, and what became of it."""
    if view.applied:
        outcome = f"applied: the job is in {view.phase} at seq {view.seq}"
    elif view.plan.changes_nothing:
        outcome = "nothing to change"
    else:
        outcome = "nothing was changed: --apply does it"
    return (*plan_page(view.plan), Note(outcome))


def dead_page(view: DeadView) -> Page:
    """A line for each dead letter, or, of one, a line for each failed attempt."""
    if view.detailed:
        return tuple(block for letter in view.letters for block in _letter(letter))
    columns = (
        Column("ITEM"),
        Column("ATTEMPTS", numeric=True),
        Column("CRASHES", numeric=True),
        Column("FAILURES", numeric=True),
        Column("LAST AT"),
        Column("CAUSE"),
        Column("LAST FAILURE"),
    )
    rows = tuple(
        (
            letter.key,
            str(letter.attempts),
            str(letter.crashes),
            str(len(letter.failures)),
            *_last(letter),
        )
        for letter in view.letters
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def requeue_page(view: RequeueView) -> Page:
    """Which dead letters go back, and what became of it."""
    count = view.requeued.count
    entries: list[tuple[str, Cell]] = [
        ("job", view.job),
        ("scope", view.scope),
        ("phase", Badge(JOB, view.phase)),
        ("requeue", f"{count} ({_named(view.requeued)})" if count else "none"),
        ("stay dead", str(view.left)),
    ]
    if view.applied:
        outcome = f"applied: they wait for an attempt, with all attempts, at seq {view.seq}"
        if view.phase == "failed":
            outcome += "; recover, or a run, takes the job up again"
    elif not count:
        outcome = "nothing to change"
    elif not view.accepted:
        outcome = f"a job in {view.phase} takes no item back: recover, or begin a phase again"
    else:
        outcome = "nothing was changed: --apply does it"
    return (Fields(entries=tuple(entries)), Note(outcome))


def _taking_up(view: PlanView) -> Iterator[tuple[str, Cell]]:
    yield "job", view.job
    yield "as of", f"seq {view.seq}"
    yield "scope", view.scope
    yield "phase", Badge(JOB, view.phase)
    if view.rewinds_to is not None:
        yield "goes back to", f"seq {view.rewinds_to}: what was recorded after it is undone"
        yield "undoes", _undone(view)
    yield "resumes in", Badge(JOB, view.resume_phase)
    yield "job takes", ", ".join(view.events) or "no event"
    taken = (f"{event} ({count})" for event, count in view.item_events.items())
    yield "items take", ", ".join(taken) or "no event"
    yield f"{ITEMS} to do", str(view.to_work_on)
    for fallback in view.fallbacks:
        yield "passed over", fallback


def _undone(view: PlanView) -> str:
    """What going back takes away, the items' results first."""
    count = view.undone.count
    results = f"{count} result{'' if count == 1 else 's'}"
    if count:
        results += f" ({_named(view.undone)})"
    variables = "".join(f", variable {name}" for name in view.undone_variables)
    return f"{results}{', the result of reduce' if view.undoes_result else ''}{variables}"


def _named(part: PlanPart) -> str:
    return ", ".join(part.keys) + (", …" if part.keys and part.count > len(part.keys) else "")


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
                _named(part),
            )
            for part in view.parts
            if part.count
        ),
        empty="the job has no items",
    )


def _last(letter: DeadLine) -> tuple[str, str, str]:
    if not letter.failures:
        return ("", "executor_lost", "")
    last = letter.failures[-1]
    return (stamp(last.at), last.cause, last.message)


def _letter(letter: DeadLine) -> Iterator[Block]:
    yield Fields(
        entries=(
            ("item", letter.key),
            ("ordinal", str(letter.ordinal)),
            ("value", value(letter.value)),
            ("attempts", str(letter.attempts)),
            ("crashes", str(letter.crashes)),
        )
    )
    yield Table(
        title="failed attempts",
        columns=(Column("SEQ", numeric=True), Column("AT"), Column("CAUSE"), Column("MESSAGE")),
        rows=tuple((str(f.seq), stamp(f.at), f.cause, f.message) for f in letter.failures),
        empty="no failed attempt: it was given up",
    )
