#!/bin/sh
# Package    joblib 1.6.0
# Question   A cached function is called with [row, row], and in the next run with the same list, read from JSON. Are they one call?
# Good guess Yes: the arguments are equal, of the same types, and Memory hashes what they hold.
# Behaviour  They are two, so the work is done (and paid) again. What counts is whether the two rows are one object. That holds for dicts,
#            tuples, frozensets, dates; not for text, bytes and numbers. Equal OrderedDicts in two orders, which are not equal, are one.
# Why        The hash is that of a pickle, which writes an object that it has met before as a reference. Text and bytes are kept out of
#            that table on purpose, other immutable values are not. A dict is sorted first, and an OrderedDict with it.
# Seen       calls 2 for dicts, tuples, dates; 1 for text and numbers; the two OrderedDicts: 1
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q joblib==1.6.0
cd "$work"
cat > shared.py <<'EOF'
from collections import OrderedDict
from copy import deepcopy
from datetime import date

from joblib import Memory

memory = Memory("cache", verbose=0)
calls = []


@memory.cache
def work(batch):
    calls.append(batch)
    return len(batch)


def count(*batches):
    calls.clear()
    for batch in batches:
        work(batch)
    return len(calls)


day, twin = date(2024, 1, 1), date(2024, 1, 1)
row = {"id": 1}
pair = (1, 2.5)
seen = {
    "dicts": count([row, row], [row, deepcopy(row)]),
    "tuples": count([pair, pair], [pair, tuple([1, 2.5])]),
    "dates": count([day, day], [day, twin]),
    "text": count(["a b", "a b"], ["a b", " ".join("ab")]),
    "numbers": count([1.25, 1.25], [1.25, float("1.25")]),
    "orders": count(OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
}
print(seen)
assert [row, row] == [row, deepcopy(row)] and OrderedDict(a=1, b=2) != OrderedDict(b=2, a=1)
assert seen == {"dicts": 2, "tuples": 2, "dates": 2, "text": 1, "numbers": 1, "orders": 1}
EOF
"$work/venv/bin/python" shared.py
