#!/bin/sh
# Package    burr 0.42.0 (SQLitePersister), Python 3.11, SQLite of that Python
# Question   Two apps of one partition write their steps. load(partition, app_id=None) is documented to give the latest: of which
#            app, and which of its steps?
# Good guess The last step of the app that wrote last: with an app's id the persister goes by sequence numbers, and the file has
#            rows in the order in which they were written.
# Behaviour  Of rows of one second it gives the first that was written: an app resumes from the very first step of the oldest app,
#            and calls again all that was paid for since. Steps a second apart come out as guessed, so a test by hand sees nothing.
# Why        Without an app's id the query orders by created_at alone, which SQLite fills with CURRENT_TIMESTAMP, whole seconds; the
#            index on it gives equal ones in the order of their rows.
# Seen       with the id: one 3, two 102; without: one 1. A second later: two 103
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q burr==0.42.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import sqlite3
import time

from burr.core import State
from burr.core.persistence import SQLitePersister

persister = SQLitePersister(db_path="burr.db", table_name="steps")
persister.initialize()


SECONDS = "SELECT count(DISTINCT created_at) FROM steps WHERE partition_key = ?"


def steps(app_id, values, first=0):
    for number, value in enumerate(values, first):
        persister.save(partition, app_id, number, "count", State({"n": value}), "completed")


def newest(app_id):
    found = persister.load(partition, app_id)
    return found["app_id"], found["state"]["n"]


for number in range(100):  # until five small writes fall into one second
    partition = f"partition {number}"
    steps("one", [1, 2, 3])
    steps("two", [101, 102])
    if sqlite3.connect("burr.db").execute(SECONDS, (partition,)).fetchone() == (1,):
        break
print("with the id", newest("one"), newest("two"), "without", newest(None))
assert (newest("one"), newest("two")) == (("one", 3), ("two", 102))
assert newest(None) == ("one", 1)

time.sleep(1.1)
steps("two", [103], first=2)
print("a second later", newest(None))
assert newest(None) == ("two", 103)
EOF
