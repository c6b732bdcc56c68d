#!/bin/sh
# Package    rq 3.0.0, fakeredis 2.41.0, Python 3.11
# Question   Two calls are enqueued with one job_id, which names the item so that it is not worked on twice. What is called?
# Good guess The first alone, the second being refused or answered with the job that is there; or the second alone, in its place.
# Behaviour  The second, twice. Nothing is raised. The queue holds the id two times, while the call that the first one described is
#            gone: the record under the id was overwritten.
# Why        A queue is a list of ids and a job is a record under its id. enqueue writes the record and pushes the id, and looks
#            whether either is there only if it is asked to.
# Seen       ids in the queue: x, x; called: second, second
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q rq==3.0.0 fakeredis==2.41.0
cd "$work"
cat > work.py <<'EOF'
CALLS = []


def note(what):
    CALLS.append(what)
EOF
cat > main.py <<'EOF'
import work
from fakeredis import FakeStrictRedis
from rq import Queue, SimpleWorker

redis = FakeStrictRedis()
queue = Queue(connection=redis)
queue.enqueue(work.note, "first", job_id="x")
queue.enqueue(work.note, "second", job_id="x")
print("ids in the queue:", queue.job_ids)
assert queue.job_ids == ["x", "x"]
SimpleWorker([queue], connection=redis).work(burst=True, logging_level="ERROR")
print("called:", work.CALLS)
assert work.CALLS == ["second", "second"]
EOF
"$work/venv/bin/python" main.py
