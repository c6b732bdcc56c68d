#!/bin/sh
# Package    datasets 5.2.0 (Dataset.map), dill 0.4.1
# Question   A function for `map` tags each row by the first rule of a dict that fits, and the dict is a global beside it. Between two
#            runs the same rules are put in another order. Does the second run take the rows of the first from the cache?
# Good guess No. The fingerprint is a hash of the pickled function with the globals that it uses, and a pickle of a dict has its order.
# Behaviour  Yes. The function is not called, and each row has the tag of the old order. So it is with a dict in `fn_kwargs`, in a default
#            argument or in what a closure holds, and with an OrderedDict. The same rules as a list of pairs are noticed.
# Why        The pickler that makes the fingerprint sorts the items of each dict that it meets.
# Seen       (tags after the second run, calls in it) global, fn_kwargs, default, closure, OrderedDict: fruit, 0; list of pairs: berry, 2
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q datasets==5.2.0 dill==0.4.1
cd "$work"
printf '{"name": "strawberry"}\n{"name": "blueberry"}\n' > rows.jsonl
cat > tag.py <<'PROGRAM'
import json
import sys
from collections import OrderedDict
from pathlib import Path

import datasets

PAIRS = [("fruit", ""), ("berry", "berry")]
if sys.argv[1] == "second":
    PAIRS.reverse()
RULES = dict(PAIRS)
ORDERED = OrderedDict(PAIRS)


def first_fit(row, rules):
    with open("calls", "a") as calls:
        calls.write("x")
    return {"tag": next(tag for tag, ending in rules if row["name"].endswith(ending))}


def by_global(row):
    return first_fit(row, RULES.items())


def by_pairs(row):
    return first_fit(row, PAIRS)


def by_ordered(row):
    return first_fit(row, ORDERED.items())


def by_argument(row, rules):
    return first_fit(row, rules.items())


def by_default(row, rules=dict(PAIRS)):
    return first_fit(row, rules.items())


def closing_over(rules):
    return lambda row: first_fit(row, rules.items())


def tagged(function, **options):
    """The tags of the rows, and how many calls that took."""
    Path("calls").write_text("")
    rows = data.map(function, **options)
    return [" ".join(sorted(set(rows["tag"]))), len(Path("calls").read_text())]


datasets.disable_progress_bars()
data = datasets.load_dataset("json", data_files="rows.jsonl", split="train", cache_dir="cache")
seen = {
    "global": tagged(by_global),
    "fn_kwargs": tagged(by_argument, fn_kwargs={"rules": RULES}),
    "default": tagged(by_default),
    "closure": tagged(closing_over(RULES)),
    "ordered": tagged(by_ordered),
    "pairs": tagged(by_pairs),
}
print(json.dumps(seen))
PROGRAM
cat > main.py <<'PROGRAM'
import json
import subprocess
import sys


def run(which):
    ran = subprocess.run([sys.executable, "tag.py", which], capture_output=True, text=True, check=True)
    print(which, ran.stdout, end="")
    return json.loads(ran.stdout.splitlines()[-1])


stale = ("global", "fn_kwargs", "default", "closure", "ordered")
noticed = ("pairs",)
assert run("first") == {name: ["fruit", 2] for name in stale + noticed}
assert run("second") == {name: ["fruit", 0] for name in stale} | {name: ["berry", 2] for name in noticed}
PROGRAM
HF_HOME="$work/home" HF_HUB_OFFLINE=1 "$work/venv/bin/python" main.py
