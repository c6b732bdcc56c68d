#!/bin/sh
# Package    huey 3.5.4 (MemoryHuey, SqliteHuey)
# Question   A task raises once, is tried again and succeeds. What does its result say then?
# Good guess What the attempt that succeeded gave, the error having stood there only until then: 7 for a task that returns 7, and None
#            for one that returns nothing, as it is for every task that returns nothing.
# Behaviour  7 for the first. For the one that returns nothing get() raises TaskException with the error of the attempt that failed, and
#            so does what is asked by the id, though all is done and nothing was read before. Without that failure it gives None.
# Why        Every attempt that raises keeps its error as the result, also if the task goes back to the queue. A None is not kept, so
#            there is nothing to take the error's place.
# Seen       returns 7: 7, 7; returns None: TaskException of 'failed once', twice; store_none=True: None, None; without failure: None, None
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q huey==3.5.4
cd "$work"
cat > main.py <<'EOF'
import logging

from huey import MemoryHuey, SqliteHuey
from huey.exceptions import TaskException

logging.disable(logging.CRITICAL)


def outcome(get):
    try:
        return get()
    except TaskException as error:
        return "TaskException", error.metadata["error"]


def results(huey, value, failures):
    """How often the task ran, and what the first handle and one made anew from the id say once the queue is empty."""
    attempts = []

    @huey.task(retries=1)
    def work():
        attempts.append("one")
        if len(attempts) <= failures:
            raise ValueError("failed once")
        return value

    first = work()
    while (task := huey.dequeue()) is not None:
        huey.execute(task)
    anew = outcome(lambda: huey.result(first.id, preserve=True))
    return len(attempts), outcome(first.get), anew


failed = "TaskException", "ValueError('failed once')"
for make in (MemoryHuey, lambda **given: SqliteHuey(filename="huey.db", **given)):
    seen = {
        "returns 7": results(make(), 7, 1),
        "returns None": results(make(), None, 1),
        "store_none": results(make(store_none=True), None, 1),
        "without failure": results(make(), None, 0),
    }
    print(seen)
    assert seen == {
        "returns 7": (2, 7, 7),
        "returns None": (2, failed, failed),
        "store_none": (2, None, None),
        "without failure": (1, None, None),
    }
EOF
"$work/venv/bin/python" main.py
