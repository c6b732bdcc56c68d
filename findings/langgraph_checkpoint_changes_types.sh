#!/bin/sh
# Packages   langgraph-checkpoint 4.3.2 (through langgraph-checkpoint-sqlite 3.1.2)
# Question   A graph's state goes through a checkpoint. Which plain Python values come back as they were?
# Good guess The serializer knows set, frozenset, deque, Decimal, Enum and dataclasses, so surely tuple, OrderedDict and int.
# Behaviour  A tuple comes back as a list, though one that is the key of a dict stays. A deque(maxlen=2) is unbounded afterwards. defaultdict, Counter and
#            OrderedDict become dict, so a resumed node gets a KeyError where the first run counted from 0. An Enum as a value
#            stays, and as a key becomes its value. 2**64 - 1 can be stored, 2**64 is a TypeError at the checkpoint.
# Why        The msgpack library below packs tuples and subclasses of dict itself, so the serializer's hook never hears of
#            them; a deque goes through the hook as the list of its items.
# Seen       tuple -> list, Counter -> dict, OrderedDict -> dict, defaultdict -> dict, maxlen -> None, {Colour.RED: 1} -> {'red': 1}, 2**64 -> TypeError
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q langgraph-checkpoint-sqlite==3.1.2 langgraph-checkpoint==4.3.2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import json
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from enum import Enum
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

serializer = JsonPlusSerializer(allowed_msgpack_modules=[("__main__", "Colour")])


class Colour(Enum):
    RED = "red"


def back(value):
    return serializer.loads_typed(serializer.dumps_typed(value))


same = [{(1, 2): 3}, frozenset([1]), deque([1, 2]), Decimal("1.50"), 2**64 - 1, Colour.RED]
for value in same:
    assert type(back(value)) is type(value) and back(value) == value, value
assert back(deque([1], maxlen=2)).maxlen is None
changed = [(1, 2), Counter("aab"), OrderedDict(a=1), defaultdict(list, a=[1]), {"n": (1, (2,))}]
print([f"{type(value).__name__} -> {json.dumps(back(value))}" for value in changed])
assert [type(back(value)) for value in changed] == [list, dict, dict, dict, dict]
assert back({"n": (1, (2,))}) == {"n": [1, [2]]}
key = next(iter(back({Colour.RED: 1})))
assert type(key) is str, type(key)
try:
    serializer.dumps_typed(2**64)
    raise AssertionError("2**64 was stored")
except TypeError as refused:
    print(refused)
EOF
