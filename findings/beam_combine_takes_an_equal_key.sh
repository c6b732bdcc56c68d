#!/bin/sh
# Package    apache-beam 2.77.0 (FnApiRunner)
# Question   Rows have the keys 1, True and 1.0. How many groups do GroupByKey, CombinePerKey, Count.PerElement and Distinct make?
# Good guess Three each: keys are grouped by their encoding, which differs. (Or one each, as in a dict. In any case CombinePerKey gives
#            what GroupByKey gives, with the values of each key combined.)
# Behaviour  GroupByKey makes three, all others make one, under the key that came first. With 100,000 other keys in between, CombinePerKey
#            and Distinct make three as well: whether True counts as 1 depends on how many other keys a bundle has.
# Why        Before rows are sent to their groups, a combiner adds them up in a dict, where 1 == True. It hands on what it has when the
#            bundle ends, or when the dict has 100,000 keys (1,000,000 for counts), and there the encoding decides again.
# Seen       GroupByKey 1, 1.0, True; CombinePerKey 1 of bool+float+int; Count 1: 3; Distinct 1; with others between: 1, 1.0, True for
#            CombinePerKey and Distinct
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apache-beam==2.77.0
cd "$work"
cat > main.py <<'PROGRAM'
import json
import logging
from pathlib import Path

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

ROWS = [(1, "int"), (True, "bool"), (1.0, "float")]
OTHERS = [(f"key {number}", "text") for number in range(100_000)]
SPREAD = [ROWS[0], *OTHERS, ROWS[1], *OTHERS, ROWS[2]]


def joined(names):
    return "+".join(sorted(names))


def found(name, rows, transform):
    """What a transform made of keys that equal 1, as text, with the key first."""
    Path(name).touch()

    def keep(key, value):
        if key == 1:
            with open(name, "a") as file:
                file.write(json.dumps(f"{key!r} {value}") + "\n")

    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        pipeline | beam.Create(rows, reshuffle=False) | transform | beam.MapTuple(keep)
    lines = sorted(json.loads(line) for line in Path(name).read_text().splitlines())
    print(f"{name}: {lines}")
    return lines


def distinct():
    return beam.Keys() | beam.Distinct() | beam.Map(lambda key: (key, "is there"))


def grouped():
    return beam.GroupByKey() | "join" >> beam.MapTuple(lambda key, names: (key, joined(names)))


logging.disable(logging.WARNING)
apart = ["1 int", "1.0 float", "True bool"]
assert found("GroupByKey", ROWS, grouped()) == apart
assert found("CombinePerKey", ROWS, beam.CombinePerKey(joined)) == ["1 bool+float+int"]
assert found("Count", ROWS, beam.Keys() | beam.combiners.Count.PerElement()) == ["1 3"]
assert found("Distinct", ROWS, distinct()) == ["1 is there"]
assert found("CombinePerKey, others between", SPREAD, beam.CombinePerKey(joined)) == apart
assert found("Distinct, others between", SPREAD, distinct()) == ["1 is there", "1.0 is there", "True is there"]
PROGRAM
"$work/venv/bin/python" main.py
