"""What the jobs of a store were imported of: whose old files held the very same."""

from __future__ import annotations

from typing import NamedTuple

from milepost.errors import MilepostError
from milepost.log.drafts import LogDraft
from milepost.log.facts import Imported
from milepost.log.rows import StoredJob
from milepost.state.keeping.importing import provenance
from milepost.state.reading.loading import JobLog, Loader
from milepost.stores.protocol import Reader
from milepost.stores.unreadable import is_of_content

__all__ = ["Origin", "Origins"]


class Origin(NamedTuple):
    """A job here, and the names that it had there."""

    job_id: str
    repo: str
    old_id: str


class Origins:
    """The jobs of a store, as of when they are first asked for, and those that are added."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._entries: list[StoredJob] | None = None
        self._added: dict[tuple[str, str], Origin] = {}

    def twin(self, reader: Reader, draft: LogDraft) -> Origin | None:
        """The job that was made of files which told the same, under another name; None if none was.

        Damaged jobs are passed over.
        Cost: the entries of all jobs, once; the first row of those alone that began when this one
        did, or of all where no old file says when.
        """
        wanted = draft.imported
        what = (wanted.tool, wanted.fingerprint)
        if what in self._added:
            return self._added[what]
        if self._entries is None:
            self._entries = reader.entries()
        dated = draft.created_at_us != wanted.imported_at_us
        for entry in self._entries:
            if dated and entry.created_at_us != draft.created_at_us:
                continue
            there = self._origin(reader, entry)
            if there is not None and (there.tool, there.fingerprint) == what:
                return Origin(entry.job_id, there.repo, there.old_id)
        return None

    def add(self, draft: LogDraft) -> None:
        """Take in a job that was stored since."""
        told = draft.imported
        self._added.setdefault(
            (told.tool, told.fingerprint), Origin(draft.job_id, told.repo, told.old_id)
        )

    def _origin(self, reader: Reader, entry: StoredJob) -> Imported | None:
        try:
            return provenance(JobLog(self._loader, reader, entry))
        except MilepostError as error:
            if not is_of_content(error):
                raise
            return None
