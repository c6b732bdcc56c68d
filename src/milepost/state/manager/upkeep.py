"""The manager's part about the store itself: verified, repaired, copied, compacted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from milepost import arguments
from milepost.errors import StoreUnreadable
from milepost.log.facts import check_job_id
from milepost.log.rows import StoredJob, StoreFormat, Stray
from milepost.state.keeping.compaction import Compaction, compact
from milepost.state.keeping.quarantine import QuarantinedRow, quarantined
from milepost.state.keeping.repair import Repair, find_entry, repair_job, set_strays_aside, survey
from milepost.state.manager.core import Core
from milepost.state.reading.verification import Verification, store_problems, verify_job
from milepost.text.escapes import printable

__all__ = ["Upkeep"]

_log: Final = logging.getLogger("milepost.state")


class Upkeep(Core):
    """What is done for the store as a whole."""

    def verify(self, job_id: str | None = None) -> list[Verification]:
        """Everything that the job, or every job, promises, checked from the start.

        Each job as of a moment of its own; one that is deleted meanwhile is left out.
        """
        if job_id is not None:
            job_id = self._meet(job_id)
            with self._store.reading() as reader:
                job = find_entry(reader, check_job_id(job_id), self._store.url)
                return [verify_job(self._loader, reader, job)]
        with self._store.reading() as reader:
            jobs = reader.entries()
        found = (self._verified(job) for job in jobs)
        return [verification for verification in found if verification is not None]

    def _verified(self, job: StoredJob) -> Verification | None:
        with self._store.reading() as reader:
            verification = verify_job(self._loader, reader, job)
            there = verification.sound or any(e.number == job.number for e in reader.entries())
            return verification if there else None

    def stored_ids(self) -> list[str]:
        """The ids of all jobs that can be had from a damaged store too, in order of creation."""
        with self._store.reading() as reader:
            return [job.job_id for job in reader.entries()]

    def check_store(self) -> list[str]:
        """What is wrong with the store as a whole: its medium, its entries, rows of no job."""
        with self._store.reading() as reader:
            return store_problems(self._loader, reader)

    def back_up(self, copy: str | Path) -> int:
        """Write a copy of the whole store, as of this moment, to a new file; its size in bytes.

        It is durable when this returns, and a store like any other. Nobody waits meanwhile: what
        is written while it is made is not in it. Raises StoreError where there is a file already,
        StoreUnreadable where the store is damaged. Cost: the store is read once.
        """
        return self._store.back_up(arguments.path("copy", copy))

    def repair(self, job_id: str, *, apply: bool = False) -> Repair:
        """What a repair of the job would do, or, with `apply`, what it did, in one commit.

        What is derived is made anew; the commits that the fold cannot reach are set aside, whole,
        and a `repaired` event in the history says which. Raises JobAbsent, LifecycleChanged, and
        StoreUnreadable where the medium itself is damaged: then salvage it into a new file.
        """
        job_id = self._meet(job_id)
        check_job_id(job_id)
        arguments.flag("apply", apply)
        if not apply:
            with self._store.reading() as reader:
                job = find_entry(reader, job_id, self._store.url)
                return survey(self._loader, reader, job)
        self._refuse_damaged()
        with self._store.writing() as writer:
            job = find_entry(writer, job_id, self._store.url)
            repair = repair_job(self._loader, writer, job, self._clock.now_us())
        self._appender.forget(job_id)
        _log.warning("job %s repaired: %s", job_id, printable(str(repair.steps)))
        return repair

    def list_strays(self) -> list[Stray]:
        """The rows of jobs of which there is no entry. Cost: every id is read."""
        with self._store.reading() as reader:
            return list(reader.strays())

    def set_strays_aside(self) -> list[Stray]:
        """Move the rows of jobs of which there is no entry into the quarantine; which there were.

        Raises StoreUnreadable where the medium itself is damaged.
        """
        self._refuse_damaged()
        with self._store.writing() as writer:
            return set_strays_aside(writer, self._clock.now_us())

    def quarantine(self, job_id: str | None = None) -> Iterator[QuarantinedRow]:
        """What repairs took out of its place, of one job or of all, oldest first, streamed.

        As of the moment of the first step; between steps nothing is held of the store.
        """
        if job_id is not None:
            job_id = check_job_id(job_id)
        return quarantined(self._loader, job_id)

    def _refuse_damaged(self) -> None:
        problems = self._store.check()
        if problems:
            problem = f"{problems[0]}: salvage it into a new file, nothing was repaired"
            raise StoreUnreadable(url=self._store.url, problem=problem)

    def compact(self, job_id: str, *, dry_run: bool = False) -> Compaction:
        """Store the job's log more tightly: small commits merged into compressed blocks.

        Nothing that can be read of the job changes; at any moment it is safe. Of a job that is
        not finished, what does not fill a block is left. With `dry_run` the answer says what it
        would be. The file does not shrink, but what is freed in it is used again. Raises
        JobAbsent, and LogCorrupt at a commit that does not verify, which is left as it is. Cost:
        the log is read and checked once, and one short commit of the store a block.
        """
        job_id = self._meet(job_id)
        arguments.flag("dry_run", dry_run)
        finished = self.get_state(job_id).finished
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
        return compact(self._loader, job, finished=finished, dry_run=dry_run)

    def store_format(self) -> StoreFormat:
        """The format of the store, the newest that this version knows, and the steps between.

        Opening a store for writing takes them all; one opened for reading stays as it is.
        """
        return self._store.format()
