#!/bin/sh
# Package    temporalio 1.35.0 (its default data converter alone; no server)
# Question   A workflow's argument is hinted int | float, or int. What does a payload of 1.5 become?
# Good guess 1.5 for the union (the exact type fits), an error for int: the converter does refuse "1" for an int and 1 for a bool.
# Behaviour  1 for both, without a word: any JSON number is passed to int() when int is tried, and a union tries its members in the order
#            written. float | int gives 1.5. Similarly a str passes as list[str], character by character, and a dict gives its keys.
# Why        The check is whether a number came, not which; strings and dicts are iterable, which is all a list asks for.
# Seen       {'int | float': 1, 'float | int': 1.5, 'int': 1, 'list[str]': ['a', 'b', 'c'], 'bool': TypeError, 'of str': TypeError}
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q temporalio==1.35.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from temporalio.converter import DataConverter

converter = DataConverter.default.payload_converter


def passed(value, hint):
    try:
        return converter.from_payloads(converter.to_payloads([value]), [hint])[0]
    except Exception as refused:
        return type(refused).__name__


seen = {
    "int | float": passed(1.5, int | float),
    "float | int": passed(1.5, float | int),
    "int": passed(1.5, int),
    "list[str]": passed("abc", list[str]),
    "bool": passed(1, bool),
    "of str": passed("1", int),
}
print(seen)
assert list(seen.values()) == [1, 1.5, 1, ["a", "b", "c"], "TypeError", "TypeError"], seen
assert type(seen["int | float"]) is int
EOF
