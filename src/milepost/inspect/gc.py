"""`milepost gc`: which jobs go, which stay and why, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from msgspec import Struct

from milepost.drawings.looks import Meaning
from milepost.inspect.page import Block, Cell, Column, Note, Page, Table
from milepost.inspect.states import StateName, phase_among
from milepost.inspect.words import duration
from milepost.log.rows import Vacuumed
from milepost.state.keeping.collecting import Collected
from milepost.state.keeping.retention import RetentionPolicy, Verdict, Why
from milepost.state.manager import StateManager
from milepost.text.wording import counted

__all__ = ["GcDone", "GcLine", "GcView", "LeftAlone", "VacuumLine", "gc", "gc_page", "states_of"]


class GcLine(Struct, frozen=True, kw_only=True):
    """Whether one job goes, and why.

    `lifecycle` is the name of the one that it runs by. `kept_for_s` is how long it is kept, None
    for ever or as long as it is active; `reason` is that of whoever said so, or names its holder.
    `checkpoints` are those that go though the job stays.
    """

    job: str
    lifecycle: str
    outcome: StateName
    phase: StateName
    age_s: float
    goes: bool
    why: str
    kept_for_s: float | None
    reason: str
    checkpoints: tuple[int, ...]
    size_bytes: int
    goes_bytes: int


class LeftAlone(Struct, frozen=True, kw_only=True):
    """A job of the plan that was not deleted after all, and why."""

    job: str
    why: str


class GcDone(Struct, frozen=True, kw_only=True):
    """What a collector did.

    `deleted` are the ids of the jobs that it took away, `finished` those whose deletion another
    had begun. `rows` and `freed_bytes` count what it took off the store, of both and of
    `checkpoints`.
    """

    deleted: tuple[str, ...]
    finished: tuple[str, ...]
    passed_over: tuple[LeftAlone, ...]
    checkpoints: int
    rows: int
    freed_bytes: int
    tombstones: int


class VacuumLine(Struct, frozen=True, kw_only=True):
    """The outcome of a vacuum: the size of the file before and after, and the way it was done.

    `how` is `incremental`, `full` (the file was written anew) or `none`.
    """

    how: str
    before_bytes: int
    after_bytes: int


class GcView(Struct, frozen=True, kw_only=True):
    """What retention says of every job, and what was done about it: None if nothing was.

    `vacuum` is None where no space was given back to the disk. `left` are the ids of jobs whose
    deletion was begun and not ended when it was looked at. `unreadable` says which jobs are left
    alone because they cannot be read.
    """

    SCHEMA: ClassVar[str] = "milepost.gc/1"

    jobs: tuple[GcLine, ...]
    left: tuple[str, ...]
    goes_bytes: int
    done: GcDone | None
    vacuum: VacuumLine | None
    unreadable: tuple[str, ...] = ()


def gc(
    manager: StateManager,
    policy: RetentionPolicy,
    *,
    apply: bool,
    vacuum: bool = False,
    lifecycle: str | None = None,
) -> GcView:
    """What `policy` says of every job; it is done only with `apply`, then space is given back.

    With `lifecycle`, only jobs that run by the one of that name are looked at, and those whose
    lifecycle cannot be read, which stay. A job of
    another one is left alone even where its owner's word on it has run out.

    Cost: as StateManager.plan_retention, collect and vacuum.
    """
    plan = manager.plan_retention(policy)
    if lifecycle is not None:
        wanted = (lifecycle, "")  # "": it cannot be read, and stays
        plan = replace(plan, verdicts=tuple(v for v in plan.verdicts if v.lifecycle in wanted))
    collected = manager.collect(plan) if apply else None
    return GcView(
        jobs=tuple(_line(manager, verdict) for verdict in plan.verdicts),
        left=tuple(tombstone.job_id for tombstone in plan.left),
        goes_bytes=plan.goes_bytes,
        done=None if collected is None else _done(collected),
        vacuum=_vacuumed(manager.upkeep.vacuum()) if vacuum else None,
        unreadable=plan.unreadable,
    )


def gc_page(view: GcView) -> Page:
    """A line for each job, and what it comes to."""
    columns = (
        Column("JOB"),
        Column("OUTCOME"),
        Column("AGE", numeric=True),
        Column("VERDICT"),
        Column("WHY"),
        Column("BYTES", numeric=True),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            line.job,
            line.outcome,
            duration(line.age_s),
            "goes" if line.goes else "stays",
            _why(line),
            f"{line.size_bytes:,}",
        )
        for line in view.jobs
    ]
    rows += [(job, "deleted", "", "goes", "its deletion was cut short", "") for job in view.left]
    return (Table(columns=columns, rows=tuple(rows), empty="no jobs"), *_outcome(view))


def states_of(manager: StateManager, verdict: Verdict) -> tuple[StateName, StateName]:
    """The phase and the outcome of a job; an outcome looks as the phase that it ended in."""
    phase = phase_among(manager.lifecycles, verdict.phase, verdict.lifecycle)
    ended = phase.meaning in (Meaning.DONE, Meaning.FAILED, Meaning.CANCELLED)
    return phase, StateName(verdict.outcome, phase.meaning if ended else Meaning.NONE)


def _line(manager: StateManager, verdict: Verdict) -> GcLine:
    phase, outcome = states_of(manager, verdict)
    return GcLine(
        job=verdict.job_id,
        lifecycle=verdict.lifecycle,
        outcome=outcome,
        phase=phase,
        age_s=verdict.age.total_seconds(),
        goes=verdict.goes,
        why=str(verdict.why),
        kept_for_s=_seconds(verdict.kept_for),
        reason=verdict.reason,
        checkpoints=verdict.checkpoints,
        size_bytes=verdict.size_bytes,
        goes_bytes=verdict.goes_bytes,
    )


def _done(collected: Collected) -> GcDone:
    return GcDone(
        deleted=collected.deleted,
        finished=collected.finished,
        passed_over=tuple(LeftAlone(job=j, why=why) for j, why in collected.passed_over),
        checkpoints=collected.checkpoints,
        rows=collected.rows,
        freed_bytes=collected.freed_bytes,
        tombstones=collected.tombstones,
    )


def _vacuumed(done: Vacuumed) -> VacuumLine:
    return VacuumLine(how=done.how, before_bytes=done.before_bytes, after_bytes=done.after_bytes)


def _why(line: GcLine) -> str:
    because = f": {line.reason}" if line.reason else ""
    match line.why:
        case Why.ACTIVE:
            why = f"in {line.phase}"
        case Why.HELD:
            why = f"held by {line.reason}"
        case Why.UNKNOWN:
            why = f"runs by {line.reason}, and no table for it is here"
        case Why.UNREADABLE:
            why = f"cannot be read{because}"
        case Why.FOR_EVER:
            why = f"kept for ever{because}"
        case _:
            why = f"kept for {duration(line.kept_for_s or 0)}{because}"
    if line.checkpoints:
        why += f"; {len(line.checkpoints)} older checkpoints go"
    return why


def _outcome(view: GcView) -> Iterator[Block]:
    going = sum(line.goes for line in view.jobs) + len(view.left)
    thinned = sum(len(line.checkpoints) for line in view.jobs)
    if view.done is None:
        if going or thinned:
            yield Note(
                f"{_counted(going, thinned)} would go, {view.goes_bytes:,} bytes;"
                " nothing was changed: --apply does it"
            )
        else:
            yield Note("nothing to delete")
        return
    for each in view.done.passed_over:
        yield Note(f"{each.job} was left alone: {each.why}")
    deleted = len(view.done.deleted) + len(view.done.finished)
    yield Note(
        f"{_counted(deleted, view.done.checkpoints)} deleted:"
        f" {view.done.rows:,} rows, {view.done.freed_bytes:,} bytes"
    )
    if view.vacuum is not None:
        before, after = view.vacuum.before_bytes, view.vacuum.after_bytes
        yield Note(f"vacuum ({view.vacuum.how}): {before:,} bytes before, {after:,} after")


def _counted(jobs: int, checkpoints: int) -> str:
    return f"{counted(jobs, 'jobs')} and {counted(checkpoints, 'checkpoints')}"


def _seconds(age: timedelta | None) -> float | None:
    return None if age is None else age.total_seconds()
