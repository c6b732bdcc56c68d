"""Salvage: what can be had of a damaged file, in a new one that is whole, and what was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from milepost import arguments
from milepost.clock import Clock, SystemClock
from milepost.errors import LifecycleChanged, MilepostError, StoreAbsent, StoreError
from milepost.job.versions import Catalogue, catalogue_of
from milepost.machine import Lifecycle
from milepost.state.keeping.repair import Repair, damaged_log, repair_job
from milepost.state.reading.loading import Loader
from milepost.state.reading.verification import verify_job
from milepost.stores.sqlite.files import new_file
from milepost.stores.sqlite.salvage import Copied, Gap, copy_rows
from milepost.stores.sqlite.schema import LAST
from milepost.stores.sqlite.store import SqliteStore

__all__ = ["SalvagedJob", "describe", "salvage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvagedJob:
    """The rows recovered of one job; `job_id` is empty where its entry is lost.

    `commits` and `items` (blocks of them) were copied, `aside_count` rows went into the
    quarantine of the new file. `gaps` could not be read at all. `repair` is what made the copy
    sound, None where it cannot be or need not be; `problem` says why it cannot.
    """

    job_id: str
    number: int
    commits: int
    item_blocks: int
    aside_count: int
    gaps: tuple[Gap, ...]
    repair: Repair | None
    problem: str

    @property
    def whole(self) -> bool:
        """True if nothing of the job was lost."""
        repaired = self.repair is not None and (self.repair.steps or self.repair.beyond)
        return not (self.gaps or self.aside_count or self.problem or repaired)


def salvage(
    old: Path,
    new: Path,
    *,
    lifecycle: Lifecycle | None = None,
    lifecycles: Sequence[Lifecycle] = (),
    earlier: Sequence[Lifecycle] = (),
    clock: Clock | None = None,
) -> Iterator[SalvagedJob]:
    """Copy every job of the file `old` that can be had into a new file, one after the other.

    `old` is only read. A job whose log does not verify is repaired in the copy, as
    StateManager.repair does. The new file has its name once the last job is copied. Raises
    StoreAbsent where there is no old file or no folder for the new one, StoreError where there is
    a new one or where nothing of the old can be read.
    """
    old, new = arguments.file_path("old", old), arguments.file_path("new", new)
    catalogue = catalogue_of(lifecycle, lifecycles, earlier)
    if not old.is_file():
        raise StoreAbsent(url=f"sqlite:///{old}", problem="there is no such file: check the path")
    if new.exists():
        problem = "it is there already, and a salvage makes a new file: name another"
        raise StoreError(url=f"sqlite:///{new}", problem=problem)
    if not new.parent.is_dir():
        problem = f"the folder {new.parent} does not exist: make it first"
        raise StoreAbsent(url=f"sqlite:///{new}", problem=problem)
    now_us = (clock or SystemClock()).now_us()
    return _salvaged(old, new, catalogue, now_us)


def _salvaged(old: Path, new: Path, catalogue: Catalogue, now_us: int) -> Iterator[SalvagedJob]:
    with new_file(new, f"sqlite:///{new}") as part:
        store = SqliteStore(part)
        try:
            loader = Loader(store, catalogue)
            for copied in copy_rows(old, store, now_us):
                yield _made_sound(loader, copied, now_us)
        finally:
            store.close()


def _made_sound(loader: Loader, copied: Copied, now_us: int) -> SalvagedJob:
    repair: Repair | None = None
    problem = "" if copied.job_id else "its entry is lost, so all of it was set aside"
    if not copied.number:
        problem = "not all that is of no one job could be read: see the gaps"
    if copied.job_id:
        try:
            with loader.store.writing() as writer:
                repair = repair_job(damaged_log(loader, writer, copied.job_id), writer, now_us)
        except LifecycleChanged as error:  # what its log says itself can be checked all the same
            problem = "" if _chain_is_sound(loader, copied) else str(error)
        except MilepostError as error:
            problem = str(error)
    if repair is not None and repair.seq == 0:
        problem = "its first commit is lost, so that there is nothing for the others to stand on"
    return SalvagedJob(
        job_id=copied.job_id,
        number=copied.number,
        commits=copied.rows["commits"],
        item_blocks=copied.rows["inputs"],
        aside_count=copied.aside_count,
        gaps=copied.gaps,
        repair=repair,
        problem=problem,
    )


def _chain_is_sound(loader: Loader, copied: Copied) -> bool:
    with loader.store.reading() as reader:
        return not verify_job(damaged_log(loader, reader, copied.job_id)).problems


def describe(gap: Gap) -> str:
    """The commits that a gap leaves out, in words."""
    upto = "on, if there were any" if gap.last >= LAST else f"to {gap.last}"
    return f"{gap.source} from {gap.first} {upto}: {gap.problem}"
