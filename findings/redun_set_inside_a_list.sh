#!/bin/sh
# Package    redun 0.44.1 (SQLite)
# Question   A task is given a set of words, on its own, in a list, in a tuple, as a value of a dict or frozen. The program is started
#            again, with a new process. Which of the five calls are made anew?
# Good guess None, since nothing has changed; or all of them, if a set is hashed as it is iterated over, in each process another way.
# Behaviour  The set on its own is found and not worked on again. The other four run anew, and so at each start, while within one
#            process, or with PYTHONHASHSEED held at one number, all five are found.
# Why        A set has a hash of its own, over its sorted members, where it is the whole argument. All else is hashed by its pickle, in
#            which a set stands as it is iterated over.
# Seen       first: all; same seed: none; other seeds: frozen, in a dict, in a list, in a tuple, twice
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q redun==0.44.1
cd "$work"
cat > main.py <<'EOF'
import json
import logging
import sys

from redun import Scheduler, task
from redun.config import Config

logging.disable(logging.CRITICAL)
redun_namespace = "words"
WORDS = "alpha beta gamma delta epsilon zeta eta theta".split()
ran = []


@task()
def count(name, value):
    ran.append(name)
    return 8


scheduler = Scheduler(config=Config({"backend": {"db_uri": "sqlite:///redun.db"}}))
scheduler.load()
values = {
    "alone": set(WORDS),
    "frozen": frozenset(WORDS),
    "in a dict": {"words": set(WORDS)},
    "in a list": [set(WORDS)],
    "in a tuple": (set(WORDS),),
}
for name, value in [*values.items(), *values.items()]:
    assert scheduler.run(count(name, value)) == 8
json.dump(ran, sys.stdout)
EOF
cat > starts.py <<'EOF'
import json
import os
import subprocess
import sys


def start(seed):
    given = {**os.environ, "PYTHONHASHSEED": str(seed)}
    run = subprocess.run([sys.executable, "main.py"], env=given, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(run.stdout)


seen = [start(seed) for seed in (1, 1, 2, 3)]
print(seen)
nested = ["frozen", "in a dict", "in a list", "in a tuple"]
assert seen == [["alone", *nested], [], nested, nested]
EOF
"$work/venv/bin/python" starts.py
