"""The SQLite store's tables: numbered steps, each of which takes a file one format further.

Rows of one job stand side by side: their id is `job << 40 | seq`, so that a log is one range of
one B-tree and appending to it touches one page.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["LAST", "NUMBERS", "SHIFT", "STEPS", "VERSION", "Step"]

SHIFT: Final = 40
LAST: Final = (1 << SHIFT) - 1
"""The largest seq, and the largest place: what is left of an id beside the job's number."""

NUMBERS: Final = (1 << (63 - SHIFT)) - 1
"""The largest number of a job: one store has that many in its life."""


class Step(NamedTuple):
    """What leads from the format before to `version`.

    `sql` is run in one transaction with the new version. `absent` is run, in the temporary
    schema, by those who read an older file and may not change it: it stands in for what the
    step adds.
    """

    version: int
    title: str
    sql: str
    absent: str = ""


_FIRST: Final = f"""
CREATE TABLE jobs (
    number        INTEGER PRIMARY KEY,
    job_id        TEXT NOT NULL UNIQUE,
    created_at_us INTEGER NOT NULL,
    lifecycle     TEXT NOT NULL           -- the digest of the one that the job runs by
) STRICT;

-- INV-FOLD: the state of a job is the fold of these rows, in order, and nothing else.
CREATE TABLE commits (
    id          INTEGER PRIMARY KEY,      -- job << {SHIFT} | seq
    fence       INTEGER NOT NULL,
    at_us       INTEGER NOT NULL,
    count       INTEGER NOT NULL,         -- events in it
    format      INTEGER NOT NULL,
    codec       TEXT NOT NULL,            -- of head and body: j JSON, z zstd of JSON
    head        BLOB NOT NULL,            -- the facts
    after       BLOB NOT NULL,            -- the tally: phase and items by state
    body        BLOB NOT NULL,            -- payloads that the fold never reads
    body_digest BLOB NOT NULL,
    digest      BLOB NOT NULL,            -- INV-CHAIN
    job         INTEGER GENERATED ALWAYS AS (id >> {SHIFT}) VIRTUAL,
    seq         INTEGER GENERATED ALWAYS AS (id & {LAST}) VIRTUAL,
    CHECK (id & {LAST} > 0)
) STRICT;

CREATE TRIGGER commits_follow BEFORE INSERT ON commits WHEN NEW.id & {LAST} > 1 BEGIN
    SELECT RAISE(ABORT, 'INV-GAPLESS, INV-FENCE')
    WHERE NOT EXISTS (SELECT 1 FROM commits WHERE id = NEW.id - 1 AND fence <= NEW.fence);
END;

CREATE TRIGGER commits_stay BEFORE UPDATE ON commits BEGIN
    SELECT RAISE(ABORT, 'a log is only ever appended to');
END;

CREATE TABLE inputs (
    id     INTEGER PRIMARY KEY,           -- job << {SHIFT} | first place
    count  INTEGER NOT NULL,
    codec  TEXT NOT NULL,
    keys   BLOB NOT NULL,
    "values" BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;

-- Derived: can be dropped and made anew from the log.
CREATE TABLE checkpoints (
    id       INTEGER PRIMARY KEY,         -- job << {SHIFT} | seq
    at_us    INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    chain    BLOB NOT NULL,               -- the digest of the commit that it stands on
    digest   BLOB NOT NULL,
    snapshot BLOB NOT NULL
) STRICT;

-- Until when a holder may be taken for alive; who holds which fence is in the log.
CREATE TABLE leases (
    job           INTEGER PRIMARY KEY,
    owner         TEXT NOT NULL,
    fence         INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL
) STRICT;
"""

_RETENTION_TABLES: Final = """
TABLE tombstones (
    number        INTEGER PRIMARY KEY,    -- that of the job; never given to another
    job_id        TEXT NOT NULL,
    deleted_at_us INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    erased        INTEGER NOT NULL        -- 0 while rows of the job are left
) STRICT;

TABLE retention (
    job       INTEGER PRIMARY KEY,
    for_us    INTEGER,                    -- after its newest commit; NULL for ever
    reason    TEXT NOT NULL,
    set_at_us INTEGER NOT NULL
) STRICT;
"""

_RETENTION: Final = f"""
{_RETENTION_TABLES.replace("TABLE ", "CREATE TABLE ")}
CREATE INDEX tombstones_by_id ON tombstones (job_id);
CREATE INDEX tombstones_left ON tombstones (number) WHERE erased = 0;

CREATE TRIGGER jobs_are_new BEFORE INSERT ON jobs BEGIN
    SELECT RAISE(ABORT, 'a number is never given to a second job')
    WHERE EXISTS (SELECT 1 FROM tombstones WHERE number = NEW.number)
       OR NEW.number <= (SELECT max(number) FROM tombstones)
          AND NOT EXISTS (  -- it was reserved before
              SELECT 1 FROM staged
              WHERE id BETWEEN NEW.number << {SHIFT} AND (NEW.number << {SHIFT}) + {LAST});
    SELECT RAISE(ABORT, 'every number for a job is taken: begin another store')
    WHERE NEW.number > {NUMBERS};
END;
"""

_RETENTION_ABSENT: Final = _RETENTION_TABLES.replace("TABLE ", "CREATE TEMP TABLE ")

_INTAKE: Final = f"""
-- Derived: can be dropped and made anew from the inputs.
CREATE TABLE key_segments (
    id      INTEGER PRIMARY KEY,          -- job << {SHIFT} | first place
    count   INTEGER NOT NULL,
    hashes  BLOB NOT NULL,                -- 8 bytes a key, ascending
    offsets BLOB NOT NULL,                -- 2 bytes a key: its place, less the first
    digest  BLOB NOT NULL
) STRICT;

-- Inputs that no commit speaks of yet; what is left of a writer that died is swept.
CREATE TABLE staged (
    id            INTEGER PRIMARY KEY,    -- job << {SHIFT} | first place; there may be no such job
    count         INTEGER NOT NULL,
    token         TEXT NOT NULL,          -- of its writer
    touched_at_us INTEGER NOT NULL
) STRICT;
"""

_INTAKE_ABSENT: Final = """
CREATE TEMP TABLE key_segments (id INTEGER PRIMARY KEY, count, hashes, offsets, digest);
CREATE TEMP TABLE staged (id INTEGER PRIMARY KEY, count, token, touched_at_us);
"""

STEPS: Final = (
    Step(1, "jobs, their logs and inputs, checkpoints and leases", _FIRST),
    Step(
        2,
        "tombstones of deleted jobs, how long jobs are kept; where keys are, inputs coming in",
        "\n".join((_RETENTION, _INTAKE)),
        "\n".join((_RETENTION_ABSENT, _INTAKE_ABSENT)),
    ),
)
"""Every format that there was, in order. A step that has been released is never changed."""

VERSION: Final = STEPS[-1].version
