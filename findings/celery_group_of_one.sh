#!/bin/sh
# Package    celery 5.7.0
# Question   A workflow is built for however many parts there are: chain(group(parts), group(bodies)). What if there is one?
# Good guess A list of one, as chord([one], body) and group([one]) | body give.
# Behaviour  Inside a chain a group of one signature is taken for the signature. The next step gets 1 and not [1], and the result of
#            a chain that ends in such a group is a value and not a list. With two parts both are lists. A sum over parts
#            therefore fails, or quietly iterates over a string or dict, on the day when one part is left.
# Why        The chain unrolls a group of one before it runs; the pipe operator upgrades it to a chord first.
# Seen       one {'pipe': [1], 'chain': 1, 'ends': 5}  two {'pipe': [1, 2], 'chain': [[1, 2], [1, 2]], 'ends': [5, 5]}
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q celery==5.7.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from celery import Celery, chain, group
from celery.contrib.testing.worker import start_worker

app = Celery("parts", broker="memory://", backend="cache+memory://")


@app.task
def same(value):
    return value


def outcomes(count):
    parts = [same.s(number) for number in range(1, count + 1)]
    bodies = [same.s() for _ in range(count)]
    flows = {
        "pipe": group(parts) | same.s(),
        "chain": chain(group(parts), group(bodies)),
        "ends": chain(same.s(5), group(bodies)),
    }
    return {name: flow.apply_async().get(timeout=60) for name, flow in flows.items()}


for app.conf.task_always_eager in (True, False):
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="ERROR"):
        one, two = outcomes(1), outcomes(2)
    print("eager" if app.conf.task_always_eager else "worker", one, two)
    assert one == {"pipe": [1], "chain": 1, "ends": 5}
    assert two == {"pipe": [1, 2], "chain": [[1, 2], [1, 2]], "ends": [5, 5]}
EOF
