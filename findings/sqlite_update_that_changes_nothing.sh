#!/bin/sh
# Package    apsw 3.54.1.0 (SQLite 3.54.1)
# Question   A process polls PRAGMA data_version to learn whether another process committed. Which commits move it?
# Good guess Every commit of a statement that changed rows moves it, and a transaction that took all back moves nothing.
# Behaviour  The reverse. UPDATE t SET x = x reports its rows (changes(), update hook, commit hook), yet no page differs, so
#            nothing is written: the -wal keeps its size and data_version stands still. With an index on the column the same
#            statement is written. A transaction that rolls all its changes back to a savepoint and then commits is written
#            too: the pages had been touched.
# Why        SQLite compares the cell before it overwrites it, but never compares index entries, and a savepoint restores the
#            content of a page without making the page clean again.
# Seen       {'x = x': (2, ['update', 'update', 'commit'], 0, False),
#             'u = u': (2, ['update', 'update', 'commit'], True, True),
#             'undone': (2, ['update', 'update', 'commit'], True, True)}
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apsw==3.54.1.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import os
import apsw

writer, other = apsw.Connection("a.db"), apsw.Connection("a.db")
writer.pragma("journal_mode", "wal")
writer.execute("create table t(id integer primary key, x, u unique); insert into t values (1, 1, 1), (2, 2, 2)")
hooks = []
writer.set_update_hook(lambda *_: hooks.append("update"))
writer.set_commit_hook(lambda: bool(hooks.append("commit")))
seen = {}
for name, sql in {
    "x = x": "update t set x = x",
    "u = u": "update t set u = u",
    "undone": "begin; savepoint s; update t set x = 99; rollback to s; release s; commit",
}.items():
    hooks.clear()
    size, version = os.path.getsize("a.db-wal"), other.pragma("data_version")
    writer.execute(sql)
    grew = os.path.getsize("a.db-wal") - size
    seen[name] = (writer.changes(), list(hooks), grew and grew > 0, other.pragma("data_version") != version)
print(seen)
hook = ["update", "update", "commit"]
assert seen == {"x = x": (2, hook, 0, False), "u = u": (2, hook, True, True), "undone": (2, hook, True, True)}
EOF
