#!/bin/sh
# Package    polars 2.1.0, adbc-driver-sqlite 1.13.0, connectorx 0.4.6, pyarrow 26.0.1, SQLite of Python 3.11
# Question   A column of durations in seconds: whole numbers in the first 100 rows, 2.75 and 0.5 further down. What does
#            polars.read_database(query, sqlite3 connection) give for these two?
# Good guess 2.75 and 0.5 in a column of floats, or an error that names the row: text further down is one ("could not append
#            value"), and both other readers of the same file refuse a float there.
# Behaviour  2 and 0, in a column of integers, without a word; sums and means are wrong. Among the first 100 rows one float makes
#            all of them floats, so a small sample reads right. infer_schema_length=None reads right as well.
# Why        The type is taken from the first 100 rows, and rows after them are put into a builder of that type, which takes a float
#            for an integer by cutting it. SQLite gives each value its own type, so that no driver says a type beforehand.
# Seen       polars: Int64 2 0; all rows looked at: Float64 2.75 0.5; 40 rows before: Float64 2.75 0.5; text: ComputeError;
#            adbc: Type mismatch; connectorx: Invalid column type Real
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q polars==2.1.0 adbc-driver-manager==1.13.0 adbc-driver-sqlite==1.13.0 connectorx==0.4.6 pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import sqlite3

import adbc_driver_sqlite.dbapi
import connectorx
import polars

QUERY = "SELECT took_s FROM runs ORDER BY id"


def written(name, values):
    connection = sqlite3.connect(name)
    connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, took_s NUMERIC)")
    connection.executemany("INSERT INTO runs (took_s) VALUES (?)", [(value,) for value in values])
    connection.commit()
    return connection


def refusal(read):
    try:
        read()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return "nothing"


def by_adbc():
    with adbc_driver_sqlite.dbapi.connect("late.db") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT took_s FROM runs ORDER BY id LIMIT 3000")
        cursor.fetch_arrow_table()


def last(frame):
    return str(frame.schema["took_s"]), frame["took_s"].to_list()[-2:]


late = written("late.db", [*range(1, 2001), 2.75, 0.5])
cut = last(polars.read_database(QUERY, late))
whole = last(polars.read_database(QUERY, late, infer_schema_length=None))
early = last(polars.read_database(QUERY, written("early.db", [*range(1, 41), 2.75, 0.5])))
print("polars", *cut, "all rows looked at", *whole, "40 rows before", *early)
assert cut == ("Int64", [2, 0])
assert whole == early == ("Float64", [2.75, 0.5])

texts = written("texts.db", [*range(1, 2001), "unknown"])
said = {
    "text": refusal(lambda: polars.read_database(QUERY, texts)),
    "adbc": refusal(by_adbc),
    "connectorx": refusal(lambda: connectorx.read_sql("sqlite://late.db", QUERY, return_type="arrow")),
}
print(said)
assert said["text"].startswith("ComputeError: could not append value")
assert "Type mismatch" in said["adbc"] and "DOUBLE" in said["adbc"]
assert "Invalid column type Real" in said["connectorx"]
EOF
