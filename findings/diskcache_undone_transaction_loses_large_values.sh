#!/bin/sh
# Package    diskcache 5.6.3 (Cache, Deque)
# Question   Within transact() a key is overwritten, another one is deleted and an item is taken from a Deque. Then an exception leaves
#            the block, or the process ends there. What is kept?
# Good guess What was there before. Everything within the block is one transaction, and it is rolled back.
# Behaviour  Short values are back. Of the long ones only the keys are: they are counted, iterated over and found by `in`, while get()
#            gives None and [] raises KeyError. An item that popleft() took is still counted, and the next popleft() gives the one
#            behind it. So a worker that takes a job within a transaction, to give it back on an error, loses every long job.
# Why        A value of 32 KiB or more is a file, and only its name is in SQLite. Each call deletes the files that it has made needless
#            at its own end, and not at the end of the transaction around it.
# Seen       short: old, old, first; long: None, None, second, and KeyError for []; after the end of the process: short old, long None
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q diskcache==5.6.3
cd "$work"
cat > ends.py <<'EOF'
import os

from diskcache import Cache

cache = Cache("ended")
with cache.transact():
    cache["short"] = "new"
    cache["long"] = "new"
    os._exit(0)
EOF
cat > main.py <<'EOF'
import subprocess
import sys

from diskcache import Cache, Deque

LENGTHS = {"short": 1, "long": 2**15}


def undone(name, length):
    """What is there after a block that raised: the values of two keys, and the next item of a queue."""
    old = "old " * length
    cache = Cache(f"cache {name}")
    cache["over"] = cache["gone"] = old
    queue = Deque(["first " * length, "second " * length], f"queue {name}")
    try:
        with cache.transact(), queue.transact():
            cache["over"] = "new"
            del cache["gone"]
            queue.popleft()
            raise RuntimeError("the work failed")
    except RuntimeError:
        pass
    assert list(cache) == ["over", "gone"] and "over" in cache and "gone" in cache and len(queue) == 2
    values = [cache.get(key) for key in cache]
    return [value and value.split()[0] for value in [*values, queue.popleft()]]


seen = {name: undone(name, length) for name, length in LENGTHS.items()}
try:
    Cache("cache long")["over"]
except KeyError:
    seen["long"].append("KeyError")
print(seen)
assert seen == {"short": ["old", "old", "first"], "long": [None, None, "second", "KeyError"]}

ended = Cache("ended")
for name, length in LENGTHS.items():
    ended[name] = "old " * length
subprocess.run([sys.executable, "ends.py"], check=True)
after = {name: (value := ended.get(name)) and value.split()[0] for name in ended}
print("after the end of the process", after)
assert after == {"short": "old", "long": None} and len(ended) == 2
EOF
"$work/venv/bin/python" main.py
