#!/bin/sh
# Package    apache-hamilton 1.90.0
# Question   A driver has its cache on. Which inputs count as the ones that a node has been computed for?
# Good guess Equal ones of the same type: the fingerprint is of the value, and 1, 1.0 and True do get three.
# Behaviour  1 and "1" are one, as are [1, 2] and (1, 2), {"n": 1} and {"n": "1"}, [] and {}, {1} and [1], Decimal("1.0") and
#            Decimal("1.00"), and any two lambdas. The node is not run for the second and gives the first one's result. It is so
#            across processes, since the fingerprints are kept on disk.
# Why        A scalar is hashed as its str(), and a container as the hashes of its members, without a word of which container.
# Seen       {'number and text': ['1', '1'], 'list and tuple': ['[1, 2]', '[1, 2]'], 'list and dict': ['[]', '[]']} for repr(value)
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apache-hamilton==1.90.0
cd "$work"
cat > nodes.py <<'EOF'
def shown(value: object) -> str:
    return repr(value)
EOF
HAMILTON_TELEMETRY_ENABLED=false "$work/venv/bin/python" - 2>/dev/null <<'EOF'
import sys

sys.path.insert(0, "")
import nodes
from hamilton import driver
from hamilton.caching.fingerprinting import hash_value

pairs = {
    "number and text": (1, "1"),
    "list and tuple": ([1, 2], (1, 2)),
    "list and dict": ([], {}),
    "numbers": (1, 1.0),
}
seen = {}
for name, values in pairs.items():
    kept = driver.Builder().with_modules(nodes).with_cache(path=f"cache {name}").build()
    seen[name] = [kept.execute(["shown"], inputs={"value": value})["shown"] for value in values]
print(seen)
assert seen == {
    "number and text": ["1", "1"],
    "list and tuple": ["[1, 2]", "[1, 2]"],
    "list and dict": ["[]", "[]"],
    "numbers": ["1", "1.0"],
}
assert hash_value({"n": 1}) == hash_value({"n": "1"}) and hash_value({1}) == hash_value([1])
EOF
