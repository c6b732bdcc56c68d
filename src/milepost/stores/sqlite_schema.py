"""The SQLite store's tables: numbered steps, each of which takes a file one format further.

Rows of one job stand side by side: their id is `job << 40 | seq`, so that a log is one range of
one B-tree and appending to it touches one page.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from milepost.stores.sqlite_seals import FUNCTION

__all__ = ["LAST", "SHIFT", "STEPS", "VERSION", "Step"]

SHIFT: Final = 40
LAST: Final = (1 << SHIFT) - 1
"""The largest seq, and the largest ordinal: what is left of an id beside the job's number."""


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
    id     INTEGER PRIMARY KEY,           -- job << {SHIFT} | first ordinal
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

# Rows of a log that are stored together. A row stands in one place: here, or in commits.
_BLOCKS: Final = f"""
CREATE TABLE blocks (
    id     INTEGER PRIMARY KEY,           -- job << {SHIFT} | the seq of its first row
    last   INTEGER NOT NULL,              -- the seq of its last row
    heads  BLOB NOT NULL,                 -- zstd: the rows but for their bodies
    bodies BLOB NOT NULL,                 -- zstd: the bodies, apart, so that heads are read alone
    CHECK (last >= id & {LAST} AND id & {LAST} > 0)
) STRICT;

DROP TRIGGER commits_follow;
CREATE TRIGGER commits_follow BEFORE INSERT ON commits WHEN NEW.id & {LAST} > 1 BEGIN
    SELECT RAISE(ABORT, 'INV-GAPLESS, INV-FENCE')
    WHERE NOT EXISTS (SELECT 1 FROM commits WHERE id = NEW.id - 1 AND fence <= NEW.fence)
    AND NOT EXISTS (
        SELECT 1 FROM blocks
        WHERE id BETWEEN NEW.id >> {SHIFT} << {SHIFT} AND NEW.id - 1
        AND last = (NEW.id - 1) & {LAST}
    );
END;
"""

_NO_BLOCKS: Final = (
    "CREATE TEMP TABLE blocks (id INTEGER PRIMARY KEY, last INTEGER, heads BLOB, bodies BLOB);"
)

_SEALS: Final = f"""
-- Derived: of each row, the digest of its other columns, so that a changed one is not believed.
ALTER TABLE jobs ADD COLUMN seal BLOB NOT NULL DEFAULT x'';
ALTER TABLE inputs ADD COLUMN seal BLOB NOT NULL DEFAULT x'';
ALTER TABLE leases ADD COLUMN seal BLOB NOT NULL DEFAULT x'';
UPDATE jobs SET seal = {FUNCTION}(number, job_id, created_at_us, lifecycle);
UPDATE inputs SET seal = {FUNCTION}(id, count, codec, digest);
UPDATE leases SET seal = {FUNCTION}(job, owner, fence, expires_at_us);

-- Derived: which commit is the newest of each log, so that one that was lost is missed.
CREATE TABLE tips (
    job    INTEGER PRIMARY KEY,
    seq    INTEGER NOT NULL,
    digest BLOB NOT NULL,                 -- of that commit
    seal   BLOB NOT NULL                  -- of what a listing shows of it
) STRICT;

INSERT INTO tips SELECT number, id & {LAST}, digest,
    {FUNCTION}(number, id & {LAST}, fence, at_us, after, digest)
FROM jobs JOIN commits ON id = (SELECT max(id) FROM commits
    WHERE id BETWEEN number << {SHIFT} AND (number << {SHIFT}) + {LAST});
"""

_SEALS_ABSENT: Final = f"""
CREATE TEMP VIEW jobs AS SELECT *,
    {FUNCTION}(number, job_id, created_at_us, lifecycle) AS seal FROM main.jobs;
CREATE TEMP VIEW inputs AS SELECT *, {FUNCTION}(id, count, codec, digest) AS seal FROM main.inputs;
CREATE TEMP VIEW leases AS SELECT *,
    {FUNCTION}(job, owner, fence, expires_at_us) AS seal FROM main.leases;
CREATE TEMP VIEW tips AS SELECT number AS job, id & {LAST} AS seq, digest,
    {FUNCTION}(number, id & {LAST}, fence, at_us, after, digest) AS seal
FROM main.jobs JOIN main.commits ON id = (SELECT max(id) FROM main.commits
    WHERE id BETWEEN number << {SHIFT} AND (number << {SHIFT}) + {LAST});
"""

_QUARANTINE: Final = """
-- What a repair took out of its place: the whole of each row, never read but to be shown.
CREATE TABLE quarantine (
    number  INTEGER PRIMARY KEY,
    at_us   INTEGER NOT NULL,
    job_id  TEXT NOT NULL,
    source  TEXT NOT NULL,                -- the table that it was in
    id      INTEGER NOT NULL,             -- its id there
    reason  TEXT NOT NULL,
    content TEXT NOT NULL                 -- its columns as JSON, bytes in base64
) STRICT;
"""

_QUARANTINE_ABSENT: Final = """
CREATE TEMP TABLE quarantine (
    number INTEGER PRIMARY KEY, at_us, job_id, source, id, reason, content
);
"""

STEPS: Final = (
    Step(1, "jobs, their logs and inputs, checkpoints and leases", _FIRST),
    Step(
        2,
        "blocks of rows; seals over what no log attests; a place for what is set aside",
        sql="\n".join((_BLOCKS, _SEALS, _QUARANTINE)),
        absent="\n".join((_NO_BLOCKS, _SEALS_ABSENT, _QUARANTINE_ABSENT)),
    ),
)
"""Every format that there was, in order. A step that has been released is never changed."""

VERSION: Final = STEPS[-1].version
