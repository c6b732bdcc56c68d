#!/bin/sh
# Package    obstore 0.12.1
# Question   An object is renamed to the path that it has. A job does so where the old and the new name are worked out, and agree.
# Good guess Nothing happens, as with os.rename: local files show it.
# Behaviour  In a LocalStore nothing happens. In a MemoryStore the object is gone, and the call raises nothing.
#            A test that runs in memory loses what production keeps; a store whose rename is a copy and a delete has the same order.
# Why        Where a store has no rename of its own, it copies to the new path and deletes the old one, and does not ask whether they
#            are two.
# Seen       LocalStore: kept; MemoryStore: gone
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q obstore==0.12.1
cd "$work"
mkdir objects
"$work/venv/bin/python" - <<'EOF'
import obstore
from obstore.store import LocalStore, MemoryStore


def left(store):
    obstore.put(store, "part-7", b"1")
    obstore.rename(store, "part-7", "part-7")
    return [meta["path"] for meta in obstore.list(store).collect()]


local, memory = left(LocalStore("objects")), left(MemoryStore())
print("LocalStore", local, "MemoryStore", memory)
assert local == ["part-7"]
assert memory == []
EOF
