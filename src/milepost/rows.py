"""The rows that every store keeps: plain data that no store looks into."""

from __future__ import annotations

import msgspec

__all__ = [
    "Block",
    "FormatStep",
    "InputBlock",
    "Quarantined",
    "Row",
    "StoreFormat",
    "StoredCheckpoint",
    "StoredJob",
    "StoredLease",
    "Stray",
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


class Block(msgspec.Struct, frozen=True):
    """The rows from seq `first` to `last`, to be stored together; `digest` is that of the last.

    `heads` and `bodies` are as `milepost.blocks` makes them.
    """

    first: int
    last: int
    digest: bytes
    heads: bytes
    bodies: bytes


class Tip(msgspec.Struct, frozen=True):
    """A job and the newest row of its log."""

    job: StoredJob
    row: Row


class InputBlock(msgspec.Struct, frozen=True):
    """Items from ordinal `first` on. `codec` is for keys and values, as in a Row."""

    first: int
    count: int
    codec: str
    keys: bytes
    values: bytes
    digest: bytes


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


class FormatStep(msgspec.Struct, frozen=True):
    """What leads a store from the format before to `version`; `statements` is what it runs."""

    version: int
    title: str
    statements: str


class StoreFormat(msgspec.Struct, frozen=True):
    """The format that a store has, the newest that this code knows, and the steps between them."""

    version: int
    newest: int
    pending: tuple[FormatStep, ...]


class Stray(msgspec.Struct, frozen=True):
    """Rows of the table `source` that say they are of job `number`, of which there is no entry."""

    number: int
    source: str
    count: int


class Quarantined(msgspec.Struct, frozen=True):
    """A row that a repair took out of its place; `content` is the whole of it, as JSON.

    `source` is the table that it was in, `key` its seq or first ordinal there, -1 where its job
    is not known and `key` says nothing.
    """

    number: int
    at_us: int
    job_id: str
    source: str
    key: int
    reason: str
    content: bytes
