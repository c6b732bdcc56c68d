#!/bin/sh
# Packages   apsw 3.54.1.0 (SQLite 3.54.1) and pysqlite3-binary 0.5.4.post2 (SQLite 3.51.1)
# Question   An index is on an expression that turns a real into text. Is the file sound for another version of SQLite?
# Good guess Yes: CAST is deterministic, which is why SQLite lets it into an index.
# Behaviour  SQLite 3.51 writes 15 significant digits, 3.54 writes what reads back (17): '0.3' and '0.30000000000000004'. So
#            each version calls a file of the other damaged, and a look-up through the index misses the row. A unique index
#            takes 0.1 + 0.2 and 0.3 for one value in the old version and for two in the new.
# Why        Deterministic is a promise within one library, while the index outlives it.
# Seen       3.51.1 wrote ['0.3'], 3.54.1 reads ['row 1 missing from index i'], finds by the index [], by a scan [1]
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apsw==3.54.1.0 pysqlite3-binary==0.5.4.post2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import apsw
import pysqlite3

old = pysqlite3.connect("a.db")
old.execute("create table t(id integer primary key, v real)")
old.execute("create unique index i on t(cast(v as text))")
old.execute("insert into t(v) values (0.1 + 0.2)")
old.commit()
wrote = [row[0] for row in old.execute("select cast(v as text) from t")]
try:
    old.execute("insert into t(v) values (0.3)")
    refused = False
except pysqlite3.IntegrityError:
    refused = True
old.close()
new = apsw.Connection("a.db")
look = "select id from t {} where cast(v as text) = cast(0.1 + 0.2 as text)"
sound = [row[0] for row in new.execute("pragma integrity_check")]
found = [[row[0] for row in new.execute(look.format(how))] for how in ("indexed by i", "not indexed")]
fresh = apsw.Connection(":memory:")
fresh.execute("create table t(v real); create unique index i on t(cast(v as text))")
fresh.execute("insert into t values (0.1 + 0.2), (0.3)")
print(pysqlite3.sqlite_version, "wrote", wrote, apsw.sqlite_lib_version(), "reads", sound, "finds", *found)
assert refused and wrote == ["0.3"]
assert sound == ["row 1 missing from index i"] and found == [[], [1]]
EOF
