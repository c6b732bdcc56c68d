#!/bin/sh
# Package    doit 0.37.0, Python 3.11
# Question   A run of many tasks is killed in its third one. Each task is up to date once it was done with the same input. What does
#            the next run do again, with each of the three backends that keep what was done?
# Good guess With sqlite3 only the third: it is a database, so each task that ends is a row. With dbm, and with json, maybe more.
# Behaviour  All of them, with every backend. A task that fails, or a Ctrl-C, costs nothing: then the first two are up to date.
# Why        What was done stays in the memory of the run. All backends, sqlite3 too, write it in one go when the run comes to its
#            end, which a kill, or a machine that is turned off, does not let it do.
# Seen       killed: a b c, then a b c again, for dbm, json and sqlite3; failed: a b c, then c alone
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q doit==0.37.0
cd "$work"
cat > dodo.py <<'EOF'
import os

DOIT_CONFIG = {"verbosity": 0}


def task_work():
    def made(name):
        with open("calls", "a") as calls:
            calls.write(name)
        if name == "c" and os.environ["END"] == "killed":
            os.kill(os.getpid(), 9)
        return name != "c" or os.environ["END"] != "failed"

    for name in "abc":
        yield {"name": name, "actions": [(made, [name])], "file_dep": ["input"]}
EOF
cat > main.py <<'EOF'
import os
import subprocess
import sys
from pathlib import Path

Path("input").write_text("the same in every run")


def run(backend, end):
    """The tasks that this run worked on."""
    Path("calls").write_text("")
    command = [sys.executable, "-m", "doit", "run", "--backend", backend, "--db-file", f"{backend}-{os.environ['CASE']}"]
    ended = subprocess.run(command, env={**os.environ, "END": end}, capture_output=True)
    return Path("calls").read_text(), ended.returncode


for backend in ("dbm", "json", "sqlite3"):
    os.environ["CASE"] = "kill"
    first, code = run(backend, "killed")
    assert (first, code) == ("abc", -9), (first, code)
    then, code = run(backend, "well")
    print(f"{backend}: killed in c, then done again: {then}")
    assert (then, code) == ("abc", 0), (then, code)

    os.environ["CASE"] = "fail"
    assert run(backend, "failed")[0] == "abc"
    then, code = run(backend, "well")
    print(f"{backend}: failed in c, then done again: {then}")
    assert (then, code) == ("c", 0), (then, code)
EOF
"$work/venv/bin/python" main.py
