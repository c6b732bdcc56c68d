#!/bin/sh
# Package    tinydb 4.9.0, Python 3.11
# Question   The newest document is removed and another one inserted. Other files refer to documents by doc_id. Can the new one
#            get the id of the removed one?
# Good guess No: ids count upwards, as the next insert shows; or always, since the next id is one more than the highest.
# Behaviour  It depends on whether the file was opened anew between. In one process ids go on counting. Once it is opened again
#            the next document has the id of the one that was removed last.
# Why        The table keeps its next id in memory after its first insert. It is not in the file, so an open looks for the highest
#            id of what is left.
# Seen       removed 2, inserted 3; removed 3, opened again, inserted 2
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tinydb==4.9.0
cd "$work"
cat > main.py <<'EOF'
from tinydb import TinyDB

database = TinyDB("jobs.json")
assert database.insert_multiple([{"job": "a"}, {"job": "b"}]) == [1, 2]
database.remove(doc_ids=[2])
same = database.insert({"job": "c"})
print("in the same process: removed 2, inserted", same)
assert same == 3

database.remove(doc_ids=[3])
database.close()
opened = TinyDB("jobs.json").insert({"job": "d"})
print("opened again: removed 3, inserted", opened)
assert opened == 2
EOF
"$work/venv/bin/python" main.py
