"""The manager's part about how long jobs are kept, what they take, and their deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost import arguments
from milepost.defaults import BATCH_ROWS, LARGEST, pause
from milepost.state.manager import work
from milepost.state.manager.core import Core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from milepost.state.keeping.collecting import Collected
    from milepost.state.keeping.retention import Kept, RetentionPlan, RetentionPolicy
    from milepost.state.reading.sizes import JobSizes

__all__ = ["Retention"]


class Retention(Core):
    """How long jobs are kept, and what they take."""

    def keep(self, job_id: str, *, for_: timedelta | None, reason: str = "") -> Kept:
        """Keep this job for so long after its newest commit, whatever the policy says.

        This makes the job neither older nor younger.

        Args:
            job_id: The job.
            for_: How long, at least zero; None for ever.
            reason: The reason, for people.

        Raises:
            JobAbsent: The store has no such job.
            ValueError: The age is negative.
        """
        reason = arguments.text("reason", reason)
        keep = work.keep_of(for_, reason, self._clock.now_us())
        with self._job_log_written(job_id) as (log, writer):
            writer.put_keep(log.number, keep)
        return work.Kept(
            job_id=log.job_id, for_=for_, reason=reason, set_at=work.instant(keep.set_at_us)
        )

    def keep_by_policy(self, job_id: str) -> None:
        """Keep this job for as long as others that end like it: take a `keep` back.

        Args:
            job_id: The job.

        Raises:
            JobAbsent: The store has no such job.
        """
        with self._job_log_written(job_id) as (log, writer):
            writer.put_keep(log.number, None)

    def kept(self, job_id: str) -> Kept | None:
        """How long this job is kept; None if it goes by the policy.

        Args:
            job_id: The job.

        Raises:
            JobAbsent: The store has no such job.
        """
        with self._job_log(job_id) as log:
            return work.kept_of(log.entry, log.reader.keep(log.number))

    def plan_retention(
        self, policy: RetentionPolicy | None = None, *, job_ids: Iterable[str] | None = None
    ) -> RetentionPlan:
        """A plan: the jobs that may go by `policy`, and why each goes or stays. Changes nothing.

        Args:
            policy: How long jobs stay, by how they ended.
            job_ids: Only these jobs; None for all, and for deletions that were cut short.

        Returns:
            A plan for `collect`.

        Raises:
            JobAbsent: The store has no job of one of `job_ids`.
            StoreUnreadable: One of `job_ids` cannot be read.

        Cost:
            One pass over the sizes of all rows, or over those of the jobs in `job_ids`.
        """
        wanted = work.RetentionPolicy()
        if policy is not None:
            wanted = arguments.instance("policy", policy, work.RetentionPolicy)
        if job_ids is not None:
            named = [self._meet(each) for each in arguments.texts("job_ids", job_ids)]
            with self._store.reading() as reader:
                return work.plan_jobs(self._loader, reader, wanted, self._observer, named)
        with self._store.reading() as reader:
            return work.plan_retention(self._loader, reader, wanted, self._observer)

    def collect(
        self,
        retention: RetentionPlan,
        *,
        reason: str = "",
        batch_rows: int = BATCH_ROWS,
        rest: Callable[[], None] = pause,
    ) -> Collected:
        """Delete the jobs that `retention` lets go, unless they have changed since it was made.

        Safe while executors and other collectors run: each job is decided again under the write
        lock. If it is cut short, the next one finishes its work.

        Args:
            retention: The plan, of `plan_retention`.
            reason: Is kept in the tombstones of the jobs, after how they ended.
            batch_rows: At most so many rows are deleted in one commit.
            rest: Is called between two commits, for others to write.

        Returns:
            The jobs that were deleted and those that were passed over, with the reasons.
        """
        arguments.instance("retention", retention, work.RetentionPlan)
        reason = arguments.text("reason", reason)
        batch_rows = arguments.integer("batch_rows", batch_rows, 1)
        arguments.calls("rest", rest)
        collected = work.collect(
            self._loader,
            self._observer,
            retention,
            reason=reason,
            batch_rows=batch_rows,
            rest=rest,
        )
        for job_id in collected.deleted:
            self._appender.forget(job_id)
        return collected

    def sizes(self, job_id: str, *, largest: int = LARGEST) -> JobSizes:
        """Where the bytes of the job are. Its lifecycle need not be at hand.

        Args:
            job_id: The job.
            largest: So many of the largest values are named.

        Raises:
            JobAbsent: The store has no such job.

        Cost:
            Every value is read.
        """
        largest = arguments.integer("largest", largest)
        with self._job_log(job_id) as log:
            return work.job_sizes(log, self._outlined(log), largest)
