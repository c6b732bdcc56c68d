"""What the jobs of a store were imported of: whose old files held the same, or the first of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from milepost.errors import MilepostError
from milepost.log.codec import digest_of
from milepost.log.drafts import LogDraft
from milepost.log.facts import CheckpointTaken, Fact, Imported, ItemsFired, JobCreated
from milepost.log.rows import StoredJob
from milepost.machine import Lifecycle
from milepost.state.keeping.importing import REASON
from milepost.state.reading.loading import JobLog, Loader
from milepost.stores.protocol import Reader
from milepost.stores.unreadable import is_of_content

__all__ = ["Origin", "Origins"]


class Origin(NamedTuple):
    """A job here, and what it was imported of: `items` is the fingerprint of its items."""

    entry: StoredJob
    items: str
    imported: Imported

    @property
    def job_id(self) -> str:
        """Its id here."""
        return self.entry.job_id


class Origins:
    """The jobs of a store, as of when they are first asked for, and those that are added.

    Damaged jobs are passed over. Cost: the entries of all jobs, once; and once the first row of
    those that began when a job did that is asked about, or of all where no old file says when.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._begun = False
        self._unread: dict[int, list[StoredJob]] = {}  # by when they began
        self._twins: dict[tuple[str, str], Origin] = {}  # the first of each tool and fingerprint
        self._alike: dict[tuple[str, str, int], list[Origin]] = {}  # of one tool, items and moment

    def twin(self, reader: Reader, draft: LogDraft) -> Origin | None:
        """The job that was made of files which told the same, under another name; None if none was.

        Costs what is said above, and nothing more.
        """
        self._read(reader, draft)
        return self._twins.get((draft.imported.tool, draft.imported.fingerprint))

    def earlier(self, reader: Reader, draft: LogDraft) -> Origin | None:
        """The job that was made of the same files when they told less; None where that is not sure.

        It is where that job began at the same moment with the same items, and had results, each of
        which is in these files too, with the same time. After `twin`. Cost: of such jobs, the log
        as it was imported.
        """
        told = draft.imported
        alike = self._alike.get((told.tool, draft.created.fingerprint, draft.created_at_us), [])
        if not alike:
            return None
        drafted = (
            (commit.at_us, each.fact, each.body)
            for commit in draft.commits
            for each in commit.drafts
        )
        own = self._loader.tables.own
        now = set(_results(own, drafted))
        for origin in alike:
            try:
                then = set(_results(own, self._imported(reader, origin)))
            except MilepostError as error:
                if not is_of_content(error):
                    raise
                continue
            if then and then <= now:
                return origin
        return None

    def add(self, draft: LogDraft, number: int) -> None:
        """Take in a job that was stored since."""
        entry = StoredJob(number, draft.job_id, draft.created_at_us, draft.created.digest)
        self._unread.setdefault(entry.created_at_us, []).append(entry)

    def _read(self, reader: Reader, draft: LogDraft) -> None:
        """Know the origin of each job that may be that of the draft."""
        if not self._begun:
            self._begun = True
            for entry in reader.entries():
                self._unread.setdefault(entry.created_at_us, []).append(entry)
        dated = draft.created_at_us != draft.imported.imported_at_us
        for moment in (draft.created_at_us,) if dated else tuple(self._unread):
            for entry in self._unread.pop(moment, []):
                self._know(reader, entry)

    def _know(self, reader: Reader, entry: StoredJob) -> None:
        log = JobLog(self._loader, reader, entry)
        try:
            facts = [fact for row in log.rows(0, 1) for fact in log.facts(row)]
        except MilepostError as error:
            if not is_of_content(error):
                raise
            return
        items = next((one.fingerprint for one in facts if isinstance(one, JobCreated)), "")
        for imported in facts:
            if isinstance(imported, Imported):
                origin = Origin(entry, items, imported)
                self._twins.setdefault((imported.tool, imported.fingerprint), origin)
                alike = imported.tool, items, entry.created_at_us
                self._alike.setdefault(alike, []).append(origin)

    def _imported(self, reader: Reader, origin: Origin) -> Iterator[tuple[int, Fact, Any]]:
        """The facts of a job up to the checkpoint that ended its import, with time and body."""
        log = JobLog(self._loader, reader, origin.entry)
        for row in log.rows(bodies=True):
            facts = log.facts(row)
            for fact, body in zip(facts, log.bodies(row) or [None] * len(facts), strict=True):
                if isinstance(fact, CheckpointTaken) and fact.reason == REASON:
                    return
                yield row.at_us, fact, body


def _results(
    lifecycle: Lifecycle,
    told: Iterator[tuple[int, Fact, Any]],  # Any: JSON, or as it is about to be
) -> Iterator[tuple[int, int, bytes]]:
    """When which item gave what: time, ordinal, digest."""
    roles = [machine.roles.result for machine in lifecycle.machines.values()]
    fields = {role.event: role.field for role in roles if role is not None}
    for at_us, fact, body in told:
        if isinstance(fact, ItemsFired) and fact.event in fields and body is not None:
            for ordinal, payload in zip(fact.ordinals, body, strict=True):
                result = (payload or {}).get(fields[fact.event])
                if isinstance(result, msgspec.Raw):
                    result = msgspec.json.decode(result)
                yield at_us, ordinal, digest_of(msgspec.json.encode(result))
