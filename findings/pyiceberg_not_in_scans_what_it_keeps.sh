#!/bin/sh
# Package    pyiceberg 0.12.0 (SQL catalog), pyarrow 26.0.1
# Question   The column v holds 'a', null, 'b'. Which rows does a scan with "v not in ('a', 'z')" give, and which does delete() with
#            the same words remove?
# Good guess The same ones, as long as nobody writes in between; and a value more that no row has, 'z', changes neither.
# Behaviour  With two values the scan gives the null row and delete() keeps it: "read what matches, then delete what matches" leaves
#            a row behind that will be read again each time. With one value the scan leaves the null row out, so the answer turns on
#            how many values a program happened to put into the list. "not (v in ...)" goes with the list, "!= and !=" does not.
# Why        A list of one is rewritten to "!=". A list of two becomes pyarrow's "not is_in", which is true of null in a scan; delete()
#            keeps what its complement finds, and there "is null" is added, unless the words speak of null.
# Seen       scan one [3], two [2, 3]; kept by delete one [1, 2], two [1, 2]
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pyiceberg[sql-sqlite]==0.12.0" pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

catalog = SqlCatalog("own", uri="sqlite:///catalog.db", warehouse=Path("tables").absolute().as_uri())
catalog.create_namespace("own")
ROWS = pa.table({"id": [1, 2, 3], "v": ["a", None, "b"]})


def ids(table, **asked):
    return sorted(table.scan(**asked).to_arrow()["id"].to_pylist())


def tried(name, words):
    table = catalog.create_table(f"own.{name}", ROWS.schema)
    table.append(ROWS)
    found = ids(table, row_filter=words)
    table.delete(words)
    return found, ids(table)


one = tried("one", "v not in ('a')")
two = tried("two", "v not in ('a', 'z')")
print("scan one", one[0], "two", two[0], "kept by delete one", one[1], "two", two[1])
assert one == ([3], [1, 2])
assert two == ([2, 3], [1, 2])
assert tried("negated", "not (v in ('a', 'z'))") == two
assert tried("apart", "v != 'a' and v != 'z'") == one
EOF
