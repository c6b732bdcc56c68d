#!/bin/sh
# Package    fsspec 2026.9.0 (the file systems "file" and "memory"), Python 3.11
# Question   Files are made within `with fs.transaction:`, and the block raises. The transaction is discarded. Which ones are there?
# Good guess None, by whichever method they were made; or, as with a copy, those of methods that promise nothing, on both alike.
# Behaviour  pipe_file leaves nothing on either. put_file and touch leave nothing in memory, where tests like to run, and leave a
#            whole file on the local disk. cp_file leaves one on both.
# Why        A transaction holds back what goes through open(). In memory put_file and touch are made of open(); the local file
#            system copies by the file system itself. Nothing says so where it happens: no error, no warning.
# Seen       memory: cp_file; file: cp_file, put_file, touch
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q fsspec==2026.9.0
cd "$work"
cat > main.py <<'EOF'
from pathlib import Path

import fsspec

Path("made").write_bytes(b"a result")


def left(protocol, root):
    """By which methods a file is left behind by a transaction that was discarded."""
    files = fsspec.filesystem(protocol)
    files.makedirs(root)
    files.pipe_file(f"{root}/source", b"a result")
    found = []
    for name, make in {
        "cp_file": lambda path: files.cp_file(f"{root}/source", path),
        "pipe_file": lambda path: files.pipe_file(path, b"a result"),
        "put_file": lambda path: files.put_file("made", path),
        "touch": lambda path: files.touch(path),
    }.items():
        try:
            with files.transaction:
                make(f"{root}/{name}")
                raise InterruptedError
        except InterruptedError:
            found += [name] if files.exists(f"{root}/{name}") else []
    return found


in_memory, on_disk = left("memory", "/results"), left("file", str(Path("results").absolute()))
print("left in memory:", in_memory)
print("left on disk:  ", on_disk)
assert in_memory == ["cp_file"]
assert on_disk == ["cp_file", "put_file", "touch"]
EOF
"$work/venv/bin/python" main.py
