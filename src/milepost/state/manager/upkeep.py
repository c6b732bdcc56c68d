"""The operator's work on the store as a whole: repair, compaction, copies, imports.

`manager.upkeep` is this object. What changes stored rows does so only with `apply=True`; without
it, the answer says what would happen.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from milepost import arguments
from milepost.errors import StoreUnreadable
from milepost.state.manager import work
from milepost.text.commands import salvage_of
from milepost.text.escapes import printable
from milepost.text.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Final

    from milepost.job.state import JobState
    from milepost.legacy.telling.door import Importer
    from milepost.log.rows import StoreFormat, Stray, Vacuumed
    from milepost.state.keeping.compaction import Compaction
    from milepost.state.keeping.moving import OnMove, StoreMove
    from milepost.state.keeping.old_homes import HomeImport, OnJob
    from milepost.state.keeping.quarantine import QuarantinedRow
    from milepost.state.keeping.repair import Repair
    from milepost.state.reading.loading import Loader
    from milepost.state.reading.verification import Verification
    from milepost.state.writing.append import Appender
    from milepost.state.writing.new_jobs import JobSummary
    from milepost.state.writing.observing import Observer

__all__ = ["Upkeep"]

_log: Final = logging.getLogger("milepost.state")


class Upkeep:
    """The operator's side of a manager: `manager.upkeep.repair("words", apply=True)`.

    Executors need none of it. With `apply=False`, which is the default everywhere, nothing is
    changed, and the answer says what would be. Safe for any number of threads.
    """

    def __init__(
        self,
        loader: Loader,
        appender: Appender,
        now_us: Callable[[], int],
        meet: Callable[[str], str],
        newest: Callable[[str], JobState],
        observer: Observer,
    ) -> None:
        self._loader = loader
        self._store = loader.store
        self._appender = appender
        self._now_us = now_us
        self._meet = meet
        self._newest = newest
        self._observer = observer

    def __repr__(self) -> str:
        return one_line(f"<Upkeep of {self._store.url}>")

    def stored_ids(self) -> list[str]:
        """The ids of all jobs in order of creation, from a damaged store too."""
        with self._store.reading() as reader:
            return [job.job_id for job in reader.entries()]

    def check_store(self) -> list[str]:
        """The problems of the store as a whole: its medium, its entries, rows of no job.

        Cost:
            Every page of the file is read.
        """
        with self._store.reading() as reader:
            return work.store_problems(self._loader, reader)

    def store_format(self) -> StoreFormat:
        """The format of the store, the newest that this version knows, and the steps between.

        Opening a store for writing takes all steps; one opened for reading stays as it is.
        """
        return self._store.format()

    def back_up(self, copy: str | Path) -> int:
        """Write a copy of the whole store, as of this moment, to a new file.

        The copy is durable when this returns, and is a store like any other. Nobody waits: what
        others write meanwhile is not in it.

        Args:
            copy: The path of the new file.

        Returns:
            The size of the copy, in bytes.

        Raises:
            StoreError: There is a file already.
            StoreUnreadable: The store is damaged.

        Cost:
            The store is read once.

        """
        return self._store.back_up(arguments.file_path("copy", copy))

    def vacuum(self) -> Vacuumed:
        """Give the space of deleted rows back to the disk, now; it may take long.

        Unless the file was made to give up pages one by one, it is written anew: that needs room
        for it twice, and nobody else writes meanwhile. On a server the space is for other rows, and
        nobody waits.

        Returns:
            How it was done, and the size of the file before and after, in bytes.

        Raises:
            StoreLocked: Another process held the store for too long.

        """
        return self._store.vacuum()

    def compact(self, job_id: str, *, apply: bool = False) -> Compaction:
        """Store the job's log more tightly: small commits merged into compressed blocks.

        Nothing that can be read of the job changes, and it is safe at any moment. The newest
        commits of a job that is not finished stay as they are until they fill a block. The file
        does not shrink, but its free room is used again. The index of the log is made where it
        lacks, and anew where it is damaged.

        Args:
            job_id: The job.
            apply: Merge the commits; without it, the answer says what a merge would come to.

        Raises:
            JobAbsent: The store has no such job.
            LogCorrupt: A commit does not verify; it is left as it is.

        Cost:
            The log is read and checked once, and one short commit of the store a block.

        """
        job_id = self._meet(job_id)
        arguments.flag("apply", apply)
        finished = self._newest(job_id).finished
        with self._store.reading() as reader:
            job = self._loader.log(reader, job_id).entry
        if apply:
            work.mend(self._loader, job)
            work.extend(self._loader, job_id, most=work.ALL)
        return work.compact(self._loader, job, finished=finished, dry_run=not apply)

    def repair(self, job_id: str, *, apply: bool = False) -> Repair:
        """Repair a damaged job in one commit.

        Derived rows are made anew. The commits that the fold cannot reach are set aside, whole,
        and a `repaired` event in the history names them.

        Args:
            job_id: The job.
            apply: Repair it; without it, the answer says what a repair would do.

        Raises:
            JobAbsent: The store has no such job.
            LifecycleChanged: The job cannot go on under the lifecycle that is open.
            StoreUnreadable: The medium itself is damaged: salvage it into a new file.

        """
        job_id = self._meet(job_id)
        work.check_job_id(job_id)
        arguments.flag("apply", apply)
        if not apply:
            with self._store.reading() as reader:
                return work.survey(work.damaged_log(self._loader, reader, job_id))
        self._refuse_damaged()
        with self._store.writing(job_id) as writer:
            log = work.damaged_log(self._loader, writer, job_id)
            repair = work.repair_job(log, writer, self._now_us())
        self._appender.forget(job_id)
        if repair.steps:
            done = "; ".join(step.does for step in repair.steps)
            _log.warning("job %s repaired: %s", job_id, printable(done))
        return repair

    def strays(self, *, apply: bool = False) -> list[Stray]:
        """The rows of jobs that have no entry.

        Args:
            apply: Move them into the quarantine.

        Raises:
            StoreUnreadable: The medium itself is damaged; only with `apply`.

        Cost:
            Every id is read.

        """
        arguments.flag("apply", apply)
        if not apply:
            with self._store.reading() as reader:
                return list(reader.strays())
        self._refuse_damaged()
        with self._store.writing() as writer:
            return work.set_strays_aside(writer, self._now_us())

    def quarantine(self, job_id: str | None = None) -> Iterator[QuarantinedRow]:
        """The rows that repairs took out of their place, oldest first.

        Args:
            job_id: Only rows of this job.

        Returns:
            A stream, as of the moment of its first step; between steps it holds nothing of the
            store.

        """
        if job_id is not None:
            job_id = work.check_job_id(job_id)
        return work.quarantined(self._loader, job_id)

    def import_jobs(
        self,
        home: str | Path,
        *,
        tool: str | Importer | None = None,
        job_id: str | None = None,
        repo: str | None = None,
        apply: bool = False,
        on_job: OnJob | None = None,
    ) -> HomeImport:
        """Import the jobs that another tool left in `home`.

        Each becomes a log with its old times, in one transaction, verified before it ends. A job
        that was imported before is left as it is. Nothing in `home` is ever changed.

        Args:
            home: The folder that the tool kept its state in.
            tool: `"prodigy"`, `"curator"`, the name of one that a package brings by an entry point
                of `milepost.importers`, or an importer of your own. Without it, what
                is in the folder says which; one that fits none is taken for Prodigy's.
            job_id: Only the job of this id.
            repo: Only the jobs of this repository.
            apply: Import them; without it, the answer says what an import would come to.
            on_job: Is called for each job with what became of it, and how many there are.

        Returns:
            What became of each job; a job that could not be imported has its reason there.

        Raises:
            StoreAbsent: There is no such folder, no such tool, or no job of that repository.
            JobAbsent: There is no job of that id.

        Cost:
            Every file of the jobs is read; memory for one old job.

        """
        if tool is not None:
            tool = work.old_homes.importer_given(tool)
        if job_id is not None:
            job_id = arguments.text("job_id", job_id, least=1)
        if repo is not None:
            repo = arguments.text("repo", repo)
        arguments.flag("apply", apply)
        if on_job is not None:
            arguments.calls("on_job", on_job)
        return work.old_homes.import_home(
            self._loader,
            work.old_homes.old_home(arguments.path("home", home)),
            self._now_us,
            tool=tool,
            job_id=job_id,
            repo=repo,
            dry_run=not apply,
            on_job=on_job,
        )

    def export_log(self, job_id: str, file: str | Path) -> int:
        """Write the log of one job to a file of its own, whole, as of this moment.

        The file is JSON lines: what the job is, its items, its commits and its checkpoints as they
        are stored, with their digests. It is there whole or not at all. Results that are kept
        beside the log stay where they are.

        Args:
            job_id: The job.
            file: The path of the file; one that is there is replaced.

        Returns:
            The size of the file, in bytes.

        Raises:
            JobAbsent: The store has no such job.
            StoreUnreadable: A part of the job is damaged.

        Cost:
            The job is read once.

        """
        job_id = self._meet(job_id)
        path = arguments.path("file", file)
        with self._store.reading() as reader:
            return work.carrying.write(self._loader.log(reader, job_id), path)

    def import_log(
        self, file: str | Path, *, apply: bool = False
    ) -> tuple[Verification, JobSummary]:
        """Make a job of a log that `export_log` wrote, with its id, its times and its digests.

        Nobody holds it. All of it is verified before it is kept; a job of its id stays as it is.

        Args:
            file: The path of the file.
            apply: Keep the job; without it, the file is verified in a temporary folder.

        Returns:
            The verification of the job, which found no problem, and how the job stands.

        Raises:
            StoreAbsent: There is no such file.
            JobExists: The store has a job of that id.
            JobMoved: A job of that id has gone from it to another store.
            ImportFailed: The file is not whole, or does not verify.
            StoreNewer: A newer version wrote it.

        Cost:
            The file is read once and the job verified, with `apply` in one commit.

        """
        path = arguments.path("file", file)
        arguments.flag("apply", apply)
        if apply:
            job_id = work.carrying.named_in(path)
            with self._store.writing(job_id) as writer:
                return work.carrying.take_in(self._loader, writer, path, job_id)
        with self._store.reading() as reader:
            return work.carrying.tried(self._loader, reader, path)

    def move(
        self,
        to: str | Path,
        *,
        job_id: str | None = None,
        apply: bool = False,
        on_move: OnMove | None = None,
    ) -> StoreMove:
        """Move jobs to another store: their logs with all digests, and what is beside them.

        Each arrives there unseen and is verified before this store lets go of it. From then on it
        is there alone; here JobMoved says where. A move that was cut short goes on where it was
        when it is begun again. Numbers of jobs are the store's own, results that are kept beside
        the log stay where they are, and so do rows that repairs set aside.

        Args:
            to: The store: a path or a URL. It is made if it is not there, and a job can be moved.
            job_id: Only this job; without it, every one, in their order.
            apply: Move them; without it, the answer says what a move would come to.
            on_move: Is called with the id of a job, how many of its commits are there, and how
                many there are.

        Returns:
            What became of each job; one that was refused has its reason there, and stays: it is
            held, its copy does not verify, or the other store has another job of its id.

        Raises:
            JobAbsent: There is no such job.
            StoreReadOnly: This store or the other cannot be written to; only with `apply`.
            StoreError: Both are one store, or the other is in memory.

        Cost:
            Each job is read twice and written once, in commits of a bounded size.

        """
        target = to if to and isinstance(to, str) else arguments.file_path("to", to)
        if job_id is not None:
            job_id = self._meet(job_id)
        arguments.flag("apply", apply)
        if on_move is not None:
            arguments.calls("on_move", on_move)
        return work.moving.move_jobs(
            self._loader,
            target,
            self._observer,
            self._now_us,
            job_id=job_id,
            dry_run=not apply,
            told=on_move,
            forget=self._appender.forget,
        )

    def _refuse_damaged(self) -> None:
        problems = self._store.check()
        if problems:
            todo = "nothing was repaired: see to that first"
            if self._store.url.startswith("sqlite:"):
                salvage = salvage_of(self._store.url)
                todo = f"`{salvage}` copies what can be read into a new file; nothing was repaired"
            raise StoreUnreadable(url=self._store.url, problem=problems[0], todo=todo)
