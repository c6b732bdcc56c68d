"""The PostgreSQL store's tables: numbered steps, each of which takes a schema one format further.

`$` before a name stands for the schema: nothing relies on a search path, which a pool of
connections between us and the server may not keep.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from milepost.stores.postgres.errors import MOVED

__all__ = ["NOW", "NUMBERS", "STEPS", "VERSION", "Step", "statement"]

NUMBERS: Final = (1 << 23) - 1
"""The largest number of a job: the same as of a store in a file, so that any job fits there."""

NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""The time by the server's clock, in microseconds since 1970."""

_NAMED: Final = re.compile(r"\$(?=[a-z])")


class Step(NamedTuple):
    """The step from the format before to `version`; `sql` is run in one transaction with it."""

    version: int
    title: str
    sql: str


@lru_cache(maxsize=4096)
def statement(schema: str, sql: str) -> bytes:
    """`sql` for the tables of `schema`, which is a plain name: it has been looked at."""
    return _NAMED.sub(f"{schema}.", sql).encode()


_FIRST: Final = f"""
CREATE TABLE $jobs (
    number        bigint PRIMARY KEY CHECK (number BETWEEN 1 AND {NUMBERS}),
    job_id        text COLLATE "C" NOT NULL UNIQUE,
    created_at_us bigint NOT NULL,
    lifecycle     text NOT NULL              -- the digest of the one that the job runs by
);

-- Numbers are never given to a second job.
CREATE SEQUENCE $numbers AS bigint MAXVALUE {NUMBERS};

-- INV-FOLD: the state of a job is the fold of these rows, in order, and nothing else.
CREATE TABLE $commits (
    job         bigint NOT NULL,
    seq         bigint NOT NULL CHECK (seq > 0),
    fence       bigint NOT NULL,
    at_us       bigint NOT NULL,
    count       bigint NOT NULL,             -- events in it
    format      bigint NOT NULL,
    codec       text NOT NULL,               -- of head and body: j JSON, z zstd of JSON
    head        bytea NOT NULL,              -- the facts
    after       bytea NOT NULL,              -- the tally: phase and items by state
    body        bytea NOT NULL,              -- payloads that the fold never reads
    body_digest bytea NOT NULL,
    digest      bytea NOT NULL,              -- INV-CHAIN
    PRIMARY KEY (job, seq)
);
-- They are compressed already, all that is worth it.
ALTER TABLE $commits ALTER COLUMN body SET STORAGE EXTERNAL;

-- The newest commit of each log: what an append follows, under the row's lock.
CREATE TABLE $tips (
    job    bigint PRIMARY KEY,
    seq    bigint NOT NULL,
    fence  bigint NOT NULL,
    digest bytea NOT NULL
) WITH (fillfactor = 50);

-- Its last value is the name of the store's content: every commit takes the next one.
CREATE SEQUENCE $changes AS bigint;
SELECT nextval('$changes');

CREATE TABLE $inputs (
    job      bigint NOT NULL,
    first    bigint NOT NULL,                -- the place of its first item
    count    bigint NOT NULL,
    codec    text NOT NULL,
    keys     bytea NOT NULL,
    "values" bytea NOT NULL,
    digest   bytea NOT NULL,
    PRIMARY KEY (job, first)
);

-- Derived: can be dropped and made anew from the inputs.
CREATE TABLE $key_segments (
    job     bigint NOT NULL,
    first   bigint NOT NULL,
    count   bigint NOT NULL,
    hashes  bytea NOT NULL,                  -- 8 bytes a key, ascending
    offsets bytea NOT NULL,                  -- 2 bytes a key: its place, less the first
    digest  bytea NOT NULL,
    PRIMARY KEY (job, first)
);

-- Inputs that no commit speaks of yet; what is left of a writer that died is swept.
CREATE TABLE $staged (
    job           bigint NOT NULL,           -- there may be no such job
    first         bigint NOT NULL,
    count         bigint NOT NULL,
    token         text NOT NULL,             -- of its writer
    touched_at_us bigint NOT NULL,
    PRIMARY KEY (job, first)
);

-- Derived: can be dropped and made anew from the log.
CREATE TABLE $checkpoints (
    job      bigint NOT NULL,
    seq      bigint NOT NULL,
    at_us    bigint NOT NULL,
    reason   text NOT NULL,
    chain    bytea NOT NULL,                 -- the digest of the commit that it stands on
    digest   bytea NOT NULL,
    snapshot bytea NOT NULL,
    PRIMARY KEY (job, seq)
);

-- Derived: which commits hold which events of which items, and the state after them.
CREATE TABLE $spans (
    job          bigint NOT NULL,
    last         bigint NOT NULL,            -- the seq of its last row
    first        bigint NOT NULL,
    digest       bytea NOT NULL,
    "index"      bytea NOT NULL,
    state_digest bytea NOT NULL,
    state        bytea NOT NULL,             -- a snapshot; empty where none is kept
    PRIMARY KEY (job, last)
);

-- By what a holder may be taken for alive; who holds which fence is in the log.
CREATE TABLE $leases (
    job           bigint PRIMARY KEY,
    owner         text NOT NULL,
    fence         bigint NOT NULL,
    expires_at_us bigint NOT NULL,
    ttl_us        bigint,
    renewed_us    bigint,
    timeline      text,
    pid_scope     text,
    pid           bigint,
    pid_started   bigint
);

CREATE TABLE $retention (
    job       bigint PRIMARY KEY,
    for_us    numeric(20),                   -- after its newest commit; NULL for ever
    reason    text NOT NULL,
    set_at_us bigint NOT NULL
);

CREATE TABLE $tombstones (
    number        bigint PRIMARY KEY,        -- that of the job; never given to another
    job_id        text COLLATE "C" NOT NULL,
    deleted_at_us bigint NOT NULL,
    reason        text NOT NULL,
    erased        boolean NOT NULL           -- false while rows of the job are left
);
CREATE INDEX ON $tombstones (job_id);
CREATE INDEX ON $tombstones (number) WHERE NOT erased;

-- What a repair took out of its place: the whole of each row, never read but to be shown.
CREATE TABLE $quarantine (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_us   bigint NOT NULL,
    job_id  text NOT NULL,
    source  text NOT NULL,                   -- the table that it was in
    key     bigint NOT NULL,                 -- its seq or first place there
    reason  text NOT NULL,
    content bytea NOT NULL                   -- its columns as JSON, bytes in base64
);

-- What the store tells of the lifecycles that its jobs run by, to those without their tables.
CREATE TABLE $lifecycles (
    digest      text PRIMARY KEY,
    name        text NOT NULL,
    version     bigint NOT NULL,
    description bytea NOT NULL               -- JSON; no fold reads it
);

-- One statement, one commit: the rows that follow `seqs` and `digests` in the logs of `jobs`, in
-- order of those; where a row's digest is NULL the log is only to be as the writer believed. All
-- of it or nothing. A row of `tips` that is not so is the error {MOVED}: others wrote meanwhile.
CREATE FUNCTION $append(
    durable text, patience text, jobs bigint[], seqs bigint[], digests bytea[],
    fences bigint[], ats bigint[], counts bigint[], formats bigint[], codecs text[],
    heads bytea[], afters bytea[], bodies bytea[], body_digests bytea[], new_digests bytea[]
) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', durable, true),
            set_config('lock_timeout', patience, true);
    FOR i IN 1 .. cardinality(jobs) LOOP
        IF new_digests[i] IS NULL THEN
            PERFORM 1 FROM $tips
            WHERE job = jobs[i] AND seq = seqs[i] AND digest = digests[i] FOR SHARE;
        ELSE
            UPDATE $tips SET seq = seqs[i] + 1, fence = fences[i], digest = new_digests[i]
            WHERE job = jobs[i] AND seq = seqs[i] AND digest = digests[i] AND fence <= fences[i];
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the log of the job numbered % has moved on', jobs[i]
            USING ERRCODE = '{MOVED}';
        END IF;
        IF new_digests[i] IS NOT NULL THEN
            INSERT INTO $commits VALUES (
                jobs[i], seqs[i] + 1, fences[i], ats[i], counts[i], formats[i], codecs[i],
                heads[i], afters[i], bodies[i], body_digests[i], new_digests[i]
            );
        END IF;
    END LOOP;
    PERFORM nextval('$changes');
    RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
END
$$;
"""

