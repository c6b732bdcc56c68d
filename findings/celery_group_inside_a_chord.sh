#!/bin/sh
# Package    celery 5.7.0 (memory broker, cache backend)
# Question   The header of a chord holds a group. In which order does the body get the results?
# Good guess As written: the header is flattened left to right, and the tests, which run eagerly, say so.
# Behaviour  With a worker each inner group comes out backwards, while the outer order stays. Eager mode keeps the order, so no
#            test with task_always_eager can see it. A body that zips results with its inputs pairs them wrongly.
# Why        To freeze a group, celery flattens it with deque.extendleft(inner tasks), which turns their order round. The eager path
#            flattens by recursion.
# Seen       eager [0, 1, 2, 3, 4], worker [0, 3, 2, 1, 4]
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q celery==5.7.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from celery import Celery, chord, group
from celery.contrib.testing.worker import start_worker

app = Celery("order", broker="memory://", backend="cache+memory://")


@app.task
def same(value):
    return value


def results():
    inner = group([same.s(1), same.s(2), same.s(3)])
    return chord([same.s(0), inner, same.s(4)])(same.s()).get(timeout=60)


app.conf.task_always_eager = True
eager = results()
app.conf.task_always_eager = False
with start_worker(app, perform_ping_check=False, pool="solo", loglevel="ERROR"):
    worker = [results() for _ in range(3)]
print("eager", eager, "worker", worker[0])
assert eager == [0, 1, 2, 3, 4]
assert worker == [[0, 3, 2, 1, 4]] * 3
EOF
