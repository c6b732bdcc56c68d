"""By which lifecycle a job runs, by name and version, also where its tables are not at hand."""

from __future__ import annotations

from milepost.log.codec import chain_start
from milepost.log.facts import JobCreated, Migrated
from milepost.log.rows import StoredJob
from milepost.state.persistence import Reader
from milepost.state.reading.loading import Loader

__all__ = ["Names"]


class Names:
    """Names and versions of lifecycles by their digests, each looked up once."""

    def __init__(self, loader: Loader, reader: Reader) -> None:
        self._loader = loader
        self._reader = reader
        self._known: dict[str, tuple[str, int]] = {}

    def of(self, job: StoredJob) -> tuple[str, int]:
        """Name and version of the lifecycle that the job runs by.

        By the tables at hand, else by the log, which is read once for each digest that is met.
        Raises LogCorrupt.
        """
        digest = job.lifecycle
        found = self._known.get(digest)
        if found is None:
            table = self._loader.tables.get(digest)
            found = (table.name, table.version) if table else self._by_log(job)
            self._known[digest] = found
        return found

    def _by_log(self, job: StoredJob) -> tuple[str, int]:
        previous, name = chain_start(job.job_id), ""
        for row in self._reader.rows(job.number):
            commit = self._loader.commit(job, row, previous)
            for fact in commit.facts:
                if isinstance(fact, JobCreated | Migrated):
                    name = fact.lifecycle
                    if fact.digest == job.lifecycle:
                        return name, fact.version
            previous = row.digest
        return name, 0
