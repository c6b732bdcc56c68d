#!/bin/sh
# Package    deltalake 1.6.6, pyarrow 26.0.1, Python 3.11
# Question   A table is partitioned by a text that may be empty. A row with "" is written. Which condition finds it?
# Good guess p = '' does, everywhere; or, since the protocol takes an empty value of a partition for null, p IS NULL does.
# Behaviour  Reading gives None for it. No filter of a read finds it: neither p = '' nor p != 'a'. A DELETE is of the other mind:
#            `p IS NULL`, which describes what was read, deletes nothing; `p = ''` deletes that row and leaves a row of a real null.
# Why        The log says {"p": ""} for the empty text and {"p": null} for null. The engine of DELETE keeps the two apart; the
#            reader hands both to Arrow as null, while it picks files by the text.
# Seen       read: None; p = '': no row; p != 'a': no row; DELETE p IS NULL: 0; DELETE p = '': 1
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q deltalake==1.6.6 pyarrow==26.0.1
cd "$work"
cat > main.py <<'EOF'
import os
import sys

import pyarrow
from deltalake import DeltaTable, write_deltalake


def rows(path, filters=None):
    found = DeltaTable(path).to_pyarrow_table(filters=filters).to_pylist()
    return sorted(((one["p"], one["v"]) for one in found), key=lambda one: one[1])


write_deltalake("one", pyarrow.table({"p": ["a", ""], "v": [1, 2]}), partition_by=["p"])
print("read:", rows("one"))
assert rows("one") == [("a", 1), (None, 2)]
assert rows("one", [("p", "=", "a")]) == [("a", 1)]
assert rows("one", [("p", "=", "")]) == []
assert rows("one", [("p", "!=", "a")]) == []

by_null = DeltaTable("one").delete("p IS NULL")["num_deleted_rows"]
by_text = DeltaTable("one").delete("p = ''")["num_deleted_rows"]
print("deleted by p IS NULL:", by_null, "by p = '':", by_text)
assert (by_null, by_text) == (0, 1)
assert rows("one") == [("a", 1)]

write_deltalake("both", pyarrow.table({"p": ["", None], "v": [1, 2]}), partition_by=["p"])
assert rows("both") == [(None, 1), (None, 2)]  # they look the same
assert DeltaTable("both").delete("p = ''")["num_deleted_rows"] == 1
assert rows("both") == [(None, 2)]
sys.stdout.flush()
os._exit(0)  # its threads have nothing left to do
EOF
"$work/venv/bin/python" main.py
