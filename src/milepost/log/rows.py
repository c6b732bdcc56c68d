"""The rows that every store keeps: plain data that no store looks into."""

from __future__ import annotations

from typing import Final

import msgspec

from milepost.text.wording import short_repr

__all__ = [
    "GIVEN_BACK",
    "Block",
    "Erased",
    "FormatStep",
    "InputBlock",
    "KeySegment",
    "Quarantined",
    "Row",
    "Staged",
    "StoreFormat",
    "StoredCheckpoint",
    "StoredCheckpointSize",
    "StoredJob",
    "StoredKeep",
    "StoredLease",
    "StoredLifecycle",
    "StoredSizes",
    "StoredSpan",
    "Stray",
    "Tip",
    "Tombstone",
    "Vacuumed",
]


@short_repr
class StoredJob(msgspec.Struct, frozen=True):
    """A job's entry: `number` is the store's own, `job_id` the user's.

    `lifecycle` is the digest of the lifecycle that it runs by.
    """

    number: int
    job_id: str
    created_at_us: int
    lifecycle: str


@short_repr
class Row(msgspec.Struct, frozen=True):
    """One commit as stored. `codec` has a letter for head and body: `j` JSON, `z` zstd of JSON.

    That of the body may end in `+` and the name of the payload codec that it then passed through.

    `after` is the tally: where the job stood after the commit. A reader of heads may leave `body`
    empty; `body_digest` says what it must be.
    """

    seq: int
    fence: int
    at_us: int
    count: int
    format: int
    codec: str
    head: bytes
    after: bytes
    body: bytes
    body_digest: bytes
    digest: bytes


@short_repr
class Block(msgspec.Struct, frozen=True):
    """The rows from seq `first` to `last`, to be stored together; `digest` is that of the last.

    `heads` and `bodies` are as `milepost.log.blocks` makes them.
    """

    first: int
    last: int
    digest: bytes
    heads: bytes
    bodies: bytes


@short_repr
class Tip(msgspec.Struct, frozen=True):
    """A job and the newest row of its log."""

    job: StoredJob
    row: Row


@short_repr
class InputBlock(msgspec.Struct, frozen=True):
    """Items from place `first` on. `codec` has a letter for keys and values, as in a Row.

    A place counts all items that were ever stored for a job. It is the item's ordinal too, unless
    items that had been added were undone by a rewind, or others were being added meanwhile.
    """

    first: int
    count: int
    codec: str
    keys: bytes
    values: bytes
    digest: bytes


@short_repr
class KeySegment(msgspec.Struct, frozen=True):
    """Where the keys of the places from `first` on are, by their hashes. Derived from the blocks.

    `hashes` has 8 bytes a key, ascending, and `offsets` 2: the place of each, less `first`; both
    are little-endian. `digest` is of the two.
    """

    first: int
    count: int
    hashes: bytes
    offsets: bytes
    digest: bytes


@short_repr
class Staged(msgspec.Struct, frozen=True):
    """Places of the job `number` whose items no fact speaks of yet: their writer is still at it.

    `token` names the writer, `touched_at_us` is when it last wrote. The job may not exist yet.
    """

    number: int
    first: int
    count: int
    token: str
    touched_at_us: int


@short_repr
class StoredCheckpoint(msgspec.Struct, frozen=True):
    """A snapshot of the fold at `seq`; `chain` is the digest of the row that it stands on."""

    seq: int
    at_us: int
    reason: str
    chain: bytes
    digest: bytes
    snapshot: bytes


@short_repr
class StoredCheckpointSize(msgspec.Struct, frozen=True):
    """A checkpoint without its snapshot, and how many bytes that takes."""

    seq: int
    reason: str
    size_bytes: int


@short_repr
class StoredSpan(msgspec.Struct, frozen=True):
    """The index of the commits `first` to `last` of a log, and the state after them.

    Derived from the log. `index` is as `milepost.log.spans` makes it, under `digest`. The state is
    a snapshot as of a checkpoint, under a digest of its own; both are empty where none is kept.
    """

    first: int
    last: int
    digest: bytes
    index: bytes
    state_digest: bytes = b""
    state: bytes = b""


