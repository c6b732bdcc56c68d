#!/bin/sh
# Packages   psycopg[binary] 3.3.9; PostgreSQL 15.18 (Debian 15.18-0+deb12u1)
# Question   Autocommit, pipeline mode: INSERT ... RETURNING, its row is fetched, then another statement fails. Is the row kept?
# Good guess Yes. Autocommit commits each statement, and a result that has arrived is that of a finished statement.
# Behaviour  No. The row was shown and is gone. All since the last sync is one implicit transaction, and a fetch only flushes; it is not
#            a sync. A `with connection.transaction()` block inside the pipeline commits, with itself, the bare
#            statements before it, and none after it. So does pipeline.sync().
# Why        The commit belongs to the Sync message of the protocol and not to the statement. What was fetched is not acknowledged.
# Seen       fetched ['a'], kept []; with sync kept ['b']; around a block kept ['before', 'inside']
set -eu
work=$(mktemp -d)
trap 'if [ -s "$work/pg/postmaster.pid" ]; then as_user pg_ctl -D "$work/pg" -m immediate stop >/dev/null; fi; rm -rf "$work"' EXIT
as_user() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'psycopg[binary]==3.3.9'
cd "$work"
chmod 711 "$work"
mkdir pg
if [ "$(id -u)" = 0 ]; then chown nobody pg; fi
as_user initdb -D "$work/pg" -A trust -U tester -N >/dev/null
as_user pg_ctl -D "$work/pg" -w -l "$work/pg/log" -o "-c listen_addresses='' -c unix_socket_directories=$work/pg" start >/dev/null
"$work/venv/bin/python" - "$work/pg" <<'EOF'
import sys
import psycopg

connection = psycopg.connect(host=sys.argv[1], user="tester", dbname="postgres", autocommit=True)
connection.execute("create table t (name text)")


def kept():
    names = [name for name, in connection.execute("select name from t order by name")]
    connection.execute("truncate t")
    return names


def add(name):
    return connection.execute("insert into t values (%s) returning name", (name,)).fetchone()


def failing(*steps):
    try:
        with connection.pipeline() as pipeline:
            for step in steps:
                step(pipeline)
            connection.execute("select 1 / 0")
    except psycopg.errors.DivisionByZero:
        return kept()


def block(_):
    with connection.transaction():
        connection.execute("insert into t values ('inside')")


shown = []
plain = failing(lambda _: shown.extend(add("a")))
synced = failing(lambda _: add("b"), lambda pipeline: pipeline.sync())
around = failing(lambda _: add("before"), block, lambda _: add("later"))
print("fetched", shown, "kept", plain, "with sync kept", synced, "around a block kept", around)
assert (shown, plain, synced, around) == (["a"], [], ["b"], ["before", "inside"])
EOF
