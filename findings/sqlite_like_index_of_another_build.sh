#!/bin/sh
# Packages   apsw 3.54.1.0 and pysqlite3-binary 0.5.4.post2 (two builds of SQLite that pip installs)
# Question   One writes a file that has a partial index, the other reads it. Do they agree?
# Good guess Yes: the file format is the same, and LIKE is defined by the SQL.
# Behaviour  The wheel of apsw is built with LIKE_DOESNT_MATCH_BLOBS, the other is not. A blob is outside the index
#            WHERE v LIKE 'a%' for the one and inside it for the other. The second build calls the healthy file damaged, and
#            its own answer depends on whether it uses the index.
# Why        The bytes of the file say what the index holds, but a compile-time option of the library says what it should.
# Seen       apsw ['ok'] [1]; pysqlite3 ['row 2 missing from index i'] indexed [1], by a scan [1, 2]
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apsw==3.54.1.0 pysqlite3-binary==0.5.4.post2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import apsw
import pysqlite3

with_index = "select id from t where v like 'a%'"
writer = apsw.Connection("a.db")
writer.execute("create table t(id integer primary key, v); create index i on t(v) where v like 'a%'")
writer.execute("insert into t(v) values ('ab'), (x'6162')")
mine = [[row[0] for row in writer.execute(sql)] for sql in ("pragma integrity_check", with_index)]
writer.close()
reader = pysqlite3.connect("a.db")
theirs = [
    [row[0] for row in reader.execute(sql)]
    for sql in ("pragma integrity_check", with_index, with_index.replace("from t", "from t not indexed"))
]
print("apsw", *mine, "; pysqlite3", *theirs)
assert mine == [["ok"], [1]]
assert theirs == [["row 2 missing from index i"], [1], [1, 2]]
EOF
