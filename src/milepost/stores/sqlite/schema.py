"""The SQLite store's tables: numbered steps, each of which takes a file one format further.

Rows of one job stand side by side: their id is `job << 40 | seq`, so that a log is one range of
one B-tree and appending to it touches one page.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from milepost.stores.sqlite.seals import FUNCTION

__all__ = ["LAST", "NUMBERS", "SCHEMA_DIGESTS", "SHIFT", "STEPS", "VERSION", "Step"]

SHIFT: Final = 40
LAST: Final = (1 << SHIFT) - 1
"""The largest seq, and the largest place: what is left of an id beside the job's number."""

NUMBERS: Final = (1 << (63 - SHIFT)) - 1
"""The largest number of a job: one store has that many in its life."""


class Step(NamedTuple):
    """The step from the format before to `version`.

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
    NULL AS ttl_us, NULL AS renewed_us, NULL AS timeline,
    NULL AS pid_scope, NULL AS pid, NULL AS pid_started,
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

_HOLDERS: Final = """
-- By what a holder is known to be alive: no wall clock says it, for that may be set.
ALTER TABLE leases ADD COLUMN ttl_us INTEGER;
ALTER TABLE leases ADD COLUMN renewed_us INTEGER;   -- when it last renewed, by a steady time
ALTER TABLE leases ADD COLUMN timeline TEXT;        -- what that time is comparable within
ALTER TABLE leases ADD COLUMN pid_scope TEXT;       -- what its pid is a name in
ALTER TABLE leases ADD COLUMN pid INTEGER;
ALTER TABLE leases ADD COLUMN pid_started INTEGER;  -- which tells a pid from the same one later
"""

# A file of the first format has this view already, of the step before.
_HOLDERS_ABSENT: Final = """
CREATE TEMP VIEW IF NOT EXISTS leases AS SELECT *,
    NULL AS ttl_us, NULL AS renewed_us, NULL AS timeline,
    NULL AS pid_scope, NULL AS pid, NULL AS pid_started FROM main.leases;
"""

_LIFECYCLES: Final = """
-- What the store tells of the lifecycles that its jobs run by, to those without their tables.
CREATE TABLE lifecycles (
    digest      TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    description BLOB NOT NULL,            -- JSON; no fold reads it
    seal        BLOB NOT NULL
) STRICT;
"""

_LIFECYCLES_ABSENT: Final = """
CREATE TEMP TABLE lifecycles (digest PRIMARY KEY, name, version, description, seal);
"""

_SPANS: Final = f"""
-- Derived: can be dropped and made anew from the log. Which commits hold which events of which
-- items, and the state after them.
CREATE TABLE spans (
    id           INTEGER PRIMARY KEY,     -- job << {SHIFT} | the seq of its last row
    first        INTEGER NOT NULL,        -- the seq of its first row
    digest       BLOB NOT NULL,
    "index"      BLOB NOT NULL,
    state_digest BLOB NOT NULL,
    state        BLOB NOT NULL            -- a snapshot; empty where none is kept
) STRICT;
"""

_SPANS_ABSENT: Final = """
CREATE TEMP TABLE spans (id INTEGER PRIMARY KEY, first, digest, "index", state_digest, state);
"""

STEPS: Final = (
    Step(1, "jobs, their logs and inputs, checkpoints and leases", _FIRST),
    Step(
        2,
        "blocks of rows; seals over what no log attests; a place for what is set aside; tombstones"
        " of deleted jobs, how long jobs are kept; where keys are, inputs coming in",
        sql="\n".join((_BLOCKS, _SEALS, _QUARANTINE, _RETENTION, _INTAKE)),
        absent="\n".join(
            (_NO_BLOCKS, _SEALS_ABSENT, _QUARANTINE_ABSENT, _RETENTION_ABSENT, _INTAKE_ABSENT)
        ),
    ),
    Step(3, "by what the holder of a lease is known to be alive", _HOLDERS, _HOLDERS_ABSENT),
    Step(
        4,
        "what is told of the lifecycles that jobs run by",
        _LIFECYCLES,
        _LIFECYCLES_ABSENT,
    ),
    Step(5, "an index of each log, and states along it", _SPANS, _SPANS_ABSENT),
)
"""Every format that there was, in order. A step that has been released is never changed."""

VERSION: Final = STEPS[-1].version

SCHEMA_DIGESTS: Final = {
    1: "37762a3dc41c60187aa4a00bc260df9a",
    2: "3c8fc9030ebced8f330515ac263862fa",
    3: "3ccda64a2e9345ef6dae46c8dee7807e",
    4: "faef8b6ac4018730faef4cf83d66b440",
    5: "fdae37ef43084ff59973f226ec114d92",
}
"""By format, the digest of what a new file says that it is made of: known without making one."""
