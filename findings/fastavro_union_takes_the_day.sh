#!/bin/sh
# Package    fastavro 1.13.1
# Question   A field is a union of date and timestamp-micros. Which branch takes a datetime, and which an int in a union with double?
# Good guess The exact one, whatever the order of the union: timestamp for a datetime, long for an int.
# Behaviour  The first that the value could pass for. A datetime is a date in Python, so with date first the time of day is
#            dropped at the write, without a word. An int before [double, long] becomes a float, from 2**53 on another number.
# Why        Branches are tried in turn by isinstance, and Python's datetime is a subclass of date. Records alone are matched
#            by how well they fit.
# Seen       [date(2020, 1, 1), datetime(2020, 1, 1, 5, 30, tzinfo=utc)] and 9007199254740992.0 for 9007199254740993
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q fastavro==1.13.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io
from datetime import date, datetime, timezone
from fastavro import parse_schema, schemaless_reader, schemaless_writer

DATE = {"type": "int", "logicalType": "date"}
TIME = {"type": "long", "logicalType": "timestamp-micros"}


def kept(value, union):
    schema = parse_schema({"type": "record", "name": "Row", "fields": [{"name": "x", "type": union}]})
    file = io.BytesIO()
    schemaless_writer(file, schema, {"x": value})
    file.seek(0)
    return schemaless_reader(file, schema)["x"]


when = datetime(2020, 1, 1, 5, 30, tzinfo=timezone.utc)
seen = [kept(when, ["null", DATE, TIME]), kept(when, ["null", TIME, DATE])]
number = kept(2**53 + 1, ["double", "long"])
print(seen, number)
assert type(seen[0]) is date and seen == [date(2020, 1, 1), when]
assert type(number) is float and int(number) == 2**53
EOF
