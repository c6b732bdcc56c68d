"""`milepost salvage`: what can be had of a damaged store, copied into a new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

from msgspec import Struct

from milepost.clock import Clock
from milepost.discovery import Discovery
from milepost.inspect.page import Column, Note, Page, Table
from milepost.inspect.repair import RepairLine, repair_line
from milepost.state.keeping.salvage import SalvagedJob, describe
from milepost.state.keeping.salvage import salvage as copy
from milepost.stores.sqlite.salvage import Gap

__all__ = ["GapLine", "SalvageLine", "SalvageView", "salvage", "salvage_page"]


class GapLine(NamedTuple):
    """Ids of a table that could not be read: seqs or ordinals from `first` to `last`."""

    source: str
    first: int
    last: int
    problem: str


class SalvageLine(Struct, frozen=True, kw_only=True):
    """The rows recovered of one job; `job_id` is empty where its entry is lost.

    `commits` and `item_blocks` were copied, `aside_count` rows went into the quarantine of the new
    file. `gaps` could not be read at all. `repair` is what made the copy sound, None where it
    cannot be or need not be; `problem` says why it cannot.
    """

    job_id: str
    number: int
    commits: int
    item_blocks: int
    aside_count: int
    gaps: tuple[GapLine, ...]
    repair: RepairLine | None
    problem: str

    @property
    def whole(self) -> bool:
        """True if nothing of the job was lost."""
        repaired = self.repair is not None and (self.repair.steps or self.repair.beyond)
        return not (self.gaps or self.aside_count or self.problem or repaired)


class SalvageView(Struct, frozen=True, kw_only=True):
    """What was copied of a damaged store into a new one, and what was lost; `whole`: nothing."""

    SCHEMA: ClassVar[str] = "milepost.salvage/1"

    old: str
    new: str
    whole: bool
    jobs: tuple[SalvageLine, ...]


def salvage(old: Path, new: Path, *, discovery: Discovery, clock: Clock) -> SalvageView:
    """What was copied out of the store `old` into the file `new`, which is made.

    Raises as milepost.state.keeping.salvage does.
    """
    copied = copy(old, new, lifecycles=discovery.lifecycles, earlier=discovery.earlier, clock=clock)
    jobs = tuple(_line(job) for job in copied)
    return SalvageView(old=str(old), new=str(new), whole=all(job.whole for job in jobs), jobs=jobs)


def salvage_page(view: SalvageView) -> Page:
    """What was copied of each job, and what was lost of it."""
    rows = tuple(
        (
            job.job_id or f"number {job.number}",
            "whole" if job.whole else "NOT WHOLE",
            str(job.commits),
            str(job.item_blocks),
            str(job.aside_count),
        )
        for job in view.jobs
    )
    columns = (
        Column("JOB"),
        Column("VERDICT"),
        Column("COMMITS", numeric=True),
        Column("ITEM BLOCKS", numeric=True),
        Column("SET ASIDE", numeric=True),
    )
    lost = tuple((job.job_id, what) for job in view.jobs for what in _lost(job))
    return (
        Table(columns=columns, rows=rows, empty="no jobs"),
        Table(title="what was lost", columns=(Column("JOB"), Column("WHAT")), rows=lost),
        Note(f"{view.new}: {'everything was copied' if view.whole else 'NOT ALL was copied'}"),
    )


def _line(job: SalvagedJob) -> SalvageLine:
    return SalvageLine(
        job_id=job.job_id,
        number=job.number,
        commits=job.commits,
        item_blocks=job.item_blocks,
        aside_count=job.aside_count,
        gaps=tuple(GapLine(*gap) for gap in job.gaps),
        repair=None if job.repair is None else repair_line(job.repair),
        problem=job.problem,
    )


def _lost(job: SalvageLine) -> Iterator[str]:
    yield from (describe(Gap(*gap)) for gap in job.gaps)
    if job.problem:
        yield job.problem
    if job.repair is not None:
        yield from (f"{step.does}: {step.loses}" for step in job.repair.steps)
        yield from (f"{problem.message}: {problem.lost}" for problem in job.repair.beyond)
