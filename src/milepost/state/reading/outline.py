"""What a log says of a job by itself, without the tables of the lifecycle that the job runs by.

Which steps were taken, and whether they were legal, only tables can tell. That a log is whole,
who held the job, which items it has, and what each commit carried, stands in the log.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from milepost.items.inputs import Inputs
from milepost.log.codec import chain_start, decode_snapshot
from milepost.log.facts import (
    Commit,
    Fact,
    Forked,
    ItemsAdded,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    MembersAdded,
    Migrated,
    Repaired,
    Rewound,
)
from milepost.log.rows import Row
from milepost.state.reading.loading import JobLog
from milepost.state.reading.naming import Names
from milepost.text.wording import short_repr

__all__ = ["Outline", "Version", "outline", "outlines"]


class Version(NamedTuple):
    """A version of a lifecycle, as a log names it."""

    name: str
    version: int
    digest: str


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outline:
    """A job after commit `seq`, as far as its log says it without tables.

    `phase` is what the newest row states. `members` are the items by collection: its name, the
    first of them and how many; without a name where a job has one collection. `versions` are the
    commits from which on the job ran by a version, with that version. `variables` are those that
    are known to have been set: all, where the store tells what sets them.
    """

    id: str
    number: int
    seq: int
    digest: bytes
    fence: int
    owner: str | None
    phase: str
    created: JobCreated
    created_at_us: int
    inputs: Inputs
    members: tuple[tuple[str, int, int], ...]
    versions: tuple[tuple[int, Version], ...]
    variables: Mapping[str, Any]  # Any: JSON
    rewinds: tuple[tuple[int, int], ...] = ()

    @property
    def lifecycle(self) -> Version:
        """The version that it runs by."""
        return self.versions[-1][1]

    def version_at(self, seq: int) -> Version:
        """The version that commit `seq` was written under."""
        return self.versions[bisect_right(self.versions, seq, key=lambda one: one[0]) - 1][1]

    def collection_of(self, ordinal: int) -> str:
        """The name of the collection that the item is of, `""` for the only one."""
        at = bisect_right(self.members, ordinal, key=lambda one: one[1]) - 1
        return self.members[at][0] if at >= 0 else ""


def outline(log: JobLog, upto: int | None = None) -> Outline:
    """The job as its log tells of it, up to the end or to commit `upto`.

    Raises LogCorrupt. Cost: one pass over the heads.
    """
    found: Outline | None = None
    for _, _, after in outlines(log, upto):
        found = after
    if found is None:
        raise log.corrupt(1, "it is missing")
    log.check_end(found, upto)
    return found


def outlines(log: JobLog, upto: int | None = None) -> Iterator[tuple[Row, Commit, Outline]]:
    """Each row with its commit and the job after it, from the first one on.

    The chain, the order of commits and of fences are checked on the way. Raises LogCorrupt.
    """
    names = Names(log.loader, log.reader)
    stands: Outline | None = None
    for row in log.rows(upto=upto):
        previous = stands.digest if stands else chain_start(log.job_id)
        commit = log.commit(row, previous)
        if stands is None:
            stands = _begun(log, row, commit)
        elif commit.seq != stands.seq + 1:
            raise log.corrupt(row.seq, f"it follows {stands.seq} in the log")
        for fact in commit.facts:
            stands = _after(log, stands, fact, row, names)
        if stands.fence != commit.fence:
            problem = f"its fence is {commit.fence} and {stands.fence} was due"
            raise log.corrupt(row.seq, problem)
        phase = log.tally(row).phase
        stands = replace(stands, seq=row.seq, digest=row.digest, phase=phase)
        yield row, commit, stands


def _begun(log: JobLog, row: Row, commit: Commit) -> Outline:
    """The job before its first commit."""
    created = commit.facts[0] if commit.facts else None
    if row.seq != 1 or not isinstance(created, JobCreated):
        raise log.corrupt(1, "it does not say what the job is")
    several = any(isinstance(fact, MembersAdded) for fact in commit.facts)
    listed = 0 if several else created.item_count
    return Outline(
        id=log.job_id,
        number=log.number,
        seq=0,
        digest=chain_start(log.job_id),
        fence=0,
        owner=None,
        phase="",
        created=created,
        created_at_us=row.at_us,
        inputs=log.inputs(listed),
        members=(("", 0, listed),) if listed else (),
        versions=((0, Version(created.lifecycle, created.version, created.digest)),),
        variables=created.variables,
    )


def _after(log: JobLog, stands: Outline, fact: Fact, row: Row, names: Names) -> Outline:
    match fact:
        case LeaseTaken():
            return replace(stands, owner=fact.owner, fence=fact.fence)
        case LeaseReleased():
            return replace(stands, owner=None)
        case Repaired() if fact.fence > stands.fence:
            return replace(stands, owner=None, fence=fact.fence)
        case Forked():
            return replace(stands, owner=None, created_at_us=row.at_us)
        case ItemsAdded() | MembersAdded():
            name = fact.collection if isinstance(fact, MembersAdded) else ""
            if fact.first != stands.inputs.count:
                problem = f"items from {fact.first} on follow {stands.inputs.count}"
                raise log.corrupt(row.seq, problem)
            members = (*stands.members, (name, fact.first, fact.count))
            return replace(stands, inputs=stands.inputs.grown(fact.runs), members=members)
        case Migrated():
            version = Version(fact.lifecycle, fact.version, fact.digest)
            return replace(stands, versions=(*stands.versions, (row.seq, version)))
        case Rewound():
            return _rewound(stands, fact, row)
        case JobFired():
            return _set(stands, fact, names)
        case _:
            return stands


def _rewound(stands: Outline, fact: Rewound, row: Row) -> Outline:
    then = decode_snapshot(fact.snapshot)
    count = stands.created.item_count if then.item_count is None else then.item_count
    spans = tuple((first, place) for first, place in then.spans) or ((0, 0),)
    return replace(
        stands,
        inputs=stands.inputs.seen_as(count, spans),
        members=tuple(one for one in stands.members if one[1] < count),
        variables=then.variables,
        rewinds=(*stands.rewinds, (row.seq, fact.to_seq)),
    )


def _set(stands: Outline, fact: JobFired, names: Names) -> Outline:
    """With the variables that an event set, where it is known which of its fields does."""
    told = names.meaning(stands.lifecycle.digest)
    for event, name in told.owner.variables if told else ():
        given = fact.payload.get(name)
        if event == fact.event and isinstance(given, dict):
            stands = replace(stands, variables={**stands.variables, **given})
    return stands
