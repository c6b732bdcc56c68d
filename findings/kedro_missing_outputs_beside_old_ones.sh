#!/bin/sh
# Package    kedro 1.7.0 (SequentialRunner), Python 3.11
# Question   Three nodes make a of the input, b of a and c of b, each kept as a file. The input has changed and the file of a is
#            deleted, so that it is made anew. What does a run with only_missing_outputs=True do?
# Good guess It makes a, and then b and c as well, since what they were made of is new.
# Behaviour  It makes a alone. b and c stay those of the old input, and the run says that it has completed. Deleting b makes b alone,
#            of the new a, beside the old c.
# Why        A node runs if an output of its own is absent, or if a node that runs needs something that is kept nowhere. Whether
#            an input is younger, or was just made, is not asked.
# Seen       first: a 1, b 2, c 3; without a: ran one, a 11, b 2, c 3; without b: ran two, a 11, b 12, c 3
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q kedro==1.7.0
cd "$work"
cat > main.py <<'EOF'
import json
import logging
from pathlib import Path

from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner

logging.disable(logging.CRITICAL)
ran = []


class Kept(AbstractDataset):
    def __init__(self, path):
        self.path = Path(path)

    def load(self):
        return json.loads(self.path.read_text())

    def save(self, data):
        self.path.write_text(json.dumps(data))

    def _exists(self):
        return self.path.exists()

    def _describe(self):
        return {"path": str(self.path)}


def one_more(name):
    def more(number):
        ran.append(name)
        return number + 1

    more.__name__ = name
    return more


steps = pipeline([node(one_more("one"), "raw", "a"), node(one_more("two"), "a", "b"), node(one_more("three"), "b", "c")])


def run(raw):
    """The nodes that ran, and what is kept."""
    ran.clear()
    kept = {name: Kept(f"{name}.json") for name in "abc"}
    SequentialRunner().run(steps, DataCatalog({"raw": MemoryDataset(raw), **kept}), only_missing_outputs=True)
    seen = list(ran), {name: one.load() for name, one in kept.items()}
    print(*seen)
    return seen


assert run(0) == (["one", "two", "three"], {"a": 1, "b": 2, "c": 3})
Path("a.json").unlink()
assert run(10) == (["one"], {"a": 11, "b": 2, "c": 3})
Path("b.json").unlink()
assert run(10) == (["two"], {"a": 11, "b": 12, "c": 3})
EOF
DO_NOT_TRACK=1 "$work/venv/bin/python" main.py
