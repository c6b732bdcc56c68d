"""The views and pages about what is kept, what goes, and where the bytes of a job are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from milepost.inspect.page import Badge, Block, Cell, Column, Fields, Note, Page, Table
from milepost.inspect.views import (
    GcDone,
    GcLine,
    GcView,
    KeepView,
    LargeValue,
    LeftAlone,
    SizesView,
)
from milepost.inspect.words import duration, stamp
from milepost.job import JOB
from milepost.rows import Vacuumed
from milepost.state.collecting import Collected
from milepost.state.manager import StateManager
from milepost.state.retention import ACTIVE, RetentionPlan, Verdict, Why

__all__ = ["gc_page", "gc_view", "keep", "keep_page", "sizes", "sizes_page"]


def gc_view(
    plan: RetentionPlan, collected: Collected | None = None, vacuum: Vacuumed | None = None
) -> GcView:
    """The plan, and what became of it."""
    return GcView(
        jobs=tuple(_line(verdict) for verdict in plan.verdicts),
        left=tuple(tombstone.job_id for tombstone in plan.left),
        goes_bytes=plan.goes_bytes,
        done=None if collected is None else _done(collected),
        vacuum=vacuum,
        unreadable=plan.unreadable,
    )


def keep(manager: StateManager, job_id: str) -> KeepView:
    """How long one job is kept. Raises JobAbsent."""
    kept = manager.kept(job_id)
    return KeepView(
        job=job_id,
        by_policy=kept is None,
        kept_for_s=_seconds(kept.for_) if kept else None,
        reason=kept.reason if kept else "",
        set_at=kept.set_at if kept else None,
    )


def sizes(manager: StateManager, job_id: str, *, largest: int) -> SizesView:
    """Where the bytes of one job are. Every value of it is read. Raises JobAbsent."""
    found = manager.sizes(job_id, largest=largest)
    return SizesView(
        job=found.job_id,
        seq=found.seq,
        total_bytes=found.stored.total_bytes,
        stored=found.stored,
        largest=tuple(LargeValue(place=p, size_bytes=size) for p, size in found.largest),
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
            line.outcome if line.outcome == ACTIVE else Badge(JOB, line.outcome),
            duration(line.age_s),
            "goes" if line.goes else "stays",
            _why(line),
            f"{line.size_bytes:,}",
        )
        for line in view.jobs
    ]
    rows += [(job, "deleted", "", "goes", "its deletion was cut short", "") for job in view.left]
    return (Table(columns=columns, rows=tuple(rows), empty="no jobs"), *_outcome(view))


def keep_page(view: KeepView) -> Page:
    """One line."""
    if view.by_policy:
        return (Note(f"{view.job} is kept as the policy says"),)
    how_long = "for ever" if view.kept_for_s is None else duration(view.kept_for_s)
    because = f": {view.reason}" if view.reason else ""
    after = "" if view.kept_for_s is None else " after its newest commit"
    since = f" (since {stamp(view.set_at)})" if view.set_at else ""
    return (Note(f"{view.job} is kept {how_long}{after}{since}{because}"),)


def sizes_page(view: SizesView) -> Page:
    """Bytes by what they are for, then the largest values."""
    stored = view.stored
    rows = (
        ("inputs", stored.inputs_rows, stored.inputs_bytes),
        ("index of keys", stored.keys_rows, stored.keys_bytes),
        ("facts", stored.commits, stored.heads_bytes),
        ("payloads", stored.commits, stored.bodies_bytes),
        ("checkpoints", stored.checkpoints, stored.checkpoints_bytes),
    )
    return (
        Fields(entries=(("job", view.job), ("as of", f"seq {view.seq}"))),
        Table(
            title="stored, in bytes",
            columns=(
                Column("WHAT"),
                Column("ROWS", numeric=True),
                Column("BYTES", numeric=True),
            ),
            rows=(
                *((name, f"{count:,}", f"{size:,}") for name, count, size in rows),
                ("all", "", f"{view.total_bytes:,}"),
            ),
        ),
        Table(
            title="largest values, in bytes of JSON",
            columns=(Column("BYTES", numeric=True), Column("WHERE")),
            rows=tuple((f"{large.size_bytes:,}", large.place) for large in view.largest),
            empty="the job has no values",
        ),
    )


def _line(verdict: Verdict) -> GcLine:
    return GcLine(
        job=verdict.job_id,
        outcome=verdict.outcome,
        phase=verdict.phase,
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


def _why(line: GcLine) -> str:
    because = f": {line.reason}" if line.reason else ""
    match line.why:
        case Why.ACTIVE:
            why = f"in {line.phase}"
        case Why.HELD:
            why = f"held by {line.reason}"
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
    of_jobs = "1 job" if jobs == 1 else f"{jobs} jobs"
    of_checkpoints = "1 checkpoint" if checkpoints == 1 else f"{checkpoints} checkpoints"
    return f"{of_jobs} and {of_checkpoints}"


def _seconds(age: timedelta | None) -> float | None:
    return None if age is None else age.total_seconds()