# What most commits are: one row of one job. As `append`, without lists to take apart. A session
# that is ours alone has these settings already; one that a pooler lends is given them.
_SECOND: Final = f"""
CREATE FUNCTION $append_one(
    durable text, patience text, one bigint, after_seq bigint, after_digest bytea,
    fence bigint, at_us bigint, count bigint, format bigint, codec text,
    head bytea, after bytea, body bytea, body_digest bytea, new_digest bytea
) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('synchronous_commit') <> durable THEN
        PERFORM set_config('synchronous_commit', durable, true);
    END IF;
    IF current_setting('lock_timeout') <> patience THEN
        PERFORM set_config('lock_timeout', patience, true);
    END IF;
    UPDATE $tips AS tip
    SET seq = after_seq + 1, fence = append_one.fence, digest = new_digest
    WHERE tip.job = one AND tip.seq = after_seq AND tip.digest = after_digest
      AND tip.fence <= append_one.fence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the log of the job numbered % has moved on', one
        USING ERRCODE = '{MOVED}';
    END IF;
    INSERT INTO $commits VALUES (
        one, after_seq + 1, fence, at_us, count, format, codec, head, after, body, body_digest,
        new_digest
    );
    PERFORM nextval('$changes');
    RETURN {NOW};
END
$$;
"""

STEPS: Final = (
    Step(1, "jobs, their logs and inputs, and all that is kept beside them", _FIRST),
    Step(2, "an append of one row that takes no lists", _SECOND),
)
"""Every format that there was, in order. A step that has been released is never changed."""

VERSION: Final = STEPS[-1].version