GIVEN_BACK: Final = -1
"""The `ttl_us` of a lease whose holder gave the job back, so that nobody looks for the holder."""


@short_repr
class StoredLease(msgspec.Struct, frozen=True):
    """The newest renewal by the holder of `fence`.

    `expires_at_us` is by its wall clock, for people. It had `ttl_us` from `renewed_us` on, by a
    steady time that is comparable within `timeline`; its process has the pid `pid` within
    `pid_scope`, and began at `pid_started`. None where that was not known, or not stored yet. One
    that was given back has a `ttl_us` of GIVEN_BACK, or what it had, by an earlier version.
    """

    owner: str
    fence: int
    expires_at_us: int
    ttl_us: int | None = None
    renewed_us: int | None = None
    timeline: str | None = None
    pid_scope: str | None = None
    pid: int | None = None
    pid_started: int | None = None

    def given_back(self) -> StoredLease:
        """This lease once its holder has given the job back: good for no time, and no one's."""
        return msgspec.structs.replace(self, ttl_us=GIVEN_BACK)


@short_repr
class FormatStep(msgspec.Struct, frozen=True):
    """The step of a store from the format before to `version`, with the `statements` it runs."""

    version: int
    title: str
    statements: str


@short_repr
class StoreFormat(msgspec.Struct, frozen=True):
    """The format that a store has, the newest that this code knows, and the steps between them.

    `script` is all of them as SQL that any client runs, for a store on a server; empty for others.
    """

    version: int
    newest: int
    pending: tuple[FormatStep, ...]
    script: str = ""


@short_repr
class Stray(msgspec.Struct, frozen=True):
    """Rows of the table `source` that name a job by `number` which has no entry."""

    number: int
    source: str
    count: int


@short_repr
class Quarantined(msgspec.Struct, frozen=True):
    """A row that a repair took out of its place; `content` is the whole of it, as JSON.

    `source` is the table that it was in, `key` its seq or first place there, -1 where its job
    is not known and `key` says nothing.
    """

    number: int
    at_us: int
    job_id: str
    source: str
    key: int
    reason: str
    content: bytes


@short_repr
class Tombstone(msgspec.Struct, frozen=True):
    """The note that a deleted job leaves; no other job ever gets its `number`.

    `erased` says that its rows are gone too; until then the next collector goes on with them.
    """

    number: int
    job_id: str
    deleted_at_us: int
    reason: str
    erased: bool


@short_repr
class StoredKeep(msgspec.Struct, frozen=True):
    """How long one job is kept after its newest commit, None for ever, and why."""

    for_us: int | None
    reason: str
    set_at_us: int


@short_repr
class StoredLifecycle(msgspec.Struct, frozen=True):
    """The description of a version of a lifecycle, for those who do not have its tables.

    `description` is JSON. No fold reads it.
    """

    digest: str
    name: str
    version: int
    description: bytes


@short_repr
class StoredSizes(msgspec.Struct, frozen=True):
    """How much of a job is stored, in rows and in bytes as they are stored.

    The `inputs` are the items, with those that are coming in; the `keys` say where keys are. The
    commits are counted with those that are in blocks. The `spans` are the index of the log, with
    the states along it.
    """

    inputs_rows: int
    inputs_bytes: int
    keys_rows: int
    keys_bytes: int
    commits: int
    heads_bytes: int
    bodies_bytes: int
    checkpoints: int
    checkpoints_bytes: int
    spans: int = 0
    spans_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All of it."""
        of_items = self.inputs_bytes + self.keys_bytes
        of_log = self.heads_bytes + self.bodies_bytes + self.spans_bytes
        return of_items + of_log + self.checkpoints_bytes


@short_repr
class Erased(msgspec.Struct, frozen=True):
    """How much one step of an erasure took away; `done` once nothing is left."""

    rows: int
    size_bytes: int
    done: bool


@short_repr
class Vacuumed(msgspec.Struct, frozen=True):
    """The outcome of a vacuum: the size of the file before and after, and the way it was done.

    `how` is `incremental`, `full` (the file was written anew) or `none`.
    """

    how: str
    before_bytes: int
    after_bytes: int
