#!/bin/sh
# Package    apsw 3.54.1.0 (the session extension of SQLite 3.54.1)
# Question   Two databases have one schema, every table with a primary key. One is kept like the other by changesets. Are they the same?
# Good guess Yes. What triggers wrote is in the changeset, marked as indirect, so applying it will not run them again.
# Behaviour  Triggers run at the target as well, before the change that they once made arrives. So an account that a trigger adds
#            to is changed twice over: the second change meets a DATA conflict, and a handler that omits conflicts leaves a wrong sum.
#            And what cancelled out within the session never arrives, so the target's AUTOINCREMENT gives out an id that the source has
#            used already: rows that never meant to be the same have the same key.
# Why        A changeset is the difference of two states by primary key. Both side effects are no part of that difference.
# Seen       conflicts [('sums', 'UPDATE', 'DATA')], sums 130 and 110, next ids 3 and 2
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apsw==3.54.1.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import apsw

source, target = apsw.Connection("source.db"), apsw.Connection("target.db")
for connection in (source, target):
    connection.execute("""
        create table paid(id integer primary key autoincrement, amount);
        create table sums(id integer primary key, total);
        insert into sums values (1, 100);
        create trigger adds after insert on paid begin update sums set total = total + new.amount; end
    """)
session = apsw.Session(source, "main")
session.attach()
source.execute("insert into paid(amount) values (10), (20); delete from paid where amount = 20")
changes = session.changeset()
marks = {change.name: change.indirect for change in apsw.Changeset.iter(changes)}
conflicts = []


def omit(reason, change):
    names = {apsw.SQLITE_CHANGESET_DATA: "DATA"}
    conflicts.append((change.name, change.op, names.get(reason, reason)))
    return apsw.SQLITE_CHANGESET_OMIT


apsw.Changeset.apply(changes, target, conflict=omit)
both = [
    (
        connection.execute("select total from sums").get,
        connection.execute("insert into paid(amount) values (0) returning id").get,
    )
    for connection in (source, target)
]
print("conflicts", conflicts, "marks", marks, "sum and next id", both)
assert marks == {"paid": False, "sums": True}
assert conflicts == [("sums", "UPDATE", "DATA")]
assert both == [(130, 3), (110, 2)]
EOF
