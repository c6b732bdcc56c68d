#!/bin/sh
# Package    queuelib 1.10.0 (FifoDiskQueue, in which Scrapy keeps requests), Python 3.11
# Question   A process pushes three items to a queue on disk and is killed before close(). The next process opens it, pushes one
#            and pops. What does it get?
# Good guess The first of the three, or, if the queue forgot them, the one that was just pushed.
# Behaviour  The queue is empty when it is opened, and has one item after the push. It pops an item of the killed process, not
#            what was pushed, and is empty then: what this process pushed is gone, though it closes the queue as it should.
# Why        Where the items begin and how many there are is written by close() alone, in info.json. Without it both are zero, but
#            a push adds to the end of the chunk that is still there, and a pop reads from its beginning.
# Seen       length 0; pushed "new", length 1; popped "item 0"; length 0; then None
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q queuelib==1.10.0
cd "$work"
cat > killed.py <<'EOF'
import os

from queuelib import FifoDiskQueue

queue = FifoDiskQueue("requests")
for number in range(3):
    queue.push(f"item {number}".encode())
os.kill(os.getpid(), 9)
EOF
cat > main.py <<'EOF'
import subprocess
import sys
from pathlib import Path

from queuelib import FifoDiskQueue

assert subprocess.run([sys.executable, "killed.py"]).returncode == -9
assert [one.name for one in Path("requests").iterdir()] == ["q00000"]
assert Path("requests/q00000").read_bytes().count(b"item") == 3

queue = FifoDiskQueue("requests")
assert len(queue) == 0
queue.push(b"new")
assert len(queue) == 1
popped = queue.pop()
print("pushed b'new', popped", popped)
assert popped == b"item 0"
assert len(queue) == 0
assert queue.pop() is None
queue.close()
assert FifoDiskQueue("requests").pop() is None  # nor is it there later
EOF
"$work/venv/bin/python" main.py
