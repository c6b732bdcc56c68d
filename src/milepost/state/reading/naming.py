"""By which lifecycle a job runs, by name and version, also where its tables are not at hand."""

from __future__ import annotations

from milepost.errors import StoreError
from milepost.job.described import Described, described_by, stored_lifecycle
from milepost.log.codec import chain_start
from milepost.log.facts import JobCreated, Migrated
from milepost.log.rows import StoredJob, StoredLifecycle
from milepost.state.reading.loading import JobLog, Loader
from milepost.stores.protocol import Reader

__all__ = ["Names"]


class Names:
    """Names and versions of lifecycles by their digests, each looked up once."""

    def __init__(self, loader: Loader, reader: Reader) -> None:
        self._loader = loader
        self._reader = reader
        self._known: dict[str, tuple[str, int]] = {}
        self._meanings: dict[str, Described | None] = {}

    def of(self, job: StoredJob) -> tuple[str, int]:
        """Name and version of the lifecycle that the job runs by.

        By the tables at hand, by what the store tells of it, else by the log, which is read once
        for each digest that is met. Raises LogCorrupt.
        """
        digest = job.lifecycle
        found = self._known.get(digest)
        if found is None:
            told = self._loader.tables.get(digest) or self._told(digest)
            found = (told.name, told.version) if told else self.by_log(job)
            self._known[digest] = found
        return found

    def meaning(self, digest: str) -> Described | None:
        """What the states and events of the version of that digest mean; None if nothing says it.

        By its tables, or by what the store tells of it.
        """
        if digest not in self._meanings:
            table = self._loader.tables.get(digest)
            told = stored_lifecycle(table) if table else self._told(digest)
            self._meanings[digest] = None if told is None else described_by(told)
        return self._meanings[digest]

    def by_log(self, job: StoredJob) -> tuple[str, int]:
        """Name and version by the log alone, version 0 where it does not tell. Raises LogCorrupt.

        Cost: the heads up to the commit that tells.
        """
        log, name = JobLog(self._loader, self._reader, job), ""
        previous = chain_start(job.job_id)
        for row in log.rows():
            commit = log.commit(row, previous)
            for fact in commit.facts:
                if isinstance(fact, JobCreated | Migrated):
                    name = fact.lifecycle
                    if fact.digest == job.lifecycle:
                        return name, fact.version
            previous = row.digest
        return name, 0

    def _told(self, digest: str) -> StoredLifecycle | None:
        try:
            return self._reader.lifecycle(digest)
        except StoreError:
            return None  # `verify` says so
