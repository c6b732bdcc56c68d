"""`milepost verify --repair`: what a repair does to each job, and what it loses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct

from milepost.errors import LifecycleChanged
from milepost.inspect.page import Column, Note, Page, Table
from milepost.inspect.verify import ProblemLine, as_bool, problem_line, shown, verdict_of
from milepost.state.keeping.repair import Lost, Repair
from milepost.state.manager import StateManager

__all__ = [
    "LostCommits",
    "RepairLine",
    "RepairStepLine",
    "RepairView",
    "StrayRows",
    "repair",
    "repair_line",
    "repair_page",
]


class LostCommits(Struct, frozen=True, kw_only=True):
    """The commits `first` to `last` of a log, which its fold cannot reach any more.

    `rows` of them are still there; `events` and `results` are how many these hold, as far as
    their heads can be read; `unreadable` lists those whose heads cannot.
    """

    first: int
    last: int
    rows: int
    events: int
    results: int
    unreadable: tuple[int, ...]


class RepairStepLine(Struct, frozen=True, kw_only=True):
    """One thing that a repair does, and what that loses."""

    does: str
    loses: str


class RepairLine(Struct, frozen=True, kw_only=True):
    """The steps of a job's repair, done if `applied`; none if there is nothing to repair.

    `seq` is the newest commit that verifies, after the repair if it was applied. `lost` is the
    tail that is set aside. `beyond` are the problems that no repair mends.
    """

    job_id: str
    applied: bool
    seq: int
    steps: tuple[RepairStepLine, ...]
    lost: LostCommits | None
    beyond: tuple[ProblemLine, ...]


class StrayRows(Struct, frozen=True, kw_only=True):
    """Rows of the table `source` that name a job by `number` which has no entry."""

    number: int
    source: str
    count: int


class RepairView(Struct, frozen=True, kw_only=True):
    """What a repair does, or did if `applied`: to each job, and to rows of no job.

    `sound` and `verdict` are those of `verify` on what is there now. `unknown` says which jobs
    were left alone, since nothing here knows the lifecycle that they run by.
    """

    SCHEMA: ClassVar[str] = "milepost.repair/1"

    store: str
    applied: bool
    verdict: str
    sound: bool | None
    repairs: tuple[RepairLine, ...]
    strays: tuple[StrayRows, ...]
    store_problems: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def repair(manager: StateManager, job_ids: Sequence[str], *, apply: bool) -> RepairView:
    """What a repair of these jobs, and of rows of no job, does; it is done only with `apply`.

    Cost: each job is read some times. Raises StoreUnreadable where the medium itself is damaged
    and `apply` is asked for.
    """
    repairs: list[Repair] = []
    unknown: list[str] = []
    for job_id in job_ids:
        try:
            repairs.append(manager.upkeep.repair(job_id, apply=apply))
        except LifecycleChanged as error:
            unknown.append(str(error))
    strays = tuple(manager.upkeep.strays(apply=apply))
    problems = tuple(manager.upkeep.check_store())
    jobs = (one.verdict for job_id in job_ids for one in manager.verify(job_id))
    verdict = verdict_of(problems, jobs)
    return RepairView(
        store=manager.url,
        applied=apply,
        verdict=str(verdict),
        sound=as_bool(verdict),
        repairs=tuple(repair_line(one) for one in repairs),
        strays=tuple(
            StrayRows(number=one.number, source=one.source, count=one.count) for one in strays
        ),
        store_problems=problems,
        unknown=tuple(unknown),
    )


def repair_page(view: RepairView) -> Page:
    """What a repair does to each job, what it loses, and what it cannot mend."""
    steps = [
        (repair.job_id, step.does, step.loses) for repair in view.repairs for step in repair.steps
    ]
    steps += [
        ("", f"sets {stray.count} rows of {stray.source} aside", f"job number {stray.number}")
        for stray in view.strays
    ]
    beyond = [("", "medium", problem, "") for problem in view.store_problems]
    beyond += [
        (repair.job_id, problem.invariant, problem.message, problem.lost)
        for repair in view.repairs
        for problem in repair.beyond
    ]
    does = "what was done" if view.applied else "what a repair would do"
    return (
        Table(
            title=does,
            columns=(Column("JOB"), Column("IT"), Column("LOST")),
            rows=tuple(steps),
            empty="there is nothing to repair",
        ),
        Table(
            title="what no repair mends",
            columns=(Column("JOB"), Column("BREAKS"), Column("WHAT"), Column("LOST")),
            rows=tuple(beyond),
        ),
        Note(f"{view.store}: {shown(view.verdict)}"),
    )


def repair_line(repair: Repair) -> RepairLine:
    """A repair as answers have it."""
    return RepairLine(
        job_id=repair.job_id,
        applied=repair.applied,
        seq=repair.seq,
        steps=tuple(RepairStepLine(does=step.does, loses=step.loses) for step in repair.steps),
        lost=None if repair.lost is None else _lost(repair.lost),
        beyond=tuple(map(problem_line, repair.beyond)),
    )


def _lost(lost: Lost) -> LostCommits:
    return LostCommits(
        first=lost.first,
        last=lost.last,
        rows=lost.rows,
        events=lost.events,
        results=lost.results,
        unreadable=lost.unreadable,
    )
