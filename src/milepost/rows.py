"""The rows that every store keeps: plain data that no store looks into."""

from __future__ import annotations

import msgspec

__all__ = [
    "InputBlock",
    "KeySegment",
    "Row",
    "Staged",
    "StoredCheckpoint",
    "StoredJob",
    "StoredLease",
    "Tip",
]


class StoredJob(msgspec.Struct, frozen=True):
    """A job's entry: `number` is the store's own, `job_id` the user's.

    `lifecycle` is the digest of the lifecycle that it runs by.
    """

    number: int
    job_id: str
    created_at_us: int
    lifecycle: str


class Row(msgspec.Struct, frozen=True):
    """One commit as stored. `codec` has a letter for head and body: `j` JSON, `z` zstd of JSON.

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


class Tip(msgspec.Struct, frozen=True):
    """A job and the newest row of its log."""

    job: StoredJob
    row: Row


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


class Staged(msgspec.Struct, frozen=True):
    """Places of the job `number` whose items no fact speaks of yet: their writer is still at it.

    `token` names the writer, `touched_at_us` is when it last wrote. The job may not exist yet.
    """

    number: int
    first: int
    count: int
    token: str
    touched_at_us: int


class StoredCheckpoint(msgspec.Struct, frozen=True):
    """A snapshot of the fold at `seq`; `chain` is the digest of the row that it stands on."""

    seq: int
    at_us: int
    reason: str
    chain: bytes
    digest: bytes
    snapshot: bytes


class StoredLease(msgspec.Struct, frozen=True):
    """Until when the holder of `fence` may be taken for alive."""

    owner: str
    fence: int
    expires_at_us: int
