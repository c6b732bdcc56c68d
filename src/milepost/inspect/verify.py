"""`milepost verify`: whether a store and its jobs are as they were written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from milepost.errors import StoreUnreadable
from milepost.inspect.page import Column, Note, Page, Table
from milepost.state.manager import StateManager
from milepost.state.reading.verification import Problem, Soundness

__all__ = [
    "BrokenInvariant",
    "ProblemLine",
    "VerifiedJob",
    "VerifyView",
    "as_bool",
    "problem_line",
    "shown",
    "verdict_of",
    "verify",
    "verify_page",
]


class BrokenInvariant(Struct, frozen=True, kw_only=True):
    """An invariant of `machine` by its `name` and source; of whom, and with which values."""

    machine: str
    subject: str
    state: str
    name: str
    holds: str
    values: Mapping[str, Any]  # Any: int, bool or the name of a member


class ProblemLine(Struct, frozen=True, kw_only=True):
    """One promise that does not hold: its `invariant`, and the commit `seq`, if it has one.

    `lost` says what cannot be had any more because of it. `repairable` is False for what no
    repair mends. `broken` is the invariant of the lifecycle that the commit broke, if it did.
    """

    invariant: str
    seq: int | None
    message: str
    lost: str
    repairable: bool
    broken: BrokenInvariant | UnsetType = UNSET


class VerifiedJob(Struct, frozen=True, kw_only=True):
    """What was checked of one job, and what does not hold.

    `sound` is None where that cannot be told: the chain is, and the steps were not checked, for
    which `unchecked` says why. `verdict` is `sound`, `not sound` or `cannot tell`. `objects` that
    its results point to beside the log were read where that was asked for; nothing points to
    `strays`.
    """

    job: str
    verdict: str
    sound: bool | None
    commits: int
    checkpoints: int
    items: int
    problems: tuple[ProblemLine, ...]
    unchecked: str = ""
    objects: int | UnsetType = UNSET
    strays: int | UnsetType = UNSET


class VerifyView(Struct, frozen=True, kw_only=True):
    """The verdict on a store: on the medium itself, and on each job that was checked.

    `sound` is None, and the verdict `cannot tell`, where nothing is wrong and not all was checked.
    """

    SCHEMA: ClassVar[str] = "milepost.verify/1"

    store: str
    verdict: str
    sound: bool | None
    store_problems: tuple[str, ...]
    jobs: tuple[VerifiedJob, ...]


def verify(
    manager: StateManager,
    job_ids: Iterable[str],
    problems: Sequence[str] = (),
    *,
    beside: bool = False,
) -> VerifyView:
    """The verdict on the store's medium and on each of the jobs.

    `problems` of the store that are known already count too. What cannot be read is a problem of
    its job. With `beside`, what jobs keep beside their logs is read too. Cost: each job is read
    once, every value decoded. Raises JobAbsent.
    """
    checked = tuple(_verified(manager, job_id, beside=beside) for job_id in job_ids)
    found = (*problems, *manager.upkeep.check_store())
    verdict = verdict_of(found, (Soundness(job.verdict) for job in checked))
    return VerifyView(
        store=manager.url,
        verdict=str(verdict),
        sound=as_bool(verdict),
        store_problems=found,
        jobs=checked,
    )


def verify_page(view: VerifyView) -> Page:
    """The verdict on each job, what was found wrong, and what that loses."""
    columns = (
        Column("JOB"),
        Column("VERDICT"),
        Column("COMMITS", numeric=True),
        Column("CHECKPOINTS", numeric=True),
        Column("ITEMS", numeric=True),
    )
    rows = tuple(
        (
            job.job,
            shown(job.verdict),
            str(job.commits),
            str(job.checkpoints),
            str(job.items),
        )
        for job in view.jobs
    )
    found = [("", "", "medium", problem, "") for problem in view.store_problems]
    found += [problem for job in view.jobs for problem in _problems(job)]
    return (
        Table(columns=columns, rows=rows, empty="no jobs"),
        Table(
            title="problems",
            columns=(
                Column("JOB"),
                Column("SEQ", numeric=True),
                Column("BREAKS"),
                Column("WHAT"),
                Column("LOST"),
            ),
            rows=tuple(found),
        ),
        *(
            Note(f"{job.job}: the chain is sound; its steps were not checked: {job.unchecked}")
            for job in view.jobs
            if job.verdict == Soundness.CANNOT_TELL
        ),
        *(
            Note(f"{job.job}: {job.objects} objects beside the log, {job.strays} more are strays")
            for job in view.jobs
            if job.objects or job.strays
        ),
        Note(f"{view.store}: {shown(view.verdict)}"),
    )


def verdict_of(problems: Sequence[str], verdicts: Iterable[Soundness]) -> Soundness:
    """The verdict on a store with these problems, and on its jobs: the worst of all."""
    found = set(verdicts)
    if problems or Soundness.NOT_SOUND in found:
        return Soundness.NOT_SOUND
    return Soundness.CANNOT_TELL if Soundness.CANNOT_TELL in found else Soundness.SOUND


def as_bool(verdict: Soundness) -> bool | None:
    """A verdict as answers have it besides: None where it cannot be told."""
    return None if verdict == Soundness.CANNOT_TELL else verdict == Soundness.SOUND


def shown(verdict: str) -> str:
    """A verdict as pages have it: what is wrong is seen from afar."""
    return verdict.upper() if verdict == Soundness.NOT_SOUND else verdict


def problem_line(problem: Problem) -> ProblemLine:
    """A problem as answers have it."""
    broken = problem.broken
    return ProblemLine(
        broken=UNSET
        if broken is None
        else BrokenInvariant(
            machine=broken.machine,
            subject=broken.subject,
            state=broken.state,
            name=broken.invariant,
            holds=broken.holds,
            values=broken.values,
        ),
        invariant=problem.invariant,
        seq=problem.seq,
        message=problem.message,
        lost=problem.lost,
        repairable=problem.repairable,
    )


def _verified(manager: StateManager, job_id: str, *, beside: bool) -> VerifiedJob:
    found = _in_the_store(manager, job_id)
    if not beside or found.verdict == Soundness.NOT_SOUND:
        return found
    kept = manager.verify_beside(job_id)
    bad = bool(kept.problems)
    return replace(
        found,
        verdict=str(Soundness.NOT_SOUND) if bad else found.verdict,
        sound=False if bad else found.sound,
        problems=(*found.problems, *map(problem_line, kept.problems)),
        objects=kept.objects,
        strays=kept.strays,
    )


def _in_the_store(manager: StateManager, job_id: str) -> VerifiedJob:
    try:
        (one,) = manager.verify(job_id)
    except StoreUnreadable as error:
        problem = problem_line(Problem(invariant="readable", seq=None, message=error.problem))
        return VerifiedJob(
            job=job_id,
            verdict=str(Soundness.NOT_SOUND),
            sound=False,
            commits=0,
            checkpoints=0,
            items=0,
            problems=(problem,),
        )
    return VerifiedJob(
        job=one.job_id,
        verdict=str(one.verdict),
        sound=as_bool(one.verdict),
        commits=one.commits,
        checkpoints=one.checkpoints,
        items=one.items,
        problems=tuple(map(problem_line, one.problems)),
        unchecked=one.unchecked,
    )


def _problems(job: VerifiedJob) -> Iterator[tuple[str, str, str, str, str]]:
    for problem in job.problems:
        seq = "" if problem.seq is None else str(problem.seq)
        yield job.job, seq, problem.invariant, problem.message, problem.lost
