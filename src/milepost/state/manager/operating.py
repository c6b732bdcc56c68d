"""The manager's part for operators: `verify`, the object `upkeep`, and the names that it had here.

The older names stay, for whoever calls them: each is one call of the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost import arguments
from milepost.state.manager import work
from milepost.state.manager.core import Core
from milepost.state.manager.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milepost.log.rows import StoredJob, StoreFormat, Stray, Vacuumed
    from milepost.state.keeping.compaction import Compaction
    from milepost.state.keeping.old_homes import HomeImport, OnJob
    from milepost.state.keeping.quarantine import QuarantinedRow
    from milepost.state.keeping.repair import Repair
    from milepost.state.reading.beside import KeptBeside
    from milepost.state.reading.verification import Verification

__all__ = ["Operating"]


class Operating(Core):
    """The methods of a manager for operators."""

    @property
    def upkeep(self) -> Upkeep:
        """Repair, compaction, vacuum, quarantine, copies and imports: what operators do."""
        return Upkeep(
            self._loader,
            self._appender,
            self._clock.now_us,
            self._meet,
            self.get_state,
            self._observer,
        )

    def verify(self, job_id: str | None = None) -> list[Verification]:
        """Check everything that the job, or every job, promises, from the start.

        Each job is checked as of a moment of its own; one that is deleted meanwhile is left out.

        Args:
            job_id: Only this job.

        Returns:
            One verification a job, with the problems found.

        Raises:
            JobAbsent: The store has no such job.

        Cost:
            Everything that is stored of the jobs is read.
        """
        if job_id is not None:
            job_id = self._meet(job_id)
            with self._store.reading() as reader:
                return [
                    work.verify_job(
                        work.damaged_log(self._loader, reader, work.check_job_id(job_id))
                    )
                ]
        with self._store.reading() as reader:
            jobs = reader.entries()
        found = (self._verified(job) for job in jobs)
        return [verification for verification in found if verification is not None]

    def verify_beside(self, job_id: str) -> KeptBeside:
        """Check what the job has kept beside its log: each object against its digest and size.

        Args:
            job_id: The job.

        Returns:
            The objects that its results point to, those that nothing points to, and problems.

        Raises:
            JobAbsent: The store has no such job.
            CodecAbsent: Its payloads need another payload codec.

        Cost:
            Every payload of the log is decoded, and every object read.
        """
        with self._job_log(job_id) as log:
            job, inputs = log.entry, self._outlined(log).inputs
        return work.check_kept(self._loader, job, inputs)

    def _verified(self, job: StoredJob) -> Verification | None:
        with self._store.reading() as reader:
            verification = work.verify_job(work.JobLog(self._loader, reader, job))
            there = verification.sound or any(e.number == job.number for e in reader.entries())
            return verification if there else None

    def stored_ids(self) -> list[str]:
        """The older name of `upkeep.stored_ids()`."""
        return self.upkeep.stored_ids()

    def check_store(self) -> list[str]:
        """The older name of `upkeep.check_store()`."""
        return self.upkeep.check_store()

    def store_format(self) -> StoreFormat:
        """The older name of `upkeep.store_format()`."""
        return self.upkeep.store_format()

    def back_up(self, copy: str | Path) -> int:
        """The older name of `upkeep.back_up(copy)`."""
        return self.upkeep.back_up(copy)

    def vacuum(self) -> Vacuumed:
        """The older name of `upkeep.vacuum()`."""
        return self.upkeep.vacuum()

    def compact(self, job_id: str, *, dry_run: bool = False) -> Compaction:
        """The older way to say `upkeep.compact(job_id, apply=not dry_run)`."""
        arguments.flag("dry_run", dry_run)
        return self.upkeep.compact(job_id, apply=not dry_run)

    def repair(self, job_id: str, *, apply: bool = False) -> Repair:
        """The older name of `upkeep.repair(job_id, apply=apply)`."""
        return self.upkeep.repair(job_id, apply=apply)

    def list_strays(self) -> list[Stray]:
        """The older name of `upkeep.strays()`."""
        return self.upkeep.strays()

    def set_strays_aside(self) -> list[Stray]:
        """The older name of `upkeep.strays(apply=True)`."""
        return self.upkeep.strays(apply=True)

    def quarantine(self, job_id: str | None = None) -> Iterator[QuarantinedRow]:
        """The older name of `upkeep.quarantine(job_id)`."""
        return self.upkeep.quarantine(job_id)

    def import_jobs(
        self,
        home: str | Path,
        *,
        job_id: str | None = None,
        repo: str | None = None,
        dry_run: bool = False,
        on_job: OnJob | None = None,
    ) -> HomeImport:
        """The older way to say `upkeep.import_jobs(home, apply=not dry_run)`."""
        arguments.flag("dry_run", dry_run)
        return self.upkeep.import_jobs(
            home, job_id=job_id, repo=repo, apply=not dry_run, on_job=on_job
        )
