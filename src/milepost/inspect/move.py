"""`milepost move`: which jobs went to another store, or would, and why others stay."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Block, Column, Fields, Note, Page, Table
from milepost.state.keeping.moving import JobMove, OnMove
from milepost.state.manager import StateManager
from milepost.text.wording import counted

__all__ = ["MoveLine", "MoveView", "move", "move_page"]


class MoveLine(Struct, frozen=True, kw_only=True):
    """The outcome for one job: `outcome` is `moved`, `would-move` or `refused`, for the `problem`.

    `commits` and `size_bytes` are of what was to be moved, 0 where it had been before.
    `unchecked` says which tables are not at hand, so that the chain was verified and no step.
    """

    job: str
    outcome: str
    commits: int
    size_bytes: int
    unchecked: str
    problem: str


class MoveView(Struct, frozen=True, kw_only=True):
    """The outcome for the jobs that were to go from one store to another: done, if `applied`.

    It is `whole` where no job was refused.
    """

    SCHEMA: ClassVar[str] = "milepost.move/1"

    source: str
    target: str
    applied: bool
    whole: bool
    jobs: tuple[MoveLine, ...]


def move(
    manager: StateManager,
    to: str,
    *,
    source: str,
    target: str,
    job_id: str | None,
    apply: bool,
    on_move: OnMove | None = None,
) -> MoveView:
    """Every job, or one, moved to the store `to`; only with `apply`.

    `source` and `target` are the names of the stores for people. Raises as Upkeep.move does.
    """
    done = manager.upkeep.move(to, job_id=job_id, apply=apply, on_move=on_move)
    return MoveView(
        source=source,
        target=target,
        applied=apply,
        whole=done.whole,
        jobs=tuple(map(_line, done.jobs)),
    )


def move_page(view: MoveView) -> Page:
    """A line a job, and what is to be done about those that stay."""
    rows = tuple(
        (line.job, line.outcome, f"{line.commits:,}", f"{line.size_bytes:,}") for line in view.jobs
    )
    columns = (
        Column("JOB"),
        Column("OUTCOME"),
        Column("COMMITS", numeric=True),
        Column("BYTES", numeric=True),
    )
    refused = tuple((line.job, line.problem) for line in view.jobs if line.problem)
    unchecked = tuple((line.job, line.unchecked) for line in view.jobs if line.unchecked)
    return (
        Fields(entries=(("from", view.source), ("to", view.target))),
        Table(columns=columns, rows=rows, empty="there are no jobs in it"),
        Table(title="why not", columns=(Column("JOB"), Column("PROBLEM")), rows=refused),
        Table(
            title="verified without their steps",
            columns=(Column("JOB"), Column("WHY")),
            rows=unchecked,
        ),
        _outcome(view),
    )


def _line(job: JobMove) -> MoveLine:
    return MoveLine(
        job=job.job_id,
        outcome=job.outcome,
        commits=job.commits,
        size_bytes=job.size_bytes,
        unchecked=job.unchecked,
        problem=str(job.error or ""),
    )


def _outcome(view: MoveView) -> Block:
    moved = sum(line.outcome != "refused" for line in view.jobs)
    told = f"{counted(moved, 'jobs')}, {sum(line.size_bytes for line in view.jobs):,} bytes"
    if view.applied:
        return Note(f"moved: {told}")
    return Note(f"would move: {told}; nothing was changed: --apply does it")
