"""The facts of a job, each the least that the fold needs, and their commits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import msgspec

from milepost.errors import JobIdInvalid
from milepost.log.formats import FORMAT
from milepost.text.wording import short_repr

__all__ = [
    "FORMAT",
    "CheckpointTaken",
    "Commit",
    "Draft",
    "Fact",
    "FolderNamed",
    "Forked",
    "Imported",
    "ItemsAdded",
    "ItemsFired",
    "JobCreated",
    "JobFired",
    "LeaseReleased",
    "LeaseTaken",
    "MembersAdded",
    "Migrated",
    "Repaired",
    "Rewound",
    "Snapshot",
    "SnapshotCell",
    "WriteRejected",
    "check_job_id",
    "event_count",
    "format_of",
    "snapshot_format",
]

_BESIDE: Final = 4  # since then results may be kept beside the log
_SEVERAL: Final = 3  # since then there are jobs with several collections
_BEFORE: Final = 2

_JOB_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_job_id(job_id: str) -> str:
    """`job_id` as plain text. Raises JobIdInvalid unless it matches: ids become rows and names."""
    if not isinstance(job_id, str):
        raise JobIdInvalid(job_id=job_id)
    plain = job_id if type(job_id) is str else str.__str__(job_id)
    if _JOB_ID.fullmatch(plain) is None:
        raise JobIdInvalid(job_id=job_id)
    return plain


class _Fact(msgspec.Struct, frozen=True, array_like=True):
    """A fact is stored as a JSON array that its tag begins."""


@short_repr
class JobCreated(_Fact, tag="created", frozen=True):
    """The first fact of every log: by which lifecycle the job runs, and over what.

    `fingerprint` is the digest of the item list: keys and values, in order. Both it and
    `item_count` are of the beginning; ItemsAdded says what came later. Of a job with several
    collections `item_count` is of all of them, and `fingerprint` of none: MembersAdded in the same
    commit says what each has. Its `item_params` are then by the name of the collection.
    """

    lifecycle: str
    version: int
    digest: str
    job_params: dict[str, Any]
    item_params: dict[str, Any]
    variables: dict[str, Any]
    item_count: int
    fingerprint: str


@short_repr
class JobFired(_Fact, tag="job", frozen=True):
    """The job took `event`. `payload` holds the fields that the fold needs; the body the rest."""

    event: str
    payload: dict[str, Any]


@short_repr
class ItemsFired(_Fact, tag="items", frozen=True):
    """Each item took `event`. `payloads` are what guards may read of them, None if nothing.

    All of them are of one collection.
    """

    event: str
    ordinals: list[int]
    payloads: list[dict[str, Any]] | None = None


@short_repr
class ItemsAdded(_Fact, tag="added", frozen=True):
    """More items, in their initial state: `count` of them, as ordinals from `first` on.

    `fingerprint` is of these alone. `runs` says where they stand among all items that were ever
    stored for the job: places and how many follow each other from there.
    """

    first: int
    count: int
    fingerprint: str
    runs: list[tuple[int, int]]


@short_repr
class MembersAdded(_Fact, tag="members", frozen=True):
    """As ItemsAdded, of a job with several collections: more members of one of them.

    The members that such a job was created with are such facts too, in its first commit.
    """

    collection: str
    first: int
    count: int
    fingerprint: str
    runs: list[tuple[int, int]]


@short_repr
class LeaseTaken(_Fact, tag="lease", frozen=True):
    """`owner` holds the job from here on. `reason` says why it took it over, if it did.

    `unharmed` says that what was in flight was not cut short by a death: its holder had given the
    job back, or was seen alive.
    """

    owner: str
    fence: int
    reason: str = ""
    unharmed: bool = False


@short_repr
class LeaseReleased(_Fact, tag="released", frozen=True):
    """The holder gave the job back."""

    owner: str


@short_repr
class CheckpointTaken(_Fact, tag="checkpoint", frozen=True):
    """A checkpoint of the state at `seq` was written; `digest` is of its bytes."""

    seq: int
    digest: str
    reason: str


@short_repr
class Rewound(_Fact, tag="rewound", frozen=True):
    """Phase, context, variables and items are again as at `to_seq`: `snapshot` is that state."""

    to_seq: int
    snapshot: bytes
    reason: str


@short_repr
class Migrated(_Fact, tag="migrated", frozen=True):
    """From here on the job runs by another version: `snapshot` is the state under it.

    Facts before it were decided by the tables of the version before.
    """

    lifecycle: str
    version: int
    digest: str
    snapshot: bytes


@short_repr
class Forked(_Fact, tag="forked", frozen=True):
    """All before it is the log of another job up to its commit `from_seq`, of that digest.

    From here on the job is its own: nobody holds it, and it has no checkpoint.
    """

    from_job: str
    from_seq: int
    from_digest: str
    reason: str = ""


@short_repr
class Imported(_Fact, tag="imported", frozen=True):
    """The log was made from what another tool left behind; it changes nothing.

    `source` is the old file that counted most, `repo` and `old_id` are how that tool knew the job.
    `fingerprint` is of all that was read of it; `imported_at_us` is when, since the commits of such
    a log have the old times. The body holds what was reported.
    """

    tool: str
    source: str
    repo: str
    old_id: str
    fingerprint: str
    imported_at_us: int


@short_repr
class WriteRejected(_Fact, tag="rejected", frozen=True):
    """A write that was refused and is kept for the record; it changed nothing.

    `code` is that of the error its writer met; the body holds the payloads that were refused.
    """

    code: str
    owner: str
    fence: int
    event: str
    ordinals: list[int]


@short_repr
class Repaired(_Fact, tag="repaired", frozen=True):
    """The store was repaired; phase, items and variables are as the commits before left them.

    The commits `lost_from` to `lost_upto` were lost, none where both are 0; `aside_count` rows
    are in the quarantine. `fence` is above every one that was given out before, lost or not,
    where commits were lost: whoever held the job then writes no more.
    """

    lost_from: int
    lost_upto: int
    fence: int
    aside_count: int
    reason: str


@short_repr
class FolderNamed(_Fact, tag="folder", frozen=True):
    """From here on results of the job may be kept at `url`, and beside the log.

    It says where to look for what is to be deleted with the job; a fork has it too, since its
    results may be there. It changes nothing else.
    """

    url: str


Fact: TypeAlias = (
    JobCreated
    | JobFired
    | ItemsFired
    | ItemsAdded
    | MembersAdded
    | LeaseTaken
    | LeaseReleased
    | CheckpointTaken
    | Rewound
    | Migrated
    | Forked
    | Imported
    | WriteRejected
    | Repaired
    | FolderNamed
)


@short_repr
class Draft(msgspec.Struct, frozen=True):
    """A fact about to be stored, with its body: the values that the fold never reads."""

    fact: Fact
    body: object = None


def format_of(facts: Iterable[Fact]) -> int:
    """The oldest format whose readers take `facts` for what they are."""
    found = _BEFORE
    for fact in facts:
        if type(fact) is FolderNamed:
            return _BESIDE
        if type(fact) is MembersAdded:
            found = _SEVERAL
    return found


def snapshot_format(*, several: bool) -> int:
    """The oldest format whose readers take a snapshot of a job with `several` collections."""
    return _SEVERAL if several else _BEFORE


def event_count(drafts: Iterable[Draft]) -> int:
    """How many events of the job and of its items are in `drafts`: one for each item."""
    count = 0
    for draft in drafts:
        if isinstance(draft.fact, ItemsFired):
            count += len(draft.fact.ordinals)
        elif isinstance(draft.fact, JobFired):
            count += 1
    return count


@short_repr
class Commit(msgspec.Struct, frozen=True):
    """One row of a job's log, head only: its facts hold legally one after the other.

    `at_us` is in microseconds since 1970 and never falls along a log, nor does `fence`.
    """

    seq: int
    fence: int
    at_us: int
    facts: tuple[Fact, ...]
    digest: bytes


@short_repr
class SnapshotCell(msgspec.Struct, frozen=True, array_like=True):
    """The members that share a state and context: `members` is a serialised roaring bitmap."""

    state: str
    values: tuple[Any, ...]
    members: bytes


@short_repr
class Snapshot(msgspec.Struct, frozen=True):
    """All that the fold knows at `seq`, and nothing of any result.

    `lifecycle` is the digest of the version that its states and values are of, empty for that of
    `created`; so is it with `item_params`. Without `item_count` no items had been added to those
    that the job was created with.
    """

    format: int
    job_id: str
    seq: int
    fence: int
    digest: bytes
    created: JobCreated
    created_at_us: int
    updated_at_us: int
    phase: str
    context: dict[str, Any]
    variables: dict[str, Any]
    cells: list[SnapshotCell]
    owner: str | None
    orphaned: bool
    rewinds: list[tuple[int, int]]
    checkpoint: CheckpointTaken | None
    checkpoint_at_us: int
    rejected_count: int
    lifecycle: str = ""
    item_params: dict[str, Any] | None = None
    item_count: int | None = None
    fingerprint: str = ""
    spans: list[tuple[int, int]] = []
    unharmed: bool = False
