#!/bin/sh
# Package    apsw 3.54.1.0 (SQLite 3.54.1)
# Question   No transaction is open. A cursor of INSERT ... RETURNING was read for one row and is still around. Is the next INSERT on the
#            same connection durable once it has returned?
# Good guess Yes: in autocommit mode a statement that is done is committed. in_transaction says False, and no error comes.
# Behaviour  No. It is committed when the other cursor is exhausted or closed, whenever that is. Till then other connections see neither
#            insert, the write lock stays taken, and a process that ends there loses rows for which execute() had returned.
#            A half-read SELECT holds back nothing.
# Why        SQLite commits in autocommit when the last WRITING statement of the connection ends, and a RETURNING statement is one
#            until its last row is fetched, though all its rows were inserted at the first.
# Seen       beside a SELECT [1], beside RETURNING [1] in_transaction False, lock taken True, after close [1, 2, 3, 4]; killed [1]
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apsw==3.54.1.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import os
import apsw


def rows(name):
    return [row[0] for row in apsw.Connection(name).execute("select x from t")]


def half_read(name):
    connection = apsw.Connection(name)
    connection.pragma("journal_mode", "wal")
    connection.execute("create table t(x)")
    reading = connection.execute("values (1), (2)")
    next(reading)
    connection.execute("insert into t values (1)")
    beside_select = rows(name)
    writing = connection.execute("insert into t values (2), (3) returning x")
    next(writing)
    connection.execute("insert into t values (4)")
    return connection, writing, beside_select


connection, writing, beside_select = half_read("a.db")
beside_returning, inside = rows("a.db"), connection.in_transaction
try:
    apsw.Connection("a.db").execute("begin immediate")
    locked = False
except apsw.BusyError:
    locked = True
writing.close()
closed = rows("a.db")
child = os.fork()
if not child:
    kept = half_read("b.db")
    os.kill(os.getpid(), 9)
os.waitpid(child, 0)
killed = rows("b.db")
print("SELECT", beside_select, "RETURNING", beside_returning, inside, locked, "closed", closed, "killed", killed)
assert (beside_select, beside_returning, inside, locked) == ([1], [1], False, True)
assert closed == [1, 2, 3, 4] and killed == [1]
EOF
